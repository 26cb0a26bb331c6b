#pragma once
// Tensor<T, Rank>: a row-major Eigen::Tensor that owns its numbers, and its conversions to views.

#include <algorithm>
#include <span>
#include <type_traits>

#include <unsupported/Eigen/CXX11/Tensor>

#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// Owns its elements; last axis fastest. A plain value: copies are deep.
template <class T, int Rank>
using Tensor = Eigen::Tensor<T, Rank, Eigen::RowMajor, Index>;

/// What public calls accept: Eigen::Tensor or TensorMap of either layout, or heed::View.
template <class X, int Rank>
concept TensorLike = DenseTensor<X, Rank> || requires {
  requires std::remove_cvref_t<X>::rank == Rank;
  typename std::remove_cvref_t<X>::value_type;
};

template <class X>
struct scalar_of {};
template <class X>
  requires requires { typename X::value_type; }
struct scalar_of<X> {
  using type = typename X::value_type;
};
template <class X>
  requires(requires { typename X::Scalar; } && !requires { typename X::value_type; })
struct scalar_of<X> {
  using type = std::remove_const_t<typename X::Scalar>;
};
/// The element type of a tensor or view, without const.
template <class X>
using scalar_t = typename scalar_of<std::remove_cvref_t<X>>::type;

template <class X>
struct is_tensor : std::false_type {};
template <class T, int Rank>
struct is_tensor<Tensor<T, Rank>> : std::true_type {};

/// The view of a tensor, its rank and constness deduced.
template <class T, int Rank>
View<T, Rank> view(Tensor<T, Rank>& tensor) {
  return {tensor};
}
template <class T, int Rank>
View<const T, Rank> view(const Tensor<T, Rank>& tensor) {
  return {tensor};
}

/// A tensor's last axis as columns and all others as rows.
template <class T, int Rank>
MatrixView<T> as_matrix(Tensor<T, Rank>& tensor) {
  return as_matrix(view(tensor));
}
template <class T, int Rank>
MatrixView<const T> as_matrix(const Tensor<T, Rank>& tensor) {
  return as_matrix(view(tensor));
}

/// The elements of a tensor in memory order.
template <class T, int Rank>
std::span<T> flat(Tensor<T, Rank>& tensor) {
  return {tensor.data(), static_cast<std::size_t>(tensor.size())};
}
template <class T, int Rank>
std::span<const T> flat(const Tensor<T, Rank>& tensor) {
  return {tensor.data(), static_cast<std::size_t>(tensor.size())};
}

template <class T, int Rank>
Extents<Rank> extents(const Tensor<T, Rank>& tensor) {
  return View<const T, Rank>(tensor).extents;
}

/// A tensor of zeros with these extents.
template <class T, int Rank>
Tensor<T, Rank> zeros(const Extents<Rank>& shape) {
  Tensor<T, Rank> tensor(shape);
  tensor.setZero();
  return tensor;
}

}  // namespace heed::inline HEED_ABI
