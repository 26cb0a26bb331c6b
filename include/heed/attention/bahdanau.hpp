#pragma once
// Bahdanau's additive attention over a memory: e_ij = v . tanh(W_q q_i + W_k k_j + b), softmax over the keys that the
// mask allows, context_i = sum_j a_ij value_j. No 1 / sqrt scale.
//   D. Bahdanau, K. Cho, Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015,
//   appendix A.1.2. Weight normalisation: T. Salimans, D. Kingma, NIPS 2016.
// W_k k_j is computed once per source by project(); the gradient of W_k is formed once per source by
// project_backward().

#include <string>

#include <heed/attention/additive_read.hpp>
#include <heed/attention/additive_score.hpp>
#include <heed/attention/memory_projection.hpp>

namespace heed::inline HEED_ABI {

template <Real T>
struct BahdanauAttention {
  struct Config {
    Index units = 0, query_dim = 0, key_dim = 0;
    bool query_bias = true;  // b of the formula; one of the two is enough, Keras' layers have both
    bool key_bias = true;
    bool score_bias = false;
    bool weight_normalization = false;  // v = gain * weight / |weight|
  };
  Projection<T> query;     // weight (units, query_dim)
  Projection<T> key;       // weight (units, key_dim)
  AdditiveScore<T> score;  // weight (1, units)

  /// What backward needs of one read.
  struct Cache {
    Tensor<T, 3> state;    // (batch, query_length, query_dim)
    Tensor<T, 3> query;    // (batch, query_length, units), projected
    Tensor<T, 3> weights;  // (batch, query_length, key_length)
  };

  static void fields(auto&& visit, auto&... self) {
    visit("query", self.query...);
    visit("key", self.key...);
    visit("score", self.score...);
  }

  BahdanauAttention() = default;
  /// Glorot's uniform weights, biases 0, gain |v| (so that normalisation changes nothing at first).
  BahdanauAttention(const Config& config, Rng& rng) {
    heed::check(config.units > 0 && config.query_dim > 0 && config.key_dim > 0, [&] {
      return "BahdanauAttention: units is " + std::to_string(config.units) + ", query_dim " +
             std::to_string(config.query_dim) + " and key_dim " + std::to_string(config.key_dim) +
             ", wanted all positive";
    });
    query = Projection<T>(config.units, config.query_dim, config.query_bias ? config.units : 0, rng);
    key = Projection<T>(config.units, config.key_dim, config.key_bias ? config.units : 0, rng);
    score.weight.resize(1, config.units);
    fill_glorot(score.weight, rng);
    if (config.score_bias) score.bias = zeros<T, 1>({1});
    if (config.weight_normalization) {
      score.gain.resize(1);
      score.gain(0) = score.norm();
    }
  }

  Index units() const { return score.weight.dimension(1); }

  /// keys (batch, key_length, key_dim) -> memory (batch, key_length, units) = W_k keys + its bias. Once per source.
  Tensor<T, 3> project(const View<const T, 3>& keys, ExecutorRef executor = default_executor()) const {
    return detail::project_memory("BahdanauAttention::project", key, keys, executor);
  }
  /// What the reads of one source added up in `memory` -> d_keys; adds to grad.key. Values' gradient is memory.values.
  Tensor<T, 3> project_backward(const View<const T, 3>& keys, const MemoryGradient<T>& memory, BahdanauAttention& grad,
                                ExecutorRef executor = default_executor()) const {
    return detail::project_memory_backward("BahdanauAttention::project_backward", key, keys, memory, grad.key,
                                           executor);
  }

  /// state (batch, query_dim) or (batch, query_length, query_dim), memory (batch, key_length, units) from project(),
  /// values (batch, key_length, value_dim) -> context (batch, [query_length,] value_dim), weights (batch,
  /// [query_length,] key_length). mask: the sources' lengths or any Mask over (batch, 1, query_length, key_length).
  /// cache null: inference. A query without visible keys reads zeros. Throws heed::Error.
  template <StepsLike<T> State>
  MemoryRead<T, detail::steps_rank<State>> forward(const State& state, const View<const T, 3>& memory,
                                                   const View<const T, 3>& values, const ReadMask& mask = {},
                                                   Cache* cache = nullptr,
                                                   ExecutorRef executor = default_executor()) const {
    constexpr int rank = detail::steps_rank<State>;
    const auto steps = detail::as_steps<const T>(state);
    const BoundMask bound = check("BahdanauAttention::forward", steps, memory, values, mask);
    auto result = detail::new_read<rank, T>(steps, values);
    const MemoryReadOutputs<T> out{detail::as_steps<T>(result.context), detail::as_steps<T>(result.weights)};
    Tensor<T, 3> unkept;
    Tensor<T, 3>& projected = cache ? cache->query : unkept;
    projected.resize(steps.dimension(0), steps.dimension(1), units());
    Tensor<T, 1> v(units());
    read(bound, out, steps, memory, values, projected, v.data(), executor);
    if (cache) {
      detail::copy_steps<T>(steps, cache->state);
      detail::copy_steps<T>(out.weights, cache->weights);
    }
    return result;
  }

