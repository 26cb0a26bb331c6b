#pragma once
// From the products of one query with a block of keys to its scores, in the order of SEMANTICS 2: what the one-query
// forward and backward share. Lanes are keys here; every step is that of flash_scores.hpp, so the bits are too.

#include <heed/kernels/flash_terms.hpp>
#include <heed/kernels/registers.hpp>
#include <heed/simd/math.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

namespace flash_detail {

/// What a row of scores is computed into, each (keys).
template <class T>
struct DecodeScores {
  T* scores;             // products at first
  T* slopes = nullptr;   // null: not wanted. Derivatives of the scores by the scaled products, where head.has_slopes()
  T* inputs = nullptr;   // null: not wanted. What the head's modifier was given
};

/// Products with `keys` become scores, masked ones -inf.
template <class T, class Arch>
void change_decode_scores(const FlashHead<T>& head, const ScoreScale<T>& scale, Range keys,
                          const DecodeScores<T>& row) {
  using B = Batch<T, Arch>;
  const ScoreTerms<T>& terms = head.terms;
  T *const scores = row.scores, *const slopes = row.slopes;
  if (scale.apply) scale_row<T, Arch>(scores, keys.size(), scale.factor);
  if (slopes) fill_row<T, Arch>(slopes, T(1), keys.size());
  if (terms.softcap > 0) {
    const B cap(terms.softcap), one(T(1));
    map_registers<T, Arch>(keys.size(), [&](Index j, auto part) {
      const B bounded = heed::tanh(heed::divide(part.load(scores + j), cap));
      if (slopes) part.store(slopes + j, heed::fnma(bounded, bounded, one));
      part.store(scores + j, cap * bounded);
    });
  }
  const ScorePart<T> all{.scores = scores, .step = 1, .query = 0, .queries = 1, .key = keys.first, .keys = keys.size(),
                         .slopes = slopes, .inputs = row.inputs};
  if (head.modifies()) head.modifier->change_row(head.modifier->score, head.place, all);
  for (Index j = 0; j < keys.size() && terms.bias; ++j) scores[j] += terms.bias_at(0, keys.first + j);
  for (Index j = 0; j < keys.size() && terms.alibi_slope != 0; ++j)
    scores[j] = heed::fnma(terms.alibi_slope, terms.distance(0, keys.first + j), scores[j]);
  for (Index j = 0; j < keys.size() && terms.mask_pairs(); ++j)
    if (!terms.visible(0, keys.first + j)) scores[j] = -std::numeric_limits<T>::infinity();
  if (head.masks()) head.modifier->mask_row(head.modifier->mask, head.place, all);
}

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
