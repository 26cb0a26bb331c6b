#pragma once
// Whether a block holds a NaN or an infinity: a weight of 0 hides any finite number from a product, but not those.

#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// No NaN and no infinity in any row.
template <class T, class Arch = default_arch>
bool all_finite(const MatrixView<const T>& x) {
  constexpr Index width = lanes<T, Arch>;
  using B = Batch<T, Arch>;
  const B zero(T(0));
  B a = zero, b = zero, c = zero, d = zero;  // x * 0 is 0 or NaN; four chains, so that none waits
  for (Index i = 0; i < x.rows; ++i) {
    const T* const row = x.row(i);
    Index j = 0;
    for (; j + 4 * width <= x.cols; j += 4 * width) {
      a = heed::fma(heed::load<T, Arch>(row + j), zero, a);
      b = heed::fma(heed::load<T, Arch>(row + j + width), zero, b);
      c = heed::fma(heed::load<T, Arch>(row + j + 2 * width), zero, c);
      d = heed::fma(heed::load<T, Arch>(row + j + 3 * width), zero, d);
    }
    for (; j + width <= x.cols; j += width) a = heed::fma(heed::load<T, Arch>(row + j), zero, a);
    if (j < x.cols) b = heed::fma(heed::load_partial<T, Arch>(row + j, x.cols - j), zero, b);
  }
  return reduce_add((a + b) + (c + d)) == T(0);
}

}  // namespace heed::inline HEED_ABI
