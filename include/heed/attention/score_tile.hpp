#pragma once
// One tile of scores: a block of queries against a block of keys of one head, scaled, biased and masked (SEMANTICS 2),
// as the tiled forward and backward both need it. Key blocks are counted from the sequence's first key and have a fixed
// size, so that no sum over keys depends on the length, the padding or the batch (SEMANTICS 27).

#include <algorithm>
#include <limits>

#include <heed/attention/attention_call.hpp>
#include <heed/kernels/gemm.hpp>
#include <heed/simd/batch.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

// 128 x 128 scores of float are 64 KiB and stay in the second-level cache with the 128 x 64 queries, keys and values. A
// product packs its keys anew for every block of queries: 128 rows share that.
inline constexpr Index query_block = 128;
inline constexpr Index key_block = 128;

/// Rows [range) of one head as gemm takes them: in place where they are contiguous, else copied to `copy`.
template <class T>
MatrixView<const T> head_rows(const View<const T, 4>& x, Index batch, Index head, Range rows, T* copy) {
  const T* const first = x.data + batch * x.stride(0) + head * x.stride(1) + rows.first * x.stride(2);
  const Index cols = x.dimension(3);
  if (x.stride(3) == 1 || cols == 1) return {first, rows.size(), cols, x.stride(2)};
  for (Index i = 0; i < rows.size(); ++i) {
    for (Index d = 0; d < cols; ++d) copy[i * cols + d] = first[i * x.stride(2) + d * x.stride(3)];
  }
  return {copy, rows.size(), cols};
}

/// No NaN and no infinity in any row: then a zero weight hides it from every product.
template <class T>
bool all_finite(MatrixView<const T> x) {
  constexpr Index width = lanes<T>;
  Batch<T> zeros(T(0));  // x * 0 is 0 or NaN
  for (Index i = 0; i < x.rows; ++i) {
    const T* const row = x.row(i);
    Index d = 0;
    for (; d + width <= x.cols; d += width) zeros = fma(load<T>(row + d), Batch<T>(T(0)), zeros);
    if (d < x.cols) zeros = fma(load_partial<T>(row + d, x.cols - d), Batch<T>(T(0)), zeros);
  }
  return reduce_add(zeros) == T(0);
}

/// A tile's scratch and what is known about it. Row r, key j: scores[r * key_block + j].
template <class T>
struct ScoreTile {
  T* scores = nullptr;      // (query_block, key_block)
  bool* allowed = nullptr;  // the same; meaningful only where mixed
  Range queries, keys;
  bool mixed = false;

  MatrixView<T> matrix() const { return {scores, queries.size(), keys.size(), key_block}; }
  T* row(Index r) const { return scores + r * key_block; }
  const bool* allowed_row(Index r) const { return allowed + r * key_block; }
  /// At least one key of the tile is visible to the row.
  bool any(Index r) const {
    return !mixed || std::any_of(allowed_row(r), allowed_row(r) + keys.size(), [](bool visible) { return visible; });
  }
};

/// Fills tile.allowed from the mask.
template <class T>
void fill_allowed(const AttentionCall<T>& call, Index batch, Index head, ScoreTile<T>& tile) {
  const Index step = call.mask.has_boolean() ? call.mask.boolean_step() : 0;
  for (Index r = 0; r < tile.queries.size(); ++r) {
    const Index query = tile.queries.first + r;
    bool* const row = tile.allowed + r * key_block;
    const Range range = call.mask.keys(batch, query);
    const Index first = std::clamp(range.first, tile.keys.first, tile.keys.end) - tile.keys.first;
    const Index end = std::clamp(range.end, tile.keys.first, tile.keys.end) - tile.keys.first;
    std::fill(row, row + tile.keys.size(), false);
    std::fill(row + first, row + std::max(first, end), true);
    if (!call.mask.has_boolean()) continue;
    const std::uint8_t* const bytes = call.mask.boolean_row(batch, head, query);
    for (Index j = first; j < end; ++j) row[j] = bytes[(tile.keys.first + j) * step] != 0;
  }
}

