#pragma once
// Whether a block holds a NaN or an infinity: a weight of 0 hides any finite number from a product, but not those.

#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// No NaN and no infinity in any row.
template <class T, class Arch = default_arch>
bool all_finite(const MatrixView<const T>& x) {
  constexpr Index width = lanes<T, Arch>;
  const Batch<T, Arch> zero(T(0));
  Batch<T, Arch> zeros = zero;  // x * 0 is 0 or NaN
  for (Index i = 0; i < x.rows; ++i) {
    const T* const row = x.row(i);
    Index d = 0;
    for (; d + width <= x.cols; d += width) zeros = heed::fma(heed::load<T, Arch>(row + d), zero, zeros);
    if (d < x.cols) zeros = heed::fma(heed::load_partial<T, Arch>(row + d, x.cols - d), zero, zeros);
  }
  return reduce_add(zeros) == T(0);
}

}  // namespace heed::inline HEED_ABI
