#pragma once
// Scaled dot-product attention of one block of queries, a block of keys at a time, with the softmax kept running:
// memory for one tile whatever the lengths.
//   T. Dao, D. Fu, S. Ermon, A. Rudra, C. Re, "FlashAttention", 2022, algorithm 1, with the loops exchanged as in its
//   successor (2023, algorithm 1). Sums in T.

#include <cmath>

#include <heed/attention/score_tile.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/softmax.hpp>

namespace heed::inline HEED_ABI {

namespace detail {


/// One worker's memory for a block of queries.
template <class T>
struct ForwardScratch {
  T *query, *key, *value;  // copies of blocks whose rows are not contiguous
  T *scores, *product, *sum, *gemm;
  bool* allowed;
  OnlineSoftmax<T>* softmax;
  bool* seen;

  static Index gemm_size(const AttentionShape& shape) {
    return std::max(gemm_scratch_size<T>(query_block, key_block, shape.head_dim),
                    gemm_scratch_size<T>(query_block, shape.value_dim, key_block));
  }
  /// Hands the same pieces in the same order to `take`: an allocator, or one that only counts.
  template <class Take>
  static ForwardScratch make(const AttentionShape& shape, Take&& take) {
    ForwardScratch s;
    take(s.query, query_block * shape.head_dim);
    take(s.key, key_block * shape.head_dim);
    take(s.value, key_block * shape.value_dim);
    take(s.scores, query_block * key_block);
    take(s.product, query_block * shape.value_dim);
    take(s.sum, query_block * shape.value_dim);
    take(s.gemm, gemm_size(shape));
    take(s.allowed, query_block * key_block);
    take(s.softmax, query_block);
    take(s.seen, query_block);
    return s;
  }
};

/// The bytes that `Scratch::make` takes.
template <class Scratch>
std::size_t scratch_bytes(const AttentionShape& shape) {
  std::size_t bytes = 0;
  Scratch::make(shape, [&]<class P>(P*& piece, Index count) {
    piece = nullptr;
    bytes += Workspace::rounded<P>(count);
  });
  return bytes;
}
template <class Scratch>
Scratch take_scratch(const AttentionShape& shape, Workspace& workspace) {
  return Scratch::make(shape, [&]<class P>(P*& piece, Index count) { piece = workspace.take<P>(count); });
}

/// One block of queries of one head.
template <Real T>
class QueryBlockForward {
 public:
  QueryBlockForward(const AttentionCall<T>& call, const ForwardTarget<T>& target, const ForwardScratch<T>& scratch)
      : call_(call), target_(target), scratch_(scratch) {}

  void run(Index batch, Index head, Range queries) {
    batch_ = batch, head_ = head, block_ = queries;
    queries.end = std::max(queries.first, std::min(queries.end, call_.mask.query_end(batch)));
    const Index value_dim = call_.shape.value_dim;
    std::fill(scratch_.sum, scratch_.sum + block_.size() * value_dim, T(0));
    std::fill(scratch_.softmax, scratch_.softmax + block_.size(), OnlineSoftmax<T>());
    std::fill(scratch_.seen, scratch_.seen + block_.size(), false);
    if (target_.weights.data) fill_weights();
    const Range keys = call_.mask.keys(batch, queries);
    for (Index first = keys.first / key_block * key_block; first < keys.end; first += key_block) {
      add_tile(queries, {first, std::min(first + key_block, keys.end)});
    }
    for (Index r = 0; r < block_.size(); ++r) finish_row(r);
  }

