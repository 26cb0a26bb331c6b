#pragma once
// BroadcastView<T>: something of rank 2 to 4 read in place as (batch, heads, query_length, key_length). Missing leading
// axes and axes of extent 1 repeat. For boolean masks and additive biases.

#include <cstdint>
#include <type_traits>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

template <class X>
struct is_owning_tensor : std::false_type {};
template <class T, int Rank, int Options, class I>
struct is_owning_tensor<Eigen::Tensor<T, Rank, Options, I>> : std::true_type {};

/// A tensor or view of rank 2 to 4.
template <class X>
concept Rank2To4 = TensorLike<X, 2> || TensorLike<X, 3> || TensorLike<X, 4>;
/// Not a tensor about to die, of which a view would dangle.
template <class X>
concept Lasting = std::is_lvalue_reference_v<X> || !is_owning_tensor<std::remove_cvref_t<X>>::value;
/// A tensor or view of rank 2 to 4 with elements T that will outlive the call.
template <class X, class T>
concept BroadcastSource = Rank2To4<X> && Lasting<X> && std::same_as<scalar_t<X>, T>;
/// The same of truth values: bool, or bytes of which any but 0 is true.
template <class X>
concept BooleanSource = BroadcastSource<X, bool> || BroadcastSource<X, std::uint8_t>;
template <class X, class T>
concept BooleanSourceOf = BooleanSource<X> && std::same_as<T, std::uint8_t>;
/// What a BroadcastView<T> may be made of: bytes may come as bool.
template <class X, class T>
concept BroadcastSourceOf = BroadcastSource<X, T> || BooleanSourceOf<X, T>;

namespace detail {

/// Refuses extents that are neither 1 nor the whole's: "attend: bias has shape (1, 1, 3, 4), wanted (2, 8, 3, 5) ...".
inline void check_broadcast(const char* function, const char* argument, const Extents<4>& extents,
                            const Extents<4>& whole) {
  bool fits = true;
  for (std::size_t axis = 0; axis < 4; ++axis) fits = fits && (extents[axis] == 1 || extents[axis] == whole[axis]);
  check(fits, [&] {
    return message({function, ": ", argument, " has shape ", shape_text(extents), ", wanted ", shape_text(whole),
                    " (batch, heads, query_length, key_length), or 1 where it repeats"});
  });
}

}  // namespace detail

/// Read-only and non-owning; the default is absent.
template <class T>
struct BroadcastView {
  View<const T, 4> view;  // extents 1 where it repeats

  BroadcastView() = default;
  /// Of a tensor or view of rank 2 to 4, any layout and strides.
  template <BroadcastSourceOf<T> X>
  BroadcastView(X&& source) {
    using Source = scalar_t<X>;
    if constexpr (TensorLike<X, 2>) {
      align(View<const Source, 2>(source));
    } else if constexpr (TensorLike<X, 3>) {
      align(View<const Source, 3>(source));
    } else {
      align(View<const Source, 4>(source));
    }
  }

  explicit operator bool() const { return present_; }
  bool same_as(const BroadcastView& other) const {
    return present_ == other.present_ && view.data == other.view.data && view.extents == other.view.extents &&
           view.strides == other.view.strides;
  }

  /// The step along an axis of the whole, 0 where it repeats.
  Index step(int axis) const { return view.dimension(axis) == 1 ? 0 : view.stride(axis); }
  /// The first key's element of one query's row; the next key's is step(3) further.
  const T* row(Index batch, Index head, Index query) const {
    return view.data + batch * step(0) + head * step(1) + query * step(2);
  }

  /// Refuses extents that are neither 1 nor the whole's.
  void check_against(const char* function, const char* argument, const Extents<4>& whole) const {
    if (present_) detail::check_broadcast(function, argument, view.extents, whole);
  }

 private:
  template <class Source, int Rank>
  void align(const View<const Source, Rank>& source) {
    constexpr std::size_t lead = 4 - static_cast<std::size_t>(Rank);
    view.data = reinterpret_cast<const T*>(source.data);  // T itself, or the byte that a bool is
    view.extents.fill(1);
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(Rank); ++axis) {
      view.extents[lead + axis] = source.extents[axis];
      view.strides[lead + axis] = source.strides[axis];
    }
    present_ = true;
  }

  bool present_ = false;
};

}  // namespace heed::inline HEED_ABI
