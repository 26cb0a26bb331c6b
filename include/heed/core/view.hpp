#pragma once
// Non-owning views of strided memory. Nothing here allocates, throws or includes Eigen.

#include <array>
#include <cassert>
#include <cstddef>
#include <type_traits>

#include <heed/core/abi.hpp>

namespace heed::inline HEED_ABI {

/// Every size, stride and position in heed: signed, 64 bits on 64-bit machines.
using Index = std::ptrdiff_t;

template <int Rank>
using Extents = std::array<Index, static_cast<std::size_t>(Rank)>;

/// Anything that stores Rank numbers the way Eigen's tensors do: data(), dimension(i), Scalar, NumDimensions, Layout.
/// Layout 1 is row-major, 0 column-major (Eigen's constants); heed/core/tensor.hpp refines this for public calls.
template <class X, int Rank>
concept DenseTensor = requires(X& x) {
  typename std::remove_cvref_t<X>::Scalar;
  x.data();
  x.dimension(0);
  requires std::remove_cvref_t<X>::NumDimensions == Rank;
  { std::remove_cvref_t<X>::Layout + 0 };
};

/// Strides (in elements) of a dense array with these extents, last axis fastest.
template <int Rank>
constexpr Extents<Rank> row_major_strides(const Extents<Rank>& extents) {
  Extents<Rank> strides{};
  Index step = 1;
  for (int axis = Rank - 1; axis >= 0; --axis) {
    const auto a = static_cast<std::size_t>(axis);
    strides[a] = step;
    step *= extents[a];
  }
  return strides;
}

/// Pointer, extents and strides (in elements; 0 and negative are legal on inputs). Does not own.
template <class T, int Rank>
struct View {
  static constexpr int rank = Rank;
  using value_type = std::remove_const_t<T>;

  T* data = nullptr;
  Extents<Rank> extents{};
  Extents<Rank> strides{};

  constexpr View() = default;
  constexpr View(T* pointer, const Extents<Rank>& shape) : View(pointer, shape, row_major_strides<Rank>(shape)) {}
  constexpr View(T* pointer, const Extents<Rank>& shape, const Extents<Rank>& steps)
      : data(pointer), extents(shape), strides(steps) {}

  /// A view of const elements from one of mutable elements.
  template <class U>
    requires(std::is_const_v<T> && std::is_same_v<U, value_type>)  // a template, so that it is never the copy constructor
  constexpr View(const View<U, Rank>& other)
      : data(other.data), extents(other.extents), strides(other.strides) {}

  /// A view of an Eigen::Tensor or TensorMap, row- or column-major.
  template <class X>
    requires DenseTensor<X, Rank> && std::is_convertible_v<decltype(std::declval<X&>().data()), T*>
  constexpr View(X&& tensor) : data(tensor.data()) {
    for (std::size_t axis = 0; axis < Rank; ++axis) extents[axis] = tensor.dimension(static_cast<int>(axis));
    strides = row_major_strides<Rank>(extents);
    if constexpr (static_cast<int>(std::remove_cvref_t<X>::Layout) == 0) {
      Index step = 1;
      for (std::size_t axis = 0; axis < Rank; ++axis) strides[axis] = step, step *= extents[axis];
    }
  }

  constexpr Index dimension(int axis) const { return extents[static_cast<std::size_t>(axis)]; }
  constexpr Index stride(int axis) const { return strides[static_cast<std::size_t>(axis)]; }
  constexpr Index size() const {
    Index count = 1;
    for (const Index extent : extents) count *= extent;
    return count;
  }
  constexpr bool empty() const { return size() == 0; }
  constexpr bool contiguous() const { return strides == row_major_strides<Rank>(extents) || empty(); }

  template <class... I>
    requires(sizeof...(I) == Rank)
  constexpr T& operator()(I... index) const {
    const Extents<Rank> at{static_cast<Index>(index)...};
    Index offset = 0;
    for (std::size_t axis = 0; axis < Rank; ++axis) {
      assert(at[axis] >= 0 && at[axis] < extents[axis]);
      offset += at[axis] * strides[axis];
    }
    return data[offset];
  }
};

/// A matrix whose rows are contiguous: element (i, j) is data[i * stride + j]. What kernels take.
template <class T>
struct MatrixView {
  using value_type = std::remove_const_t<T>;

  T* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index stride = 0;  // elements from one row to the next

  constexpr MatrixView() = default;
  constexpr MatrixView(T* pointer, Index row_count, Index col_count)
      : MatrixView(pointer, row_count, col_count, col_count) {}
  constexpr MatrixView(T* pointer, Index row_count, Index col_count, Index row_stride)
      : data(pointer), rows(row_count), cols(col_count), stride(row_stride) {}
  template <class U>
    requires(std::is_const_v<T> && std::is_same_v<U, value_type>)
  constexpr MatrixView(const MatrixView<U>& other)
      : data(other.data), rows(other.rows), cols(other.cols), stride(other.stride) {}

  constexpr T* row(Index i) const {
    assert(i >= 0 && i < rows);
    return data + i * stride;
  }
  constexpr T& operator()(Index i, Index j) const {
    assert(j >= 0 && j < cols);
    return row(i)[j];
  }
  /// Rows [first, first + count).
  constexpr MatrixView row_block(Index first, Index count) const { return {data + first * stride, count, cols, stride}; }
  /// Columns [first, first + count).
  constexpr MatrixView col_block(Index first, Index count) const { return {data + first, rows, count, stride}; }
  constexpr bool empty() const { return rows == 0 || cols == 0; }
};

/// The last two axes of a dense row-major tensor or view as a matrix; leading axes are folded into the rows.
template <class T, int Rank>
constexpr MatrixView<T> as_matrix(const View<T, Rank>& view) {
  assert(view.contiguous());
  const Index cols = view.dimension(Rank - 1);
  Index rows = 1;
  for (int axis = 0; axis + 1 < Rank; ++axis) rows *= view.dimension(axis);
  return {view.data, rows, cols};
}

}  // namespace heed::inline HEED_ABI
