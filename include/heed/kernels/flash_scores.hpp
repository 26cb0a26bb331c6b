#pragma once
// One tile of transposed scores, S^T (keys, queries): scaled products, what is added to them, and masks, in the order
// of SEMANTICS 2. The fused forward and backward both begin here, so they see the same bits.

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include <heed/core/random.hpp>
#include <heed/kernels/flash_band.hpp>
#include <heed/kernels/flash_pack.hpp>

namespace heed::inline HEED_ABI {

/// What enters one head's scores besides query . key: read in place, element (i, j) at data[i * query_step + j *
/// key_step]. Null or 0 is absent.
template <class T>
struct ScoreTerms {
  const T* bias = nullptr;  // added; -inf masks
  Index bias_query_step = 0, bias_key_step = 0;
  const std::uint8_t* allowed = nullptr;  // any byte but 0: visible
  Index allowed_query_step = 0, allowed_key_step = 0;

  bool change_scores() const { return bias != nullptr; }
  bool masks() const { return bias || allowed; }
  /// What is left of a tile that the band calls `band`.
  Tile visible_tile(Range queries, Range keys, Tile band) const {
    if (band == Tile::empty) return band;
    return allowed ? allowed_tile(queries, keys, band) : bias ? Tile::mixed : band;
  }
  bool visible(Index query, Index key) const {
    return (!allowed || allowed[query * allowed_query_step + key * allowed_key_step] != 0) &&
           (!bias || bias[query * bias_query_step + key * bias_key_step] != -std::numeric_limits<T>::infinity());
  }

 private:
  /// By looking at every byte of the tile: a few of those take the time of one register's scores.
  Tile allowed_tile(Range queries, Range keys, Tile band) const {
    Index visible = 0;
    if (allowed_query_step == 0) queries.end = queries.first + 1;
    for (Index i = queries.first; i < queries.end; ++i)
      for (Index j = keys.first; j < keys.end; ++j)
        visible += allowed[i * allowed_query_step + j * allowed_key_step] != 0;
    if (visible == 0) return Tile::empty;
    return visible == queries.size() * keys.size() && !bias ? band : Tile::mixed;
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

  bool visible(Index i, Index j) const { return band.visible(i, j) && terms.visible(i, j); }
  bool sees_any(Index i) const {
    const Range keys = band.keys({i, i + 1});
    for (Index j = keys.first; j < keys.end; ++j)
      if (terms.visible(i, j)) return true;
    return false;
  }
};

/// Where one head's results go: rows are contiguous; logsumexp and weights may be null.
template <class T>
struct FlashOutputs {
  MatrixView<T> output;    // (query_length, value_dim)
  T* logsumexp = nullptr;  // (query_length)
  MatrixView<T> weights = {};  // (query_length, key_length), those before dropout
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
      : apply(head.terms.change_scores() || std::abs(head.scale) > T(0x1p60)),
        packed(head.scale < 0 ? T(-1) : head.scale == 0 ? T(0) : T(1)),
        factor(std::abs(head.scale)),
        exponent(apply || head.scale == 0 ? std::numbers::log2e_v<T> : factor * std::numbers::log2e_v<T>) {}
};

/// A tile's place: `queries` is a whole block or its rest, `keys` what is visible of a block of keys.
struct TilePlace {
  Range queries, keys;
  Tile tile;
};

template <class T, class Arch>
class ScoreTile {
 public:
  using B = Batch<T, Arch>;
  static constexpr Index width = lanes<T, Arch>, step = FlashBlocks<T, Arch>::queries;
  static constexpr T lowest = -std::numeric_limits<T>::infinity();

  /// scores: (flash_keys, FlashBlocks::queries), 64-byte aligned, the caller's.
  ScoreTile(const FlashHead<T>& head, const ScoreScale<T>& scale, T* scores)
      : head_(head), scale_(scale), scores_(scores) {}

  /// Fills the tile from packed queries. Masked scores are -inf where a visible one shares their register and are left
  /// out where none does (vector_keys). row_max (queries) becomes the larger of itself and the visible scores.
  void compute(const TilePlace& place, const T* packed_query, T* row_max) {
    place_ = place;
    const bool masked = place.tile == Tile::mixed;
    alignas(64) T unused[step];  // of products that are not scores yet
    T* const product_max = masked || scale_.apply ? unused : row_max;
    multiply_keys(head_.key, packed_query, scores_, product_max);
    for (Index v = 0; v < vectors(); ++v) {
      if (scale_.apply) add_terms(v);
      if (masked) mask_vector(v);
      if (masked || scale_.apply) raise_max(v, row_max);
    }
  }

