#pragma once
// How the keys of one query are cut, and what it knows after some of them: the largest score and the sum of weights
// measured from it. States of disjoint keys join.      M. Milakov, N. Gimelshein, 2018, algorithm 3 and equation 4.

#include <heed/kernels/flash_terms.hpp>
#include <heed/simd/exp2.hpp>
#include <heed/simd/math.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

namespace flash_detail {

/// 256 keys of 64 floats are 64 KiB, their values too: what is fetched ahead stays well inside L2.
inline constexpr Index decode_keys = 256;
/// Heads side by side: what gemm_rows.hpp multiplies without packing keys.
inline constexpr Index decode_heads = 4;
/// Keys that are summed on their own and then joined: half a MiB of keys and values of 64 floats, 10 us of a core's
/// memory, are worth a thread.
inline constexpr Index decode_chunk = 4 * decode_keys;
inline Index decode_chunks(Index keys) { return (keys + decode_chunk - 1) / decode_chunk; }
/// What a chunk leaves for each head: its state's three numbers, then the weighted values.
inline Index decode_part_size(Index value_dim) { return 3 + value_dim; }

/// Weights are 2^(s c - m c) or, with terms, 2^((s - m) c), as ScoreScale says.
template <class T, class Arch>
struct DecodeState {
  static constexpr T lowest = -std::numeric_limits<T>::infinity();
  T row_max = lowest, row_sum = 0;
  T reach = 0;  // the largest origin of any block, without its sign

  /// What row_max enters exponents as, and what is taken off scores: 0 where nothing was seen.
  T origin(const ScoreScale<T>& scale) const {
    return scale.apply ? row_max : heed::fma(row_max, scale.exponent, T(0));  // no compiler merges it into a difference
  }
  T reference(const ScoreScale<T>& scale) const { return row_max == lowest ? T(0) : origin(scale); }
  /// Moves on to a larger maximum; returns what earlier sums are multiplied by.
  T raise(T maximum, const ScoreScale<T>& scale) {
    const T past = origin(scale);
    row_max = maximum;
    reach = std::max(reach, std::abs(reference(scale)));
    return weight(past, scale);
  }
  /// Takes the keys of another state in; returns what this one's sums and the other's are multiplied by.
  std::pair<T, T> join(const DecodeState& other, const ScoreScale<T>& scale) {
    const T past = origin(scale);
    row_max = heed::maximum(row_max, other.row_max);
    reach = std::max(reach, other.reach);
    const T old_factor = weight(past, scale), factor = weight(other.origin(scale), scale);
    row_sum = heed::fma(row_sum, old_factor, heed::fma(other.row_sum, factor, T(0)));
    return {old_factor, factor};
  }
  static T exp2_of(T x) {
    alignas(64) T lane[lanes<T, Arch>];
    heed::store(lane, Exp2Nonpositive<T, Arch>()(Batch<T, Arch>(x)));
    return lane[0];
  }

 private:
  T weight(T other_origin, const ScoreScale<T>& scale) const {
    const T gap = other_origin - reference(scale);
    return exp2_of(scale.apply ? heed::fma(gap, scale.exponent, T(0)) : gap);
  }
};

/// Divides row 0 of the output by the sum, the sink joined, and writes the row's numbers; whether the row is empty is
/// what the mask says. Returns what weights are multiplied by.
template <class T, class Arch>
T finish_decode(const FlashHead<T>& head, const FlashOutputs<T>& out, const ScoreScale<T>& scale,
                const DecodeState<T, Arch>& state) {
  using State = DecodeState<T, Arch>;
  const T unit = scale.origin_exponent();
  T sum = state.row_sum, origin = state.reference(scale), factor = 1;
  if (head.sink) {
    const T sink = scale.to_origin(*head.sink), own = state.row_max == State::lowest ? State::lowest : origin,
            joined = std::max({own, sink, std::numeric_limits<T>::lowest()});
    factor = State::exp2_of(heed::fma(own - joined, unit, T(0)));
    sum = heed::fma(sum, factor, State::exp2_of(heed::fma(sink - joined, unit, T(0))));
    origin = joined;
  }
  T inverse = factor / sum;
  const bool empty = state.row_sum == 0;
  if (empty && !head.sink) inverse = head.sees_any(0) ? std::numeric_limits<T>::quiet_NaN() : T(0);
  scale_row<T, Arch>(out.output.row(0), out.output.cols, inverse);
  if (out.logsumexp)
    out.logsumexp[0] = empty ? head.empty_logsumexp() : heed::fma(origin, scale.to_natural(), heed::log(sum));
  if (out.row_max) {
    const T largest = scale.apply || state.row_max == State::lowest ? state.row_max : state.row_max * scale.factor;
    const bool spoilt = std::isnan(sum) && largest < std::numeric_limits<T>::infinity();  // maxima pass over NaN
    out.row_max[0] = spoilt ? sum : largest;
  }
  if (out.entropy) out.entropy[0] = 0;
  return inverse;
}

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
