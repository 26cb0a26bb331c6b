#pragma once
// One head as the fused kernels take it: matrices, the terms that enter its scores, masks, callables, dropout, sink, and
// where its results go. Everything is read in place.

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include <heed/core/random.hpp>
#include <heed/kernels/flash_band.hpp>
#include <heed/kernels/flash_pack.hpp>
#include <heed/kernels/score_modifier.hpp>

namespace heed::inline HEED_ABI {

/// What enters one head's scores besides query . key, in the order of SEMANTICS 2: soft cap, bias, ALiBi, masks. A
/// matrix' element (i, j) is at data[i * query_step + j * key_step]. Null or 0 is absent.
template <class T>
struct ScoreTerms {
  T softcap = 0;            // c: scores become c tanh(score / c)
  const T* bias = nullptr;  // added; -inf masks
  Index bias_query_step = 0, bias_key_step = 0;
  T alibi_slope = 0;                      // -slope |i + alibi_offset - j| is added
  Index alibi_offset = 0;
  const std::uint8_t* allowed = nullptr;  // any byte but 0: visible
  Index allowed_query_step = 0, allowed_key_step = 0;
  const Index* query_segments = nullptr;  // both or none: visible where they are equal
  const Index* key_segments = nullptr;
  Index query_segment_step = 1, key_segment_step = 1;

  /// Scores are not just products: they are scaled and changed one by one.
  bool change_scores() const { return softcap > 0 || bias || alibi_slope != 0; }
  /// Pairs are masked one by one.
  bool mask_pairs() const { return bias || allowed || query_segments; }
  bool visible(Index query, Index key) const {
    return (!allowed || allowed[query * allowed_query_step + key * allowed_key_step] != 0) &&
           (!query_segments || query_segments[query * query_segment_step] == key_segments[key * key_segment_step]) &&
           (!bias || bias[query * bias_query_step + key * bias_key_step] != -std::numeric_limits<T>::infinity());
  }
  T bias_at(Index query, Index key) const { return bias ? bias[query * bias_query_step + key * bias_key_step] : T(0); }
  T distance(Index query, Index key) const { return std::abs(static_cast<T>(query + alibi_offset - key)); }

  /// What is left of a tile that the band calls `tile`.
  Tile visible_tile(Range queries, Range keys, Tile tile) const {
    if (tile != Tile::empty && query_segments) tile = segment_tile(queries, keys, tile);
    if (tile != Tile::empty && allowed) tile = allowed_tile(queries, keys, tile);
    return tile == Tile::full && bias ? Tile::mixed : tile;
  }

 private:
  /// By looking at every byte of the tile: a few of those take the time of one register's scores.
  Tile allowed_tile(Range queries, Range keys, Tile tile) const {
    Index visible = 0;
    if (allowed_query_step == 0) queries.end = queries.first + 1;
    for (Index i = queries.first; i < queries.end; ++i)
      for (Index j = keys.first; j < keys.end; ++j)
        visible += allowed[i * allowed_query_step + j * allowed_key_step] != 0;
    if (visible == 0) return Tile::empty;
    return visible == queries.size() * keys.size() ? tile : Tile::mixed;
  }
  /// By the smallest and largest segments: exact where segments follow each other, and never wrong.
  Tile segment_tile(Range queries, Range keys, Tile tile) const {
    const auto extremes = [](const Index* ids, Index step, Range range) {
      Range seen{ids[range.first * step], ids[range.first * step]};
      for (Index i = range.first; i < range.end; ++i)
        seen = {std::min(seen.first, ids[i * step]), std::max(seen.end, ids[i * step])};
      return seen;
    };
    const Range q = extremes(query_segments, query_segment_step, queries);
    const Range k = extremes(key_segments, key_segment_step, keys);
    if (q.end < k.first || k.end < q.first) return Tile::empty;
    return q.first == q.end && q == k ? tile : Tile::mixed;
  }
};

/// Dropout of one head's weights: the word of `bits` at (batch, head, query, key) below threshold drops (SEMANTICS 17).
template <class T>
struct ScoreDropout {
  CoordinateBits bits{Rng{}};
  Index batch = 0, head = 0;
  std::uint64_t threshold = 0;  // probability_threshold; 0: off
  T kept = 1;                   // what the others are multiplied by

