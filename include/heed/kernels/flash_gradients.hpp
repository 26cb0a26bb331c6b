#pragma once
// What the backward passes of fused attention share: where one head's gradients go, their scratch, and how weights and the
// gradients of scores are made from scores again.

#include <heed/kernels/flash_scores.hpp>
#include <heed/kernels/flash_weights.hpp>

namespace heed::inline HEED_ABI {

/// What one head's backward reads besides the head, and where it adds.
template <class T>
struct FlashGradients {
  StridedMatrix<T> d_output;     // (query_length, value_dim)
  MatrixView<const T> output;    // of the forward
  const T* logsumexp = nullptr;  // (query_length), of the forward
  MatrixView<T> d_query;         // (query_length, head_dim), to be multiplied by the scale at the end
  MatrixView<T> d_key;           // (key_length, head_dim), the same
  MatrixView<T> d_value;         // (key_length, value_dim)
  T* d_bias = nullptr;           // steps as the bias has them; null: not wanted
  Index d_bias_query_step = 0, d_bias_key_step = 0;
  T* d_sink = nullptr;  // of this head and sample; null: not wanted
};

/// One worker's memory.
template <class T>
struct FlashBackwardScratch {
  T *query, *d_output, *weights, *d_scores, *slopes, *inputs;  // packed operands and tiles
  T *query_rows, *key_rows, *value_rows, *output_rows;         // copies where rows are not contiguous
  T* sum;

  template <class Arch = default_arch, class Take>
  static FlashBackwardScratch make(Index head_dim, Index value_dim, Take&& take) {
    constexpr Index queries = flash_detail::FlashBlocks<T, Arch>::queries, keys = flash_detail::flash_keys;
    FlashBackwardScratch s;
    take(s.query, head_dim * queries);
    take(s.d_output, value_dim * queries);
    take(s.weights, keys * queries);
    take(s.d_scores, keys * queries);
    take(s.slopes, keys * queries);
    take(s.inputs, keys * queries);
    take(s.query_rows, queries * head_dim);
    take(s.key_rows, keys * head_dim);
    take(s.value_rows, keys * value_dim);
    take(s.output_rows, queries * value_dim);
    take(s.sum, std::max(head_dim, value_dim));
    return s;
  }
};

namespace flash_detail {

/// What a row's exponents are measured from: a weight is 2^(s c - L log2 e). Taken off in floats that is rounded to a
/// part of L log2 e, for all of a row's weights alike, and then to a part of an exponent around -log2(key_length). So
/// the product is kept as two numbers and a whole power of two, which is near it where the scores are near 0, is taken
/// out of the exponents: d_key and d_value err by a tenth less, by a third where one query sees many keys.
template <class T>
struct RowReference {
  T high, low, unit;
  explicit RowReference(T logsumexp) {
    constexpr T log2e = std::numbers::log2e_v<T>;
    constexpr T log2e_rest = static_cast<T>(std::numbers::log2e_v<long double> - static_cast<long double>(log2e));
    const T product = heed::fma(logsumexp, log2e, T(0));  // no compiler merges it into the difference below
    const int whole = product > 0 ? static_cast<int>(std::min(product, T(12))) : 0;
    high = product - static_cast<T>(whole);
    const T rest = heed::fma(logsumexp, log2e_rest, heed::fma(logsumexp, log2e, -product));
    low = rest == rest ? rest : T(0);  // inf - inf
    unit = T(1) / static_cast<T>(1 << whole);
  }
};

/// scores (keys, one register) become weights; high, low and unit as in RowReference.
template <class T, class Arch>
[[HEED_HOT_LOOP]] void recompute_weights(T* scores, Index keys, T exponent, const T* high, const T* low,
                                         const T* unit) {
  using B = Batch<T, Arch>;
  const Exp2Nonpositive<T, Arch> exp2;
  const B c(exponent), from = -heed::load<T, Arch>(high), rest = heed::load<T, Arch>(low);
  const B factor = heed::load<T, Arch>(unit);
  for (Index j = 0; j < keys; ++j, scores += FlashBlocks<T, Arch>::queries)
    heed::store(scores, exp2(heed::fma(heed::load<T, Arch>(scores), c, from) - rest) * factor);
}

/// d_scores (keys, one register): d_weights -> weights (d_weights - delta). Masked: a weight of 0 passes nothing, even
/// where the masked data is so large that d_weights overflowed.
template <class T, class Arch, bool Masked>
[[HEED_HOT_LOOP]] void differentiate_scores(const T* weights, T* d_scores, Index keys, const Batch<T, Arch>& delta) {
  using B = Batch<T, Arch>;
  constexpr Index step = FlashBlocks<T, Arch>::queries;
  const B row_delta = delta, zero(T(0));
  for (Index j = 0; j < keys; ++j, weights += step, d_scores += step) {
    const B weight = heed::load<T, Arch>(weights), d = weight * (heed::load<T, Arch>(d_scores) - row_delta);
    heed::store(d_scores, Masked ? heed::select(weight == zero, zero, d) : d);
  }
}

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
