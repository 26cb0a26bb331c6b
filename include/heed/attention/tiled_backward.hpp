#pragma once
// The backward of scaled dot-product attention over the same tiles as its forward; probabilities are recomputed from
// the logsumexp, so nothing of size (query_length, key_length) is kept.
//   P = exp(S - L), dV = P^T dO, dP = dO V^T, delta = rowsum(dO * O), dS = P * (dP - delta), dQ = scale dS K,
//   dK = scale dS^T Q.      T. Dao et al., "FlashAttention", 2022, algorithm 4. Sums in T.

#include <heed/attention/tiled_forward.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// What a backward reads besides the call's inputs, and where it adds.
template <class T>
struct BackwardTarget {
  View<const T, 4> d_output, output;
  View<const T, 3> logsumexp;
  View<T, 4> d_query, d_key, d_value;  // contiguous and zero at first
  View<T, 4> d_bias;                   // null when the call has no bias
};

/// One worker's memory.
template <class T>
struct BackwardScratch {
  T *query, *key, *value, *d_output;  // copies of blocks whose rows are not contiguous
  T *scores, *d_scores, *delta, *gemm;
  bool* allowed;

  static Index gemm_size(const AttentionShape& shape) {
    Index size = 0;
    for (const Index width : {shape.head_dim, shape.value_dim}) {
      size = std::max({size, gemm_scratch_size<T>(query_block, key_block, width),
                       gemm_scratch_size<T>(query_block, width, key_block),
                       gemm_scratch_size<T>(key_block, width, query_block)});
    }
    return size;
  }
  template <class Take>
  static BackwardScratch make(const AttentionShape& shape, Take&& take) {
    BackwardScratch s;
    take(s.query, query_block * shape.head_dim);
    take(s.key, key_block * shape.head_dim);
    take(s.value, key_block * shape.value_dim);
    take(s.d_output, query_block * shape.value_dim);
    take(s.scores, query_block * key_block);
    take(s.d_scores, query_block * key_block);
    take(s.delta, shape.query_length);
    take(s.gemm, gemm_size(shape));
    take(s.allowed, query_block * key_block);
    return s;
  }
};

/// All query heads that share one key/value head of one sample, in their order.
template <Real T>
class HeadBackward {
 public:
  HeadBackward(const AttentionCall<T>& call, const BackwardTarget<T>& target, const BackwardScratch<T>& scratch)
      : call_(call), target_(target), scratch_(scratch) {}

  void run(Index batch, Index kv_head) {
    batch_ = batch, kv_head_ = kv_head;
    const Index group = call_.shape.heads_per_kv_head();
    for (head_ = kv_head * group; head_ < (kv_head + 1) * group; ++head_) {
      const Index query_end = call_.mask.query_end(batch);
      compute_delta(query_end);
      for (Index first = 0; first < query_end; first += query_block) {
        const Range queries{first, std::min(first + query_block, query_end)};
        const Range keys = call_.mask.keys(batch, queries);
        for (Index key = keys.first / key_block * key_block; key < keys.end; key += key_block) {
          add_tile(queries, {key, std::min(key + key_block, keys.end)});
        }
      }
    }
  }

 private:
  /// delta_i = sum_e d_output_ie output_ie.
  void compute_delta(Index query_end) {
    const auto& d_output = target_.d_output;
    for (Index i = 0; i < query_end; ++i) {
      T sum = 0;
      for (Index e = 0; e < call_.shape.value_dim; ++e) {
        sum = fma(d_output(batch_, head_, i, e), target_.output(batch_, head_, i, e), sum);
      }
      scratch_.delta[i] = sum;
    }
  }

