#pragma once
// Luong's multiplicative attention over a memory: score(i, j) = q_i . k_j (dot), q_i W k_j (general) or
// v . tanh(W [q_i; k_j]) (concat), softmax over the keys that the mask allows, context_i = sum_j a_ij value_j.
// Unscaled.
//   M.-T. Luong, H. Pham, C. Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015,
//   section 3.1 (global attention).
// W k_j is computed once per source by project(), as in bahdanau.hpp; concat is Bahdanau's form without biases.

#include <string>

#include <heed/attention/bahdanau.hpp>
#include <heed/attention/dot_read.hpp>

namespace heed::inline HEED_ABI {

enum class LuongScore { dot, general, concat };

template <Real T>
struct LuongAttention {
  struct Config {
    LuongScore score = LuongScore::general;
    Index query_dim = 0, key_dim = 0;  // equal for dot
    Index units = 0;                   // of concat
  };
  LuongScore kind = LuongScore::dot;
  Projection<T> general;        // weight (query_dim, key_dim); empty for other scores
  BahdanauAttention<T> concat;  // query.weight (units, query_dim), key.weight (units, key_dim), score.weight (1, units)

  struct Cache {
    Tensor<T, 3> state;    // (batch, query_length, query_dim)
    Tensor<T, 3> weights;  // (batch, query_length, key_length)
    typename BahdanauAttention<T>::Cache concat;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("general", self.general...);
    visit("concat", self.concat...);
  }

  LuongAttention() = default;
  /// Glorot's uniform weights.
  LuongAttention(const Config& config, Rng& rng) : kind(config.score) {
    const bool fits =
        kind == LuongScore::dot ? config.query_dim == config.key_dim : kind == LuongScore::general || config.units > 0;
    check(config.query_dim > 0 && config.key_dim > 0 && fits, [&] {
      return "LuongAttention: query_dim is " + std::to_string(config.query_dim) + ", key_dim " +
             std::to_string(config.key_dim) + " and units " + std::to_string(config.units) +
             ", wanted positive ones (dot: the first two equal; units for concat only)";
    });
    if (kind == LuongScore::general) general = Projection<T>(config.query_dim, config.key_dim, 0, rng);
    if (kind == LuongScore::concat) {
      concat = BahdanauAttention<T>({.units = config.units,
                                     .query_dim = config.query_dim,
                                     .key_dim = config.key_dim,
                                     .query_bias = false,
                                     .key_bias = false},
                                    rng);
    }
  }

  /// keys (batch, key_length, key_dim) -> memory: the keys themselves (dot), W keys (batch, key_length, query_dim) or
  /// (batch, key_length, units). Once per source.
  Tensor<T, 3> project(const View<const T, 3>& keys, ExecutorRef executor = default_executor()) const {
    const char* const function = "LuongAttention::project";
    if (kind == LuongScore::concat) return concat.project(keys, executor);
    if (kind == LuongScore::general) return detail::project_memory(function, general, keys, executor);
    detail::check_rows(function, "keys", keys, {-1, -1, -1});
    Tensor<T, 3> memory;
    detail::copy_steps(keys, memory);
    return memory;
  }
  /// What the reads of one source added up in `memory` -> d_keys; adds to grad. Values' gradient is memory.values.
  Tensor<T, 3> project_backward(const View<const T, 3>& keys, const MemoryGradient<T>& memory, LuongAttention& grad,
                                ExecutorRef executor = default_executor()) const {
    const char* const function = "LuongAttention::project_backward";
    if (kind == LuongScore::concat) return concat.project_backward(keys, memory, grad.concat, executor);
    if (kind == LuongScore::dot) return memory.memory;
    return detail::project_memory_backward(function, general, keys, memory, grad.general, executor);
  }

  /// Arguments and results as BahdanauAttention::forward.
  template <StepsLike<T> State>
  MemoryRead<T, detail::steps_rank<State>> forward(const State& state, const View<const T, 3>& memory,
                                                   const View<const T, 3>& values, const ReadMask& mask = {},
                                                   Cache* cache = nullptr,
                                                   ExecutorRef executor = default_executor()) const {
    if (kind == LuongScore::concat) {
      return concat.forward(state, memory, values, mask, cache ? &cache->concat : nullptr, executor);
    }
    constexpr int rank = detail::steps_rank<State>;
    const auto steps = detail::as_steps<const T>(state);
    const BoundMask bound = check_dot("LuongAttention::forward", steps, memory, values, mask);
    auto result = detail::new_read<rank, T>(steps, values);
    const MemoryReadOutputs<T> out{detail::as_steps<T>(result.context), detail::as_steps<T>(result.weights)};
    detail::dot_read<T>(bound, {steps, memory, T(1)}, values, out, executor);
    if (cache) {
      detail::copy_steps<T>(steps, cache->state);
      detail::copy_steps<T>(out.weights, cache->weights);
    }
    return result;
  }

  /// Bytes of workspace that forward_into takes for batch * query_length queries.
  std::size_t workspace_bytes(Index queries) const {
    return kind == LuongScore::concat ? concat.workspace_bytes(queries) : 0;
  }
  /// The read into the caller's memory, as BahdanauAttention::forward_into.
  void forward_into(const MemoryReadOutputs<T>& out, const View<const T, 3>& state, const View<const T, 3>& memory,
                    const View<const T, 3>& values, const ReadMask& mask, Workspace& workspace,
                    ExecutorRef executor) const {
    if (kind == LuongScore::concat) {
      return concat.forward_into(out, state, memory, values, mask, workspace, executor);
    }
    const BoundMask bound = check_dot("LuongAttention::forward_into", state, memory, values, mask);
    detail::check_read_outputs("LuongAttention::forward_into", out, state, memory, values);
    detail::dot_read<T>(bound, {state, memory, T(1)}, values, out, executor);
  }

  /// The backward of one read, as BahdanauAttention::backward.
  template <StepsLike<T> Context, StepsLike<T> Weights = View<const T, detail::steps_rank<Context>>>
  Tensor<T, detail::steps_rank<Context>> backward(const Context& d_context, const Cache& cache,
                                                  const View<const T, 3>& memory, const View<const T, 3>& values,
                                                  const ReadMask& mask, LuongAttention& grad,
                                                  MemoryGradient<T>& memory_grad, const Weights& d_weights = {},
                                                  ExecutorRef executor = default_executor()) const {
    if (kind == LuongScore::concat) {
      return concat.backward(d_context, cache.concat, memory, values, mask, grad.concat, memory_grad, d_weights,
                             executor);
    }
    const View<const T, 3> state(cache.state), weights(cache.weights);
    const detail::MemoryReadUpstream<T> upstream{detail::as_steps<const T>(d_context),
                                                 detail::as_steps<const T>(d_weights)};
    const BoundMask bound = check_dot("LuongAttention::backward", state, memory, values, mask);
    detail::check_read_backward("LuongAttention::backward", upstream, weights, memory, values, memory_grad);
    auto d_state =
        detail::new_steps<detail::steps_rank<Context>, T>(state.dimension(0), state.dimension(1), state.dimension(2));
    detail::dot_read_backward<T>(bound, {state, memory, T(1)}, values, weights, upstream, detail::as_steps<T>(d_state),
                                 memory_grad, executor);
    return d_state;
  }

 private:
  BoundMask check_dot(const char* function, const View<const T, 3>& state, const View<const T, 3>& memory,
                      const View<const T, 3>& values, const ReadMask& mask) const {
    return detail::check_read(function, state, memory.dimension(2), memory, -1, values, mask.mask);
  }
};

}  // namespace heed::inline HEED_ABI
