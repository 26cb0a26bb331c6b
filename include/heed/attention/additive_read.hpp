#pragma once
// Additive scores (kernels/additive.hpp) inside a memory read: samples side by side, each with its own partial sum of
// d_v.

#include <vector>

#include <heed/attention/memory_read.hpp>
#include <heed/kernels/additive.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Projected queries (batch, query_length, units), projected keys (batch, key_length, units) and v (units).
template <class T>
struct AdditiveOperands {
  View<const T, 3> query;
  View<const T, 3> memory;
  const T* v;
};

/// Writes the scores of the visible keys, from the first to the last.
template <class T>
void additive_score_row(const AdditiveOperands<T>& in, Index batch, Index query, const VisibleKeys& keys, T* row) {
  const auto q = sample(in.query, batch).row_block(query, 1);
  const auto k = sample(in.memory, batch).row_block(keys.range.first, keys.range.size());
  additive_scores<T>(q, k, in.v, MatrixView<T>(row + keys.range.first, 1, keys.range.size()));
}

/// d_scores of one query -> d_query (batch, query_length, units) written, d_memory and d_v (units) added to.
template <class T>
void additive_score_row_backward(const AdditiveOperands<T>& in, Index batch, Index query, const VisibleKeys& keys,
                                 const T* d_scores, const View<T, 3>& d_query, const View<T, 3>& d_memory, T* d_v) {
  const Index first = keys.range.first, count = keys.range.size();
  AdditiveBackward<T> step{.query = sample(in.query, batch).row_block(query, 1),
                           .key = sample(in.memory, batch).row_block(first, count),
                           .v = in.v,
                           .d_scores = MatrixView<const T>(d_scores + first, 1, count),
                           .d_query = sample(d_query, batch).row_block(query, 1),
                           .d_key = sample(d_memory, batch).row_block(first, count),
                           .d_v = d_v};
  if (keys.allowed) step.allowed = MatrixView<const bool>(keys.allowed + first, 1, count);
  additive_scores_backward<T>(step);
}

/// The backward of a whole read: d_query written, grad and d_v (units) added to, d_v in the samples' order.
template <class T>
void additive_read_backward(const BoundMask& mask, const AdditiveOperands<T>& in, const View<const T, 3>& values,
                            const View<const T, 3>& weights, const MemoryReadUpstream<T>& upstream,
                            const View<T, 3>& d_query, MemoryGradient<T>& grad, T* d_v, ExecutorRef executor) {
  const Index batch = in.query.dimension(0), units = in.query.dimension(2);
  std::vector<T> partial(static_cast<std::size_t>(batch * units), T(0));
  const View<T, 3> d_memory(grad.memory);
  const auto score_backward = [&](Index b, Index i, const VisibleKeys& keys, const T* d_scores) {
    additive_score_row_backward<T>(in, b, i, keys, d_scores, d_query, d_memory, partial.data() + b * units);
  };
  read_memory_backward<T>(mask, values, weights, upstream, grad, score_backward, executor);
  for (Index b = 0; b < batch; ++b) add_row(d_v, partial.data() + b * units, units);
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
