#pragma once
// Attention between multi-head attention's projections: heads are columns of (batch, length, features), read and written
// where the projections put them.

#include <cstddef>

#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/core/workspace.hpp>
#include <heed/nn/head_projections.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Where a forward keeps the projected query, what attention made of it, and, if a backward may follow, more.
template <Real T>
struct Passage {
  View<T, 3> query, attended;           // (batch, query_length, heads head_dim) and (.., heads value_dim)
  View<T, 3> logsumexp = {};            // (batch, heads, query_length), or empty
  AttentionDropout* dropout = nullptr;  // what was drawn, or null
  QueryPath path = QueryPath::block;
};

/// Memory of one inference: the thread's, kept for the next call, or its own where that would be too much to keep.
class InferenceMemory {
 public:
  explicit InferenceMemory(std::size_t bytes) : memory_(bytes > most_kept ? own_ : kept()) {
    memory_.reserve(bytes);
    memory_.reset();
  }
  InferenceMemory(const InferenceMemory&) = delete;
  InferenceMemory& operator=(const InferenceMemory&) = delete;
  template <class T>
  T* take(Index count) {
    return memory_.take<T>(count);
  }

 private:
  static constexpr std::size_t most_kept = std::size_t{64} << 20;
  static Workspace& kept() {
    thread_local Workspace workspace;
    return workspace;
  }
  Workspace own_;
  Workspace& memory_;
};

/// The thread's workspace, for `bytes` of one call.
inline Workspace& call_workspace(std::size_t bytes) {
  Workspace& workspace = thread_workspace();
  workspace.reserve(bytes);
  workspace.reset();
  return workspace;
}

/// passage.query -> passage.attended through key (batch, kv_heads, key_length, head_dim) and value (.., value_dim). weights
/// (batch, heads, query_length, key_length) are written where there are any.
template <Real T>
void attend_heads(const Passage<T>& passage, Index heads, const View<const T, 4>& key, const View<const T, 4>& value,
                  AttentionOptions<T> options, Tensor<T, 4>& weights, const CallableRef<T>& callables,
                  ExecutorRef executor) {
  AttentionOutputs<T> target{.output = split_heads<T>(passage.attended, heads), .logsumexp = passage.logsumexp};
  if (weights.size() > 0) target.weights = weights;
  options.path = passage.path;
  const View<const T, 4> query = split_heads<const T>(passage.query, heads);
  const AttentionShape shape = attention_shape<T>(query, key, value);
  Workspace& workspace = call_workspace(workspace_bytes<T>(shape, options, executor.concurrency()));
  attend_into<T>(target, query, key, value, options, workspace, executor, callables);
}

/// d_attended (batch, query_length, heads value_dim) -> gradients of the heads; state is MultiHeadAttention's.
template <Real T, class State>
void attend_heads_back(const AttentionGradientViews<T>& gradients, const Tensor<T, 3>& d_attended, Index heads,
                       const State& state, const View<const T, 4>& key, const View<const T, 4>& value,
                       const AttentionOptions<T>& options, const CallableRef<T>& callables, ExecutorRef executor) {
  auto& read = const_cast<State&>(state);  // outputs are views that could be written to; here they are read
  const AttentionOutputs<T> forward{.output = split_heads<T>(read.attended, heads), .logsumexp = read.logsumexp};
  const View<const T, 4> query = split_heads<const T>(state.query, heads);
  const AttentionShape shape = attention_shape<T>(query, key, value);
  Workspace& workspace = call_workspace(backward_workspace_bytes<T>(shape, options, executor.concurrency()));
  attend_backward_into<T>(gradients, split_heads<const T>(d_attended, heads), query, key, value, forward, options,
                          workspace, executor, callables);
}

}  // namespace detail
}  // namespace heed::inline HEED_ABI
