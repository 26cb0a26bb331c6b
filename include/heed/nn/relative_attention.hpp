#pragma once
// Transformer-XL's multi-head attention over a segment and the memory of those before it, with relative positions:
//   score(i, j) = ((q_i + u) . k_j + (q_i + v) . W_r R_(p - j)) / sqrt(head_dim)
// where query i stands at p = memory_length + i, R_d is the sinusoidal encoding of the distance d (all sines, then all
// cosines), and u and v are learned per head.
//   Z. Dai et al., "Transformer-XL: Attentive Language Models beyond a Fixed-Length Context", ACL 2019, section 3.3.
// The second term is a product of queries with one row per distance, read as an additive bias whose rows are shifted
// against each other (the paper's appendix B) through strides: nothing is moved. Costs memory (batch, heads, length,
// distances).

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <heed/attention/position.hpp>
#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/head_projections.hpp>
#include <heed/nn/relative_scores.hpp>

namespace heed::inline HEED_ABI {

/// The last `length` steps of memory (batch, memory_length, model_dim) and x (batch, steps, model_dim) in a row: the
/// memory of the next segment. An empty memory has none. Throws heed::Error for shapes that do not fit.
template <Real T>
Tensor<T, 3> segment_memory(const Tensor<T, 3>& memory, const Tensor<T, 3>& x, Index length) {
  const Tensor<T, 3> all = detail::joined_segments("segment_memory", memory, x);
  const Index steps = all.dimension(1), kept = std::clamp<Index>(length, 0, steps);
  return all.slice(Extents<3>{0, steps - kept, 0}, Extents<3>{all.dimension(0), kept, all.dimension(2)});
}

template <class T>
struct RelativeMultiHeadAttention {
  struct Config {
    Index model_dim = 0, heads = 1;
    Index head_dim = 0;                      // model_dim / heads when 0
    RelativeKeys keys = RelativeKeys::past;  // past: causal over memory and segment
    Bias bias = Bias::no;                    // of the projections
    double dropout = 0;                      // of the weights
  };
  /// Of one call; everything is read in place and must outlive it.
  struct Options {
    Mask mask = {};               // over (batch, heads, length, memory_length + length), besides the causal one
    Rng* rng = nullptr;           // training: dropout draws from it; null: evaluation
    bool return_weights = false;  // those before dropout
  };
  struct Result {
    Tensor<T, 3> output;   // (batch, length, model_dim)
    Tensor<T, 4> weights;  // (batch, heads, length, memory_length + length), or empty
  };
  struct Gradients {
    Tensor<T, 3> x, memory;  // in the shapes of the inputs
  };
  /// What backward needs of one forward.
  struct Cache {
    Tensor<T, 3> x;                  // (batch, memory_length + length, model_dim)
    Tensor<T, 3> query, key, value;  // projected: (batch, .., heads head_dim)
    Tensor<T, 3> attended;           // (batch, length, heads head_dim)
    Tensor<T, 3> logsumexp;          // (batch, heads, length)
    detail::RelativeScores<T> positions;
    AttentionDropout dropout;
  };

  HeadProjections<T> in_proj;  // of queries from x, of keys and values from memory and x
  Dense<T> relative_proj;      // W_r: (heads head_dim, model_dim)
  Tensor<T, 2> content_bias;   // u: (heads, head_dim)
  Tensor<T, 2> position_bias;  // v: (heads, head_dim)
  Dense<T> out_proj;
  Config config;

  static void fields(auto&& visit, auto&... self) {
    visit("", self.in_proj...);
    visit("relative_proj", self.relative_proj...);
    visit("content_bias", self.content_bias..., Role::no_decay);
    visit("position_bias", self.position_bias..., Role::no_decay);
    visit("out_proj", self.out_proj...);
  }