  const TilePlace& place() const { return place_; }
  Index vectors() const { return (place_.queries.size() + width - 1) / width; }
  /// The tile's keys that queries [first, first + count) of the block may see, counted from the tile's first.
  Range row_keys(Index first, Index count) const {
    if (place_.tile == Tile::full) return {0, place_.keys.size()};
    const Index from = place_.queries.first + first;
    const Range seen = head_.band.keys({from, std::min(from + count, place_.queries.end)});
    const Range cut{std::max<Index>(0, seen.first - place_.keys.first),
                    std::min(place_.keys.size(), seen.end - place_.keys.first)};
    return cut.empty() ? Range{} : cut;
  }
  Range vector_keys(Index v) const { return row_keys(v * width, width); }
  /// The block's queries that may see any of keys [first, first + count) of the tile, counted from the block's first.
  Range key_queries(Index first, Index count) const {
    if (place_.tile == Tile::full) return {0, place_.queries.size()};
    const Index base = place_.queries.first, key = place_.keys.first + first;
    const Range cut{std::max(base, head_.band.queries(key).first) - base,
                    std::min(place_.queries.end, head_.band.queries(key + count - 1).end) - base};
    return cut.empty() ? Range{} : cut;
  }
  /// products (flash_keys, FlashBlocks::queries) = rows of x at the tile's keys times a packed operand, where anything
  /// is visible; row_max becomes the larger of itself and the products.
  void multiply_keys(const StridedMatrix<T>& x, const T* packed, T* products, T* row_max) const {
    for_row_groups<FlashBlocks<T, Arch>::key_rows>(place_.keys.size(), [&](auto rows, Index j) {
      const Strided<T> from{x.at(place_.keys.first + j, 0), x.row_step, x.column_step};
      const Range seen = key_queries(j, rows);
      score_rows<T, Arch, rows>(x.cols, from, packed, seen.first / width, (seen.end + width - 1) / width,
                                products + j * step, row_max);
    });
  }

  /// Multiplies a tile of weights (or of their gradients) by what dropout leaves.
  void apply_dropout(T* weights) const {
    const ScoreDropout<T>& dropout = head_.dropout;
    if (dropout.threshold == 0) return;
    const Range keys = place_.keys;
    for (Index i = 0; i < place_.queries.size(); ++i)
      for (Index quad = keys.first / 4; 4 * quad < keys.end; ++quad) {
        const Philox::Counter words = dropout.bits.quad(dropout.batch, dropout.head, place_.queries.first + i, quad);
        for (Index j = std::max(4 * quad, keys.first); j < std::min(4 * quad + 4, keys.end); ++j)
          weights[(j - keys.first) * step + i] *= words[static_cast<std::size_t>(j % 4)] < dropout.threshold
                                                      ? T(0)
                                                      : dropout.kept;
      }
  }

 private:
  T* at(Index v, Index j) const { return scores_ + j * step + v * width; }
  template <class F>
  void for_scores(Index v, const F& f) const {
    const Range keys = vector_keys(v);
    for (Index j = keys.first; j < keys.end; ++j) heed::store(at(v, j), f(heed::load<T, Arch>(at(v, j)), j));
  }

  void add_terms(Index v) const {
    const B factor(scale_.factor);
    for_scores(v, [&](const B& s, Index) { return s * factor; });
    const ScoreTerms<T>& terms = head_.terms;
    if (!terms.bias) return;
    for_columns(v, terms.bias, terms.bias_query_step, terms.bias_key_step, [&](const B& bias, Index j) {
      const B s = heed::load<T, Arch>(at(v, j));
      heed::store(at(v, j), heed::select(bias == B(lowest), bias, s + bias));
    });
  }

  /// Calls f(column, j) with a register's queries' elements of key j, for every key that the register may see.
  template <class Element, class F>
  void for_columns(Index v, const Element* x, Index query_step, Index key_step, const F& f) const {
    const Range keys = vector_keys(v);
    const Index first = place_.queries.first + v * width, rows = std::min(width, place_.queries.end - first);
    const Element* const corner = x + first * query_step + place_.keys.first * key_step;
    Index j = keys.first;
    if constexpr (std::same_as<Element, T>) {
      if (rows == width && key_step == 1 && query_step != 0)
        for (; j + column_group<T> <= keys.end; j += column_group<T>) {
          B columns[column_group<T>];
          load_columns<T, Arch>(corner + j, query_step, columns);
          for (Index q = 0; q < column_group<T>; ++q) f(columns[q], j + q);
        }
    }
    for (; j < keys.end; ++j) {
      alignas(64) T column[width] = {};
      for (Index i = 0; i < rows; ++i) column[i] = static_cast<T>(corner[i * query_step + j * key_step]);
      f(heed::load<T, Arch>(column), j);
    }
  }

  void mask_vector(Index v) const {
    const Range keys = vector_keys(v);
    const Index base = place_.queries.first + v * width;
    const B lane = iota<T, Arch>(), masked(lowest);
    for (Index j = keys.first; j < keys.end; ++j) {
      const Range seen = head_.band.queries(place_.keys.first + j);
      const Index first = std::clamp<Index>(seen.first - base, 0, width), end = std::clamp<Index>(seen.end - base, 0, width);
      if (first == 0 && end == width) continue;
      const B s = heed::load<T, Arch>(at(v, j));
      const B from_first = heed::select(lane < B(static_cast<T>(first)), masked, s);
      heed::store(at(v, j), heed::select(lane < B(static_cast<T>(end)), from_first, masked));
    }
    const ScoreTerms<T>& terms = head_.terms;
    if (!terms.allowed) return;
    for_columns(v, terms.allowed, terms.allowed_query_step, terms.allowed_key_step, [&](const B& allowed, Index j) {
      heed::store(at(v, j), heed::select(allowed == B(T(0)), masked, heed::load<T, Arch>(at(v, j))));
    });
  }

  void raise_max(Index v, T* row_max) const {
    const Range keys = vector_keys(v);
    B largest = heed::load<T, Arch>(row_max + v * width);
    for (Index j = keys.first; j < keys.end; ++j)
      largest = larger(heed::load<T, Arch>(at(v, j)), largest);
    heed::store(row_max + v * width, largest);
  }

  const FlashHead<T>& head_;
  const ScoreScale<T>& scale_;
  T* const scores_;
  TilePlace place_{};
};

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
