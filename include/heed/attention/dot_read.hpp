#pragma once
// Dot-product scores inside a memory read: score(i, j) = scale q_i . m_j.

#include <algorithm>

#include <heed/attention/memory_read.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Queries (batch, query_length, width) and memory (batch, key_length, width).
template <class T>
struct DotOperands {
  View<const T, 3> query;
  View<const T, 3> memory;
  T scale;

  Index work() const { return query.size() * memory.dimension(1); }
};

template <class T>
void dot_read(const BoundMask& mask, const DotOperands<T>& in, const View<const T, 3>& values,
              const MemoryReadOutputs<T>& out, ExecutorRef executor) {
  const Index width = in.query.dimension(2);
  const auto score = [&](Index b, Index i, const VisibleKeys& keys, T* row) {
    const T* const query = sample(in.query, b).row(i);
    const MatrixView<const T> memory = sample(in.memory, b);
    keys.for_each([&](Index j) { row[j] = in.scale * dot(query, memory.row(j), width); });
  };
  read_memory(mask, values, out, score, reader_executor(executor, in.work()));
}

/// d_query (batch, query_length, width) is written, grad added to.
template <class T>
void dot_read_backward(const BoundMask& mask, const DotOperands<T>& in, const View<const T, 3>& values,
                       const View<const T, 3>& weights, const MemoryReadUpstream<T>& upstream,
                       const View<T, 3>& d_query, MemoryGradient<T>& grad, ExecutorRef executor) {
  const Index width = in.query.dimension(2);
  const View<T, 3> d_memory(grad.memory);
  const auto score_backward = [&](Index b, Index i, const VisibleKeys& keys, const T* d_scores) {
    const T* const query = sample(in.query, b).row(i);
    T* const d_row = sample(d_query, b).row(i);
    std::fill(d_row, d_row + width, T(0));
    keys.for_each([&](Index j) {
      const T d_dot = in.scale * d_scores[j];
      add_scaled_row(d_row, d_dot, sample(in.memory, b).row(j), width);
      add_scaled_row(sample(d_memory, b).row(j), d_dot, query, width);
    });
  };
  read_memory_backward<T>(mask, values, weights, upstream, grad, score_backward, reader_executor(executor, in.work()));
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