  /// Bytes of workspace that forward_into takes for batch * query_length queries.
  std::size_t workspace_bytes(Index queries) const {
    return Workspace::rounded<T>(queries * units()) + Workspace::rounded<T>(units());
  }
  /// The read into the caller's memory; no heap with Serial once the thread's own scratch has grown. out.context
  /// (batch, query_length, value_dim) and out.weights (batch, query_length, key_length), rows contiguous; one step has
  /// length 1.
  void forward_into(const MemoryReadOutputs<T>& out, const View<const T, 3>& state, const View<const T, 3>& memory,
                    const View<const T, 3>& values, const ReadMask& mask, Workspace& workspace,
                    ExecutorRef executor) const {
    const char* const function = "BahdanauAttention::forward_into";
    const BoundMask bound = check(function, state, memory, values, mask);
    detail::check_read_outputs(function, out, state, memory, values);
    const std::size_t mark = workspace.used();
    const Index batch = state.dimension(0), length = state.dimension(1);
    T* const v = workspace.take<T>(units());
    const View<T, 3> projected(workspace.take<T>(batch * length * units()), {batch, length, units()});
    read(bound, out, state, memory, values, projected, v, executor);
    workspace.rewind(mark);
  }

  /// The backward of one read, given what its forward was given. d_context in the state's rank; d_weights, where
  /// something flows into the weights themselves, shaped like them. Adds to grad.query, grad.score and memory_grad;
  /// returns d_state. project_backward finishes grad.key.
  template <StepsLike<T> Context, StepsLike<T> Weights = View<const T, detail::steps_rank<Context>>>
  Tensor<T, detail::steps_rank<Context>> backward(const Context& d_context, const Cache& cache,
                                                  const View<const T, 3>& memory, const View<const T, 3>& values,
                                                  const ReadMask& mask, BahdanauAttention& grad,
                                                  MemoryGradient<T>& memory_grad, const Weights& d_weights = {},
                                                  ExecutorRef executor = default_executor()) const {
    const char* const function = "BahdanauAttention::backward";
    const View<const T, 3> state(cache.state), weights(cache.weights);
    const detail::MemoryReadUpstream<T> upstream{detail::as_steps<const T>(d_context),
                                                 detail::as_steps<const T>(d_weights)};
    const BoundMask bound = check(function, state, memory, values, mask);
    detail::check_read_backward(function, upstream, weights, memory, values, memory_grad);
    const Index batch = state.dimension(0), length = state.dimension(1);
    Tensor<T, 3> d_query(batch, length, units());
    Tensor<T, 1> v(units()), d_v = zeros<T, 1>({units()});
    score.effective(v.data());
    const detail::AdditiveOperands<T> in{cache.query, memory, v.data()};
    detail::additive_read_backward<T>(bound, in, values, weights, upstream, d_query, memory_grad, d_v.data(),
                                      detail::reader_executor(executor, work(state, memory)));
    score.backward(d_v.data(), grad.score);
    auto d_state = detail::new_steps<detail::steps_rank<Context>, T>(batch, length, query.in_features());
    Tensor<T, 3> finite;  // masked queries reach no gradient, whatever they hold
    query.backward_into(as_matrix(d_query), detail::seen_steps(state, bound, memory.dimension(1), finite), grad.query,
                        as_matrix(d_state), executor);
    return d_state;
  }

 private:
  BoundMask check(const char* function, const View<const T, 3>& state, const View<const T, 3>& memory,
                  const View<const T, 3>& values, const ReadMask& mask) const {
    return detail::check_read(function, state, query.in_features(), memory, units(), values, mask.mask);
  }
  Index work(const View<const T, 3>& state, const View<const T, 3>& memory) const {
    return state.dimension(0) * state.dimension(1) * memory.dimension(1) * units();
  }
  /// projected (batch, query_length, units) and v (units) are scratch, the first one wanted by the backward.
  void read(const BoundMask& mask, const MemoryReadOutputs<T>& out, const View<const T, 3>& state,
            const View<const T, 3>& memory, const View<const T, 3>& values, const View<T, 3>& projected, T* v,
            ExecutorRef executor) const {
    query.forward_into(state, projected, executor);
    score.effective(v);
    const detail::AdditiveOperands<T> in{projected, memory, v};
    const auto write_scores = [&](Index b, Index i, const detail::VisibleKeys& keys, T* row) {
      detail::additive_score_row(in, b, i, keys, row);
    };
    detail::read_memory(mask, values, out, write_scores, detail::reader_executor(executor, work(state, memory)));
  }
};

}  // namespace heed::inline HEED_ABI