  T factor(Index query, Index key) const { return bits(batch, head, query, key) < threshold ? T(0) : kept; }
};

/// One head's attention.
template <class T>
struct FlashHead {
  StridedMatrix<T> query, key;  // (query_length, head_dim), (key_length, head_dim)
  StridedMatrix<T> value;       // (key_length, value_dim)
  T scale = 1;
  ScoreBand band;
  ScoreTerms<T> terms;
  ScoreDropout<T> dropout;
  const T* sink = nullptr;  // one more logit in every row's denominator, neither scaled, capped nor masked
  const ScoreModifier<T>* modifier = nullptr;  // the call's callables
  void* parameter_gradient = nullptr;          // of the modifier's score, where it is added; null: not wanted
  HeadPlace place = {};

  bool modifies() const { return modifier && modifier->score; }
  bool masks() const { return modifier && modifier->mask; }
  bool change_scores() const { return modifies() || terms.change_scores(); }
  /// Whether the derivative of a score by its product may be another than the scale.
  bool has_slopes() const { return modifies() || terms.softcap > 0; }
  bool mask_pairs() const { return masks() || terms.mask_pairs(); }
  bool visible(Index i, Index j) const {
    return band.visible(i, j) && terms.visible(i, j) && (!masks() || modifier->visible(modifier->mask, place, i, j));
  }
  [[gnu::noinline]] Tile visible_tile(Range queries, Range keys) const {
    const Tile tile = terms.visible_tile(queries, keys, band.classify(queries, keys));
    if (!masks() || tile == Tile::empty) return tile;
    const Tile own = modifier->classify(modifier->mask, place, queries, keys);
    return own == Tile::full ? tile : own;
  }
  bool sees_any(Index i) const {
    const Range keys = band.keys({i, i + 1});
    for (Index j = keys.first; j < keys.end; ++j)
      if (visible(i, j)) return true;
    return false;
  }
  /// The logsumexp of a row that sees nothing.
  T empty_logsumexp() const { return sink ? *sink : -std::numeric_limits<T>::infinity(); }
};

/// Where one head's results go: rows are contiguous; everything but the output may be null.
template <class T>
struct FlashOutputs {
  MatrixView<T> output;        // (query_length, value_dim)
  T* logsumexp = nullptr;      // (query_length)
  MatrixView<T> weights = {};  // (query_length, key_length), those before dropout
  T* row_max = nullptr;        // (query_length): the largest visible score, -inf where there is none
  T* entropy = nullptr;        // (query_length): -sum of w log w
  T* key_sums = nullptr;       // (key_length): sums of weights over queries are added

  bool needs_weights() const { return weights.data || entropy || key_sums; }
};

namespace flash_detail {

/// Where the scale goes. Without terms it is folded into the exponent, 2^(s c - m c) in one fma per score, and its sign
/// into the packed queries (so that the largest score is still the largest product); with terms the scores are scaled
/// first, and their maximum is taken off before the product, which keeps biases near the end of the range finite.
template <class T>
struct ScoreScale {
  bool apply;  // scores are multiplied by `factor` before the terms
  T packed;    // what queries are multiplied by when packed: exact
  T factor;
  T exponent;  // from a score's units to powers of two

  explicit ScoreScale(const FlashHead<T>& head)
      : apply(head.change_scores() || std::abs(head.scale) > T(0x1p60)),
        packed(head.scale < 0 ? T(-1) : head.scale == 0 ? T(0) : T(1)),
        factor(std::abs(head.scale)),
        exponent(apply || head.scale == 0 ? std::numbers::log2e_v<T> : factor * std::numbers::log2e_v<T>) {}

  /// Origins up to here leave half of their digits to the fraction of an exponent. Beyond, m c no longer is what s c is
  /// when s is m: such a block is computed with scores that are scaled first.
  static constexpr T far = static_cast<T>(std::int64_t{1} << std::numeric_limits<T>::digits / 2);
  ScoreScale scaled_first() const {
    ScoreScale other = *this;
    other.apply = true;
    other.exponent = std::numbers::log2e_v<T>;
    return other;
  }

  /// A logit in the units of origins, and an origin as a logit (kernels/flash_weights.hpp).
  T to_origin(T logit) const { return apply ? logit : logit * std::numbers::log2e_v<T>; }
  T to_natural() const { return apply ? T(1) : std::numbers::ln2_v<T>; }
  /// From origins to powers of two.
  T origin_exponent() const { return apply ? exponent : T(1); }
};

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
