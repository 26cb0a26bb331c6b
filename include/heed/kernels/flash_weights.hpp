#pragma once
// Scores to weights, a register of queries at a time: exponentials in powers of two, one pass.

#include <numbers>

#include <heed/kernels/flash_tile.hpp>
#include <heed/simd/exp2.hpp>

namespace heed::inline HEED_ABI {

namespace flash_detail {

/// A weight is 2^(s c - m c), one fma per score; with terms (Apply) it is 2^((s - m) c), which overflows for no scores.
/// `origin` is what m enters as, m c or m: -inf for a row that has seen nothing.
template <bool Apply, class T, class Arch>
inline Batch<T, Arch> exponent_origin(const Batch<T, Arch>& row_max, const Batch<T, Arch>& c) {
  return Apply ? row_max : row_max * c;
}
/// What is taken off scores: 0 where nothing was seen, so that no -inf - -inf arises.
template <class T, class Arch>
inline Batch<T, Arch> exponent_reference(const Batch<T, Arch>& origin) {
  using B = Batch<T, Arch>;
  return heed::select(origin == B(-std::numeric_limits<T>::infinity()), B(T(0)), origin);
}

/// scores (keys, one register) become weights; returns their sum, one chain per lane.
template <class T, class Arch, bool Apply>
[[HEED_HOT_LOOP]] Batch<T, Arch> weigh_scores(T* scores, Index keys, T exponent, const Batch<T, Arch>& reference) {
  using B = Batch<T, Arch>;
  const Exp2Nonpositive<T, Arch> exp2;
  const B c(exponent), from = Apply ? reference : -reference;
  B sum(T(0));
  for (Index j = 0; j < keys; ++j, scores += FlashBlocks<T, Arch>::queries) {
    const B s = heed::load<T, Arch>(scores);
    const B weight = exp2(Apply ? (s - from) * c : heed::fma(s, c, from));
    heed::store(scores, weight);
    sum = sum + weight;
  }
  return sum;
}

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
