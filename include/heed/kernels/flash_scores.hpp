#pragma once
// One tile of transposed scores, S^T (keys, queries): scaled products, what changes them, what is added, and masks, in
// the order of SEMANTICS 2. The fused forward and backward both begin here, so they see the same bits.

#include <heed/kernels/flash_terms.hpp>
#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

namespace flash_detail {

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
  /// out where none does (vector_keys). row_max (queries) becomes the larger of itself and the visible scores; may be
  /// null.
  void compute(const TilePlace& place, const T* packed_query, T* row_max) {
    place_ = place;
    const bool masked = place.tile == Tile::mixed;
    alignas(64) T unused[step] = {};  // of products that are not scores yet
    T* const product_max = masked || scale_.apply || !row_max ? unused : row_max;
    multiply_keys(head_.key, packed_query, scores_, product_max);
    for (Index v = 0; v < vectors(); ++v) {
      if (scale_.apply) add_terms(v);
      if (masked) mask_vector(v);
      if ((masked || scale_.apply) && row_max) raise_max(v, row_max);
    }
  }

  /// From now on the derivatives of changed scores by the products are kept here, in a tile's layout, where the terms
  /// have any but 1 (has_slopes).
  void keep_slopes(T* slopes) { slopes_ = slopes; }
  bool has_slopes() const { return head_.has_slopes(); }
  /// And the scores that the score callable is given, the same way.
  void keep_inputs(T* inputs) { inputs_ = inputs; }

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
      // A last row alone is computed twice, the second time into the row behind, which no key owns (flash_keys is even):
      // two chains take no longer than one, and there is a tile less to compile.
      constexpr int computed = rows == 1 ? 2 : rows;
      const Strided<T> from{x.at(place_.keys.first + j, 0), rows == 1 ? 0 : x.row_step, x.column_step};
      const Range seen = key_queries(j, rows);
      score_rows<T, Arch, computed>(x.cols, from, packed, seen.first / width, (seen.end + width - 1) / width,
                                products + j * step, row_max);
    });
  }

  /// Adds what the tile's derivatives by changed scores give the callable's parameters.
  void add_parameter_gradient(T* d_scores) const {
    for (Index v = 0; v < vectors(); ++v) {
      ScorePart<T> part = column(v, d_scores);
      part.inputs = column(v, inputs_).scores;
      part.queries = std::min(width, place_.queries.size() - v * width);
      head_.modifier->add_gradient(head_.modifier->score, head_.place, part, head_.parameter_gradient);
    }
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
    const ScoreTerms<T>& terms = head_.terms;
    for_scores(v, [&](const B& s, Index) { return s * factor; });
    if (terms.softcap > 0) cap_scores(v, terms.softcap);
    if (head_.modifies()) modify_scores(v);
    if (terms.bias) add_bias(v);
    if (terms.alibi_slope != 0) add_alibi(v);
  }
  void cap_scores(Index v, T cap) const {
    const B c(cap), one(T(1));
    for_scores(v, [&](const B& s, Index j) {
      const B bounded = heed::tanh(heed::divide(s, c));
      if (slopes_) heed::store(slopes_ + j * step + v * width, heed::fnma(bounded, bounded, one));
      return c * bounded;
    });
  }
  /// A register's queries and the keys that they may see, with the tile's `of` as its scores.
  ScorePart<T> column(Index v, T* of) const {
    const Range keys = vector_keys(v);
    return {.scores = of + keys.first * step + v * width,
            .step = step,
            .query = place_.queries.first + v * width,
            .queries = width,
            .key = place_.keys.first + keys.first,
            .keys = keys.size()};
  }
  void modify_scores(Index v) const {
    ScorePart<T> part = column(v, scores_);
    if (slopes_) {
      part.slopes = column(v, slopes_).scores;
      for (Index j = 0; j < part.keys && head_.terms.softcap <= 0; ++j) heed::store(part.slopes + j * step, B(T(1)));
    }
    if (inputs_) part.inputs = column(v, inputs_).scores;
    head_.modifier->change_column(head_.modifier->score, head_.place, part);
  }
  void add_alibi(Index v) const {
    const ScoreTerms<T>& terms = head_.terms;
    const B slope(terms.alibi_slope), lane = iota<T, Arch>();
    const Index position = place_.queries.first + v * width + terms.alibi_offset - place_.keys.first;
    for_scores(v, [&](const B& s, Index j) {
      const B distance = B(static_cast<T>(position - j)) + lane;
      return heed::fnma(slope, larger(distance, -distance), s);
    });
  }
  void add_bias(Index v) const {
    const ScoreTerms<T>& terms = head_.terms;
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

  /// Masks the lanes that do not see a key: by the band only where its edges cross the register.
  void mask_vector(Index v) const {
    const Range keys = vector_keys(v);
    const Index first = place_.queries.first + v * width - place_.keys.first;  // the register's first query's own key
    const ScoreBand& band = head_.band;
    const Index from_right = std::clamp(first + band.ahead + 1, keys.first, keys.end);
    const Index to_left = std::clamp(first + width - 1 - band.behind, keys.first, from_right);
    mask_keys(v, {keys.first, to_left});
    mask_keys(v, {from_right, keys.end});
    const B masked(lowest);
    const ScoreTerms<T>& terms = head_.terms;
    const auto hide = [&](const B& allowed, Index j) {
      heed::store(at(v, j), heed::select(allowed == B(T(0)), masked, heed::load<T, Arch>(at(v, j))));
    };
    if (terms.allowed) for_columns(v, terms.allowed, terms.allowed_query_step, terms.allowed_key_step, hide);
    if (terms.query_segments) for_segments(v, hide);
    if (head_.masks()) head_.modifier->mask_column(head_.modifier->mask, head_.place, column(v, scores_));
  }
  void mask_keys(Index v, Range keys) const {
    const Index base = place_.queries.first + v * width;
    const B lane = iota<T, Arch>(), masked(lowest);
    for (Index j = keys.first; j < keys.end; ++j) {
      const Range seen = head_.band.queries(place_.keys.first + j);
      const auto first = static_cast<T>(std::clamp<Index>(seen.first - base, 0, width));
      const auto end = static_cast<T>(std::clamp<Index>(seen.end - base, 0, width));
      const B from_first = heed::select(lane < B(first), masked, heed::load<T, Arch>(at(v, j)));
      heed::store(at(v, j), heed::select(lane < B(end), from_first, masked));
    }
  }
  /// Calls f(same, j): 1 where a register's queries are in key j's segment, 0 elsewhere.
  template <class F>
  void for_segments(Index v, const F& f) const {
    const ScoreTerms<T>& terms = head_.terms;
    const Range keys = vector_keys(v);
    const Index first = place_.queries.first + v * width, rows = std::min(width, place_.queries.end - first);
    for (Index j = keys.first; j < keys.end; ++j) {
      const Index segment = terms.key_segments[(place_.keys.first + j) * terms.key_segment_step];
      alignas(64) T same[width] = {};
      for (Index i = 0; i < rows; ++i)
        same[i] = terms.query_segments[(first + i) * terms.query_segment_step] == segment;
      f(heed::load<T, Arch>(same), j);
    }
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
  T* slopes_ = nullptr;
  T* inputs_ = nullptr;
  TilePlace place_{};
};

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
