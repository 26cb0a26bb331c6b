#pragma once
// From the products of one query with a block of keys to its scores, in the order of SEMANTICS 2: what the one-query
// forward and backward share. Lanes are keys here; every step is that of flash_scores.hpp, so the bits are too.

#include <heed/kernels/flash_terms.hpp>
#include <heed/kernels/registers.hpp>
#include <heed/simd/math.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

namespace flash_detail {

/// row (keys): products with `keys` become scores, masked ones -inf. slopes (keys), may be null: the derivatives of
/// changed scores by the scaled products, written where the terms have any but 1 (a soft cap).
template <class T, class Arch>
void change_decode_scores(const FlashHead<T>& head, const ScoreScale<T>& scale, Range keys, T* row, T* slopes) {
  using B = Batch<T, Arch>;
  const ScoreTerms<T>& terms = head.terms;
  if (scale.apply) scale_row<T, Arch>(row, keys.size(), scale.factor);
  if (terms.softcap > 0) {
    const B cap(terms.softcap), one(T(1));
    map_registers<T, Arch>(keys.size(), [&](Index j, auto part) {
      const B bounded = heed::tanh(part.load(row + j) / cap);
      if (slopes) part.store(slopes + j, heed::fnma(bounded, bounded, one));
      part.store(row + j, cap * bounded);
    });
  }
  for (Index j = 0; j < keys.size() && terms.bias; ++j) row[j] += terms.bias_at(0, keys.first + j);
  for (Index j = 0; j < keys.size() && terms.alibi_slope != 0; ++j)
    row[j] = heed::fnma(terms.alibi_slope, terms.distance(0, keys.first + j), row[j]);
  for (Index j = 0; j < keys.size() && terms.mask_pairs(); ++j)
    if (!terms.visible(0, keys.first + j)) row[j] = -std::numeric_limits<T>::infinity();
}

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