  RelativeMultiHeadAttention() = default;
  /// Glorot's uniform weights, u, v and biases of zeros. Throws heed::Error for sizes that do not fit.
  RelativeMultiHeadAttention(const Config& given, Rng& rng) : config(given) {
    check(config.model_dim > 0 && config.model_dim % 2 == 0 && config.heads > 0, [&] {
      return "RelativeMultiHeadAttention: model_dim is " + std::to_string(config.model_dim) + " and heads " +
             std::to_string(config.heads) + ", wanted a positive even one and at least 1";
    });
    check(config.head_dim > 0 || config.model_dim % config.heads == 0, [&] {
      return "RelativeMultiHeadAttention: model_dim is " + std::to_string(config.model_dim) +
             ", wanted a multiple of the " + std::to_string(config.heads) + " heads, or a head_dim";
    });
    if (config.head_dim == 0) config.head_dim = config.model_dim / config.heads;
    const Index in = config.model_dim, width = config.heads * config.head_dim;
    in_proj = HeadProjections<T>({in, in, in, width, width, width}, config.bias, rng);
    relative_proj = Dense<T>({in, width, Bias::no}, rng);
    content_bias = position_bias = zeros<T, 2>({config.heads, config.head_dim});
    out_proj = Dense<T>({width, in, config.bias}, rng);
  }

  /// x (batch, length, model_dim), memory (batch, memory_length, model_dim) or an empty tensor. cache null: inference.
  /// Throws heed::Error before any work.
  Result forward(const Tensor<T, 3>& x, const Tensor<T, 3>& memory = {}, const Options& options = {},
                 Cache* cache = nullptr, ExecutorRef executor = default_executor()) const {
    Cache local;
    Cache& state = cache ? *cache : local;
    check_shape("RelativeMultiHeadAttention::forward", "x", extents(x), Extents<3>{-1, -1, out_proj.out_features()});
    state.x = detail::joined_segments("RelativeMultiHeadAttention::forward", memory, x);
    const Index batch = x.dimension(0), length = x.dimension(1), keys = state.x.dimension(1);
    const Index width = config.heads * config.head_dim;
    state.query.resize(batch, length, width);
    state.key.resize(batch, keys, width);
    state.value.resize(batch, keys, width);
    in_proj.forward_into(HeadInput::query, x, state.query, executor);
    in_proj.forward_into(HeadInput::key, state.x, state.key, executor);
    in_proj.forward_into(HeadInput::value, state.x, state.value, executor);
    state.positions.encode(config.keys, length, keys, config.model_dim);
    state.positions.project(relative_proj, executor);
    state.dropout = options.rng ? AttentionDropout{config.dropout, options.rng->next()} : AttentionDropout{};
    Result result;
    if (options.return_weights) result.weights.resize(batch, config.heads, length, keys);
    attend_segment(state, options.mask, result.weights, executor);
    result.output = out_proj.forward(state.attended, nullptr, executor);
    return result;
  }

  /// d_output (batch, length, model_dim) and the forward's options -> gradients of x and memory; adds to grad.
  Gradients backward(const Tensor<T, 3>& d_output, const Cache& cache, const Options& options,
                     RelativeMultiHeadAttention& grad, ExecutorRef executor = default_executor()) const {
    check_shape("RelativeMultiHeadAttention::backward", "d_output", extents(d_output),
                Extents<3>{cache.query.dimension(0), cache.query.dimension(1), out_proj.out_features()});
    Tensor<T, 3> d_attended(extents(cache.attended)), d_query(extents(cache.query)), d_key(extents(cache.key)),
        d_value(extents(cache.value));
    Tensor<T, 4> d_bias(cache.positions.bias(config.heads).extents);
    out_proj.backward_into(as_matrix(d_output), as_matrix(cache.attended), grad.out_proj, as_matrix(d_attended),
                           executor);
    attend_segment_back({detail::split_heads<T>(d_query, config.heads), detail::split_heads<T>(d_key, config.heads),
                         detail::split_heads<T>(d_value, config.heads), d_bias},
                        d_attended, cache, options.mask, executor);
    detail::add_head_bias_gradient(d_query, grad.content_bias);
    const Tensor<T, 3> biased = detail::with_head_bias(cache.query, position_bias, scale());
    Tensor<T, 3> d_biased = cache.positions.backward(d_bias, biased, relative_proj, grad.relative_proj, executor);
    d_biased = d_biased * scale();
    detail::add_head_bias_gradient(d_biased, grad.position_bias);
    d_query += d_biased;
    return project_back(cache, d_query, d_key, d_value, grad, executor);
  }