  void add_tile(Range queries, Range keys) {
    if (call_.mask.classify(batch_, queries, keys) == Tile::empty) return;
    ScoreTile<T> p{scratch_.scores, scratch_.allowed, queries, keys, false};
    ScoreTile<T> d_scores{scratch_.d_scores, scratch_.allowed, queries, keys, false};
    const auto query = head_rows(call_.query, batch_, head_, queries, scratch_.query);
    const auto key = head_rows(call_.key, batch_, kv_head_, keys, scratch_.key);
    const auto value = head_rows(call_.value, batch_, kv_head_, keys, scratch_.value);
    const auto d_output = head_rows(target_.d_output, batch_, head_, queries, scratch_.d_output);

    compute_scores(call_, batch_, head_, query, key, p, scratch_.gemm);
    d_scores.mixed = p.mixed;
    gemm<T>(Transpose::no, d_output, Transpose::yes, value, d_scores.matrix(), Accumulate::no, scratch_.gemm);
    for (Index r = 0; r < queries.size(); ++r) row_backward(p, d_scores, r);
    multiply_visible_transposed<T>(p, p.matrix(), d_output, block(target_.d_value, kv_head_, keys), scratch_.gemm);
    if (target_.d_bias.data) add_to_bias(d_scores);
    for (Index r = 0; r < queries.size(); ++r) scale_row(d_scores.row(r), keys.size(), call_.scale);
    multiply_visible<T>(d_scores, d_scores.matrix(), key, block(target_.d_query, head_, queries), Accumulate::yes,
                        scratch_.gemm);
    multiply_visible_transposed<T>(d_scores, d_scores.matrix(), query, block(target_.d_key, kv_head_, keys),
                                   scratch_.gemm);
  }

  /// scores -> probabilities after dropout; d_scores: d_probabilities -> d_scores. Masked pairs are exactly 0 in both.
  void row_backward(const ScoreTile<T>& p, const ScoreTile<T>& d_scores, Index r) const {
    const Index query = p.queries.first + r, count = p.keys.size();
    const T lse = target_.logsumexp(batch_, head_, query), delta = scratch_.delta[query];
    T* const probabilities = p.row(r);
    T* const d_row = d_scores.row(r);
    softmax_detail::exponentials<T, default_arch>(probabilities, lse, probabilities, count);
    if (call_.dropout > 0) apply_dropout(call_, batch_, head_, query, p.keys, d_row);
    for (Index j = 0; j < count; ++j) d_row[j] = probabilities[j] * (d_row[j] - delta);
    if (call_.dropout > 0) apply_dropout(call_, batch_, head_, query, p.keys, probabilities);
    if (!p.mixed) return;
    const bool* const allowed = p.allowed_row(r);
    for (Index j = 0; j < count; ++j) {
      probabilities[j] = allowed[j] ? probabilities[j] : T(0);
      d_row[j] = allowed[j] ? d_row[j] : T(0);
    }
  }

  void add_to_bias(const ScoreTile<T>& d_scores) const {
    const auto at = [](const View<T, 4>& x, int axis, Index i) { return x.dimension(axis) == 1 ? 0 : i; };
    const View<T, 4>& bias = target_.d_bias;
    for (Index r = 0; r < d_scores.queries.size(); ++r) {
      const Index query = at(bias, 2, d_scores.queries.first + r);
      for (Index j = 0; j < d_scores.keys.size(); ++j) {
        bias(at(bias, 0, batch_), at(bias, 1, head_), query, at(bias, 3, d_scores.keys.first + j)) +=
            d_scores.row(r)[j];
      }
    }
  }

  MatrixView<T> block(const View<T, 4>& x, Index head, Range rows) const {
    return {x.data + batch_ * x.stride(0) + head * x.stride(1) + rows.first * x.stride(2), rows.size(), x.dimension(3),
            x.stride(2)};
  }

  const AttentionCall<T>& call_;
  const BackwardTarget<T>& target_;
  const BackwardScratch<T>& scratch_;
  Index batch_ = 0, kv_head_ = 0, head_ = 0;
};

}  // namespace detail

}  // namespace heed::inline HEED_ABI