/// Adds the bias to scaled scores; a bias of -inf masks (SEMANTICS 6).
template <class T>
void add_bias(const AttentionCall<T>& call, Index batch, Index head, ScoreTile<T>& tile) {
  const Index step = call.bias.step(3);
  for (Index r = 0; r < tile.queries.size(); ++r) {
    const T* const bias = call.bias.row(batch, head, tile.queries.first + r) + tile.keys.first * step;
    T* const scores = tile.row(r);
    bool* const allowed = tile.allowed + r * key_block;
    for (Index j = 0; j < tile.keys.size(); ++j) {
      scores[j] += bias[j * step];
      allowed[j] = allowed[j] && bias[j * step] != -std::numeric_limits<T>::infinity();
    }
  }
}

/// Scores of tile.queries x tile.keys: scale (q . k) + bias, -inf where masked whatever the key holds.
template <class T>
void compute_scores(const AttentionCall<T>& call, Index batch, Index head, MatrixView<const T> query,
                    MatrixView<const T> key, ScoreTile<T>& tile, T* gemm_scratch) {
  tile.mixed = bool(call.bias) || call.mask.classify(batch, tile.queries, tile.keys) != Tile::full;
  if (tile.mixed) fill_allowed(call, batch, head, tile);
  gemm<T>(Transpose::no, query, Transpose::yes, key, tile.matrix(), Accumulate::no, gemm_scratch);
  for (Index r = 0; r < tile.queries.size(); ++r) scale_row(tile.row(r), tile.keys.size(), call.scale);
  if (call.bias) add_bias(call, batch, head, tile);
  if (!tile.mixed) return;
  for (Index r = 0; r < tile.queries.size(); ++r) {
    for (Index j = 0; j < tile.keys.size(); ++j) {
      if (!tile.allowed_row(r)[j]) tile.row(r)[j] = -std::numeric_limits<T>::infinity();
    }
  }
}

/// Multiplies x (one row of the tile, keys.size()) by what dropout leaves: 0 or 1 / (1 - p), by coordinate (SEMANTICS
/// 17).
template <class T>
void apply_dropout(const AttentionCall<T>& call, Index batch, Index head, Index query, Range keys, T* x) {
  const std::uint64_t threshold = probability_threshold(call.dropout);
  const T kept = call.dropout < 1 ? static_cast<T>(1 / (1 - call.dropout)) : T(0);
  static_assert(key_block % 4 == 0);  // key blocks begin at a multiple of Philox's four words
  for (Index j = 0; j < keys.size(); j += 4) {
    const Philox::Counter words = call.bits.quad(batch, head, query, (keys.first + j) / 4);
    for (Index w = 0; w < std::min<Index>(4, keys.size() - j); ++w) {
      x[j + w] *= words[static_cast<std::size_t>(w)] < threshold ? T(0) : kept;
    }
  }
}

/// c = [c +] p x over the tile's visible pairs: p (rows, n) is zero at masked ones. Where the tile is mixed and x holds
/// NaN or infinities, masked pairs are skipped, since 0 * NaN is not 0; on finite numbers both ways give the same bits.
template <class T>
void multiply_visible(const ScoreTile<T>& tile, MatrixView<const T> p, MatrixView<const T> x, MatrixView<T> c,
                      Accumulate accumulate, T* gemm_scratch) {
  if (c.cols == 0) return;
  if (!tile.mixed || all_finite(x)) {
    return gemm<T>(Transpose::no, p, Transpose::no, x, c, accumulate, gemm_scratch);
  }
  for (Index r = 0; r < c.rows; ++r) {
    if (accumulate == Accumulate::no) std::fill(c.row(r), c.row(r) + c.cols, T(0));
    for (Index j = 0; j < p.cols; ++j) {
      if (tile.allowed_row(r)[j]) add_scaled_row(c.row(r), p(r, j), x.row(j), c.cols);
    }
  }
}

/// c += p^T x over the tile's visible pairs: x (rows, cols), c (n, cols).
template <class T>
void multiply_visible_transposed(const ScoreTile<T>& tile, MatrixView<const T> p, MatrixView<const T> x,
                                 MatrixView<T> c, T* gemm_scratch) {
  if (c.cols == 0) return;
  if (!tile.mixed || all_finite(x)) {
    return gemm<T>(Transpose::yes, p, Transpose::no, x, c, Accumulate::yes, gemm_scratch);
  }
  for (Index r = 0; r < p.rows; ++r) {
    for (Index j = 0; j < p.cols; ++j) {
      if (tile.allowed_row(r)[j]) add_scaled_row(c.row(j), p(r, j), x.row(r), c.cols);
    }
  }
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