 private:
  T scale() const { return T(1) / std::sqrt(static_cast<T>(config.head_dim)); }
  Mask visible(const Mask& mask, Index memory_length) const {
    return config.keys == RelativeKeys::past ? mask & causal_offset(memory_length) : mask;
  }
  AttentionOptions<T> attention(const Cache& cache, const Mask& mask) const {
    AttentionOptions<T> options{.scale = scale(),
                                .mask = visible(mask, cache.key.dimension(1) - cache.query.dimension(1)),
                                .dropout = cache.dropout,
                                .path = QueryPath::block};
    options.bias = cache.positions.bias(config.heads);
    return options;
  }
  void attend_segment(Cache& state, const Mask& mask, Tensor<T, 4>& weights, ExecutorRef executor) const {
    const Index batch = state.query.dimension(0), length = state.query.dimension(1);
    state.positions.score(detail::with_head_bias(state.query, position_bias, scale()), config.heads, executor);
    const Tensor<T, 3> content = detail::with_head_bias(state.query, content_bias, T(1));
    state.attended.resize(batch, length, state.query.dimension(2));
    state.logsumexp.resize(batch, config.heads, length);
    AttentionOutputs<T> target{.output = detail::split_heads<T>(state.attended, config.heads),
                               .logsumexp = state.logsumexp};
    if (weights.size() > 0) target.weights = weights;
    const View<const T, 4> query = detail::split_heads<const T>(content, config.heads), key = keys(state.key);
    const AttentionOptions<T> options = attention(state, mask);
    Workspace& workspace = detail::thread_workspace();
    workspace.reserve(
        workspace_bytes<T>(attention_shape<T>(query, key, keys(state.value)), options, executor.concurrency()));
    workspace.reset();
    attend_into<T>(target, query, key, keys(state.value), options, workspace, executor);
  }
  void attend_segment_back(const AttentionGradientViews<T>& grad, const Tensor<T, 3>& d_attended, const Cache& cache,
                           const Mask& mask, ExecutorRef executor) const {
    auto& read = const_cast<Cache&>(cache);  // outputs are views that could be written to; here they are read
    const AttentionOutputs<T> forward{.output = detail::split_heads<T>(read.attended, config.heads),
                                      .logsumexp = read.logsumexp};
    const Tensor<T, 3> content = detail::with_head_bias(cache.query, content_bias, T(1));
    const View<const T, 4> query = detail::split_heads<const T>(content, config.heads), key = keys(cache.key);
    const AttentionOptions<T> options = attention(cache, mask);
    Workspace& workspace = detail::thread_workspace();
    workspace.reserve(backward_workspace_bytes<T>(attention_shape<T>(query, key, keys(cache.value)), options,
                                                  executor.concurrency()));
    workspace.reset();
    attend_backward_into<T>(grad, detail::split_heads<const T>(d_attended, config.heads), query, key, keys(cache.value),
                            forward, options, workspace, executor);
  }
  View<const T, 4> keys(const Tensor<T, 3>& projected) const {
    return detail::split_heads<const T>(projected, config.heads);
  }

  /// From projections to x and memory: x is what queries came from and the last part of what keys and values came from.
  Gradients project_back(const Cache& cache, const Tensor<T, 3>& d_query, const Tensor<T, 3>& d_key,
                         const Tensor<T, 3>& d_value, RelativeMultiHeadAttention& grad, ExecutorRef executor) const {
    const Index batch = cache.x.dimension(0), length = d_query.dimension(1), past = cache.x.dimension(1) - length;
    const Index width = cache.x.dimension(2);
    const Tensor<T, 3> x = cache.x.slice(Extents<3>{0, past, 0}, Extents<3>{batch, length, width});
    Tensor<T, 3> d_x(extents(x)), d_all(extents(cache.x));
    const auto back = [&](HeadInput which, const Tensor<T, 3>& d, const Tensor<T, 3>& input, Tensor<T, 3>& d_input,
                          Accumulate add) {
      in_proj.backward_into(which, as_matrix(d), as_matrix(input), grad.in_proj, as_matrix(d_input), add, executor);
    };
    back(HeadInput::query, d_query, x, d_x, Accumulate::no);
    back(HeadInput::key, d_key, cache.x, d_all, Accumulate::no);
    back(HeadInput::value, d_value, cache.x, d_all, Accumulate::yes);
    d_x += d_all.slice(Extents<3>{0, past, 0}, Extents<3>{batch, length, width});
    return {std::move(d_x), d_all.slice(Extents<3>{0, 0, 0}, Extents<3>{batch, past, width})};
  }
};

}  // namespace heed::inline HEED_ABI