 private:
  void add_tile(Range queries, Range keys) {
    if (call_.mask.classify(batch_, queries, keys) == Tile::empty) return;
    const Index kv_head = call_.kv_head(head_), value_dim = call_.shape.value_dim;
    ScoreTile<T> tile{scratch_.scores, scratch_.allowed, queries, keys, false};
    const auto query = head_rows(call_.query, batch_, head_, queries, scratch_.query);
    const auto key = head_rows(call_.key, batch_, kv_head, keys, scratch_.key);
    compute_scores(call_, batch_, head_, query, key, tile, scratch_.gemm);
    T factors[query_block];
    for (Index r = 0; r < queries.size(); ++r) {
      scratch_.seen[r] = scratch_.seen[r] || tile.any(r);
      if (target_.weights.data) std::copy(tile.row(r), tile.row(r) + keys.size(), weights_row(r) + keys.first);
      factors[r] = scratch_.softmax[r].update(tile.row(r), keys.size());
      if (call_.dropout > 0) apply_dropout(call_, batch_, head_, queries.first + r, keys, tile.row(r));
    }
    if (value_dim == 0) return;
    const auto value = head_rows(call_.value, batch_, kv_head, keys, scratch_.value);
    const MatrixView<T> product(scratch_.product, queries.size(), value_dim);
    multiply_visible<T>(tile, tile.matrix(), value, product, Accumulate::no, scratch_.gemm);
    // Rows that see nothing of this tile add zeros with factor 1: their bits stay.
    for (Index r = 0; r < queries.size(); ++r) {
      T* const sum = scratch_.sum + r * value_dim;
      for (Index e = 0; e < value_dim; ++e) sum[e] = fma(sum[e], factors[r], product(r, e));
    }
  }

  T* weights_row(Index r) const { return &target_.weights(batch_, head_, block_.first + r, 0); }
  void fill_weights() const {
    for (Index r = 0; call_.shape.key_length > 0 && r < block_.size(); ++r) {
      std::fill(weights_row(r), weights_row(r) + call_.shape.key_length, -std::numeric_limits<T>::infinity());
    }
  }

  /// Divides by the row's sum. Whether the row is empty is what the mask said, never the scores (SEMANTICS 10): visible
  /// scores that are all -inf give NaN.
  void finish_row(Index r) const {
    const OnlineSoftmax<T>& softmax = scratch_.softmax[r];
    const Index query = block_.first + r;
    const T inverse = scratch_.seen[r] ? T(1) / softmax.row_sum : T(0);
    const bool undefined = scratch_.seen[r] && softmax.row_sum == T(0);
    for (Index e = 0; e < call_.shape.value_dim; ++e) {
      const T sum = scratch_.sum[r * call_.shape.value_dim + e];
      target_.output(batch_, head_, query, e) = undefined          ? std::numeric_limits<T>::quiet_NaN()
                                                : scratch_.seen[r] ? sum * inverse
                                                                   : T(0);
    }
    if (target_.logsumexp.data) target_.logsumexp(batch_, head_, query) = softmax.logsumexp();
    if (target_.weights.data && call_.shape.key_length > 0) finish_weights(r, softmax, inverse);
  }
  void finish_weights(Index r, const OnlineSoftmax<T>& softmax, T inverse) const {
    T* const row = weights_row(r);
    const Index count = call_.shape.key_length;
    const T infinity = std::numeric_limits<T>::infinity();
    if (!scratch_.seen[r]) {
      std::fill(row, row + count, T(0));
    } else if (std::isfinite(softmax.row_max)) {
      softmax_detail::exponentials<T, default_arch>(row, softmax.row_max, row, count);
      scale_row(row, count, inverse);
    } else {  // NaN or an infinity was seen: masked pairs stay exactly 0
      const auto visible = [&](Index j) {
        const Index query = block_.first + r;
        return call_.mask.visible(batch_, head_, query, j) &&
               !(call_.bias && call_.bias.row(batch_, head_, query)[j * call_.bias.step(3)] == -infinity);
      };
      for (Index j = 0; j < count; ++j) row[j] = visible(j) ? exp(row[j] - softmax.row_max) * inverse : T(0);
    }
  }

  const AttentionCall<T>& call_;
  const ForwardTarget<T>& target_;
  const ForwardScratch<T>& scratch_;
  Index batch_ = 0, head_ = 0;
  Range block_;
};

}  // namespace detail

}  // namespace heed::inline HEED_ABI
