#pragma once
// Multi-head attention: output = concat_h(softmax(scale Q_h K_h^T + ...) V_h) W_o^T + b_o, where Q, K and V are projections of
// the inputs. Self- and cross-attention, grouped key/value heads, widths of their own for keys and values.
//   A. Vaswani et al., "Attention Is All You Need", 2017, section 3.2.2; grouped heads: J. Ainslie et al., "GQA", 2023.
// Parameters have the names of PyTorch's MultiheadAttention.

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include <heed/nn/dense.hpp>
#include <heed/nn/extra_keys.hpp>
#include <heed/nn/head_projections.hpp>
#include <heed/nn/multi_head_options.hpp>
#include <heed/nn/multi_head_passage.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct MultiHeadAttention {
  HeadProjections<T> in_proj;
  Tensor<T, 3> bias_k, bias_v;  // the learned extra key and value: (1, 1, kv_heads dim), or empty
  Dense<T> out_proj;
  MultiHeadConfig config;  // complete

  /// Keys and values projected once: what a decoder's steps read.
  struct Memory {
    Tensor<T, 3> key, value;  // (batch, key_length, kv_heads dim), the extra keys behind
  };
  /// The projected inputs, what attention made of them and what dropout drew: a backward needs these and the inputs.
  struct State : Memory {
    Tensor<T, 3> query;      // (batch, query_length, heads dim)
    Tensor<T, 3> attended;   // (batch, query_length, heads value_dim)
    Tensor<T, 3> logsumexp;  // (batch, heads, query_length)
    AttentionDropout dropout;
    QueryPath path = QueryPath::by_length;  // steps; a forward takes block, whatever its length (SEMANTICS 27)
  };
  /// State and copies of the inputs; an input that was given twice is kept once.
  struct Cache : State {
    Tensor<T, 3> query_input, key_input, value_input;
  };
  /// Contiguous inputs (batch, length, dim). Two that are the same memory are one input.
  struct Inputs {
    View<const T, 3> query, key, value;
  };

  /// The weights in the order in which products read them: for a decoder's steps, made once per model.
  struct Packed {
    typename HeadProjections<T>::Packed in_proj;
    PackedWeight<T> out_proj;
  };
  Packed pack() const { return {in_proj.pack(), out_proj.pack()}; }

  static void fields(auto&& visit, auto&... self) {
    visit("", self.in_proj...);
    visit("bias_k", self.bias_k..., Role::no_decay);
    visit("bias_v", self.bias_v..., Role::no_decay);
    visit("out_proj", self.out_proj...);
  }

  MultiHeadAttention() = default;
  /// Glorot's uniform weights, biases of zeros, a normal extra key. Throws heed::Error for sizes that do not fit.
  MultiHeadAttention(const MultiHeadConfig& given, Rng& rng) : config(given.complete()) {
    const Index key_width = config.kv_heads * config.head_dim, value_width = config.kv_heads * config.value_dim;
    in_proj = HeadProjections<T>({.query_in = config.model_dim,
                                  .key_in = config.key_dim,
                                  .value_in = config.memory_dim,
                                  .query_out = config.heads * config.head_dim,
                                  .key_out = key_width,
                                  .value_out = value_width},
                                 config.bias, rng);
    if (config.extra_keys.learned > 0) {
      normal(bias_k = Tensor<T, 3>(1, 1, key_width), 0, 1 / std::sqrt(static_cast<double>(key_width)), rng);
      normal(bias_v = Tensor<T, 3>(1, 1, value_width), 0, 1 / std::sqrt(static_cast<double>(value_width)), rng);
    }
    out_proj = Dense<T>({config.heads * config.value_dim, config.output_dim, config.bias}, rng);
  }

  /// query (batch, query_length, model_dim), key (batch, key_length, key_dim), value (batch, key_length, memory_dim) ->
  /// output (batch, query_length, output_dim). cache null: inference. packed: pack(), or null; it changes no bit. Throws
  /// heed::Error before any work.
  MultiHeadResult<T> forward(const Tensor<T, 3>& query, const Tensor<T, 3>& key, const Tensor<T, 3>& value,
                             const MultiHeadOptions<T>& options = {}, Cache* cache = nullptr,
                             ExecutorRef executor = default_executor(), const Packed* packed = nullptr) const {
    if (!cache) return infer({query, key, value}, options, executor, packed);
    MultiHeadResult<T> result = run({query, key, value}, options, *cache, executor, packed);
    cache->query_input = query;
    cache->key_input = &key == &query ? Tensor<T, 3>() : key;
    cache->value_input = &value == &key ? Tensor<T, 3>() : value;
    return result;
  }
  /// Self-attention of x.
  MultiHeadResult<T> forward(const Tensor<T, 3>& x, const MultiHeadOptions<T>& options = {}, Cache* cache = nullptr,
                             ExecutorRef executor = default_executor(), const Packed* packed = nullptr) const {
    return forward(x, x, x, options, cache, executor, packed);
  }

  /// d_output (batch, query_length, output_dim) and the forward's options -> gradients of the inputs; adds to grad.
  MultiHeadGradients<T> backward(const Tensor<T, 3>& d_output, const Cache& cache, const MultiHeadOptions<T>& options,
                                 MultiHeadAttention& grad, ExecutorRef executor = default_executor()) const {
    const Tensor<T, 3>& query = cache.query_input;
    const Tensor<T, 3>& key = cache.key_input.size() > 0 ? cache.key_input : query;
    const Tensor<T, 3>& value = cache.value_input.size() > 0 ? cache.value_input : key;
    return run_backward(d_output, {query, key, value}, cache, options, grad, executor);
  }

  /// forward for callers that keep the inputs themselves.
  MultiHeadResult<T> run(const Inputs& in, const MultiHeadOptions<T>& options, State& state,
                         ExecutorRef executor = default_executor(), const Packed* packed = nullptr) const {
    check_inputs("MultiHeadAttention::forward", in, options);
    project_memory(in.key, in.value, options, state, executor, packed);
    state.path = QueryPath::block;
    return read(in.query, keys(state), values(state), options, state, executor, packed);
  }
  /// run where no backward will follow: what lies between the inputs and the result stays in memory that the calling thread
  /// keeps, since pages that are new in every call cost up to a third of it.
  MultiHeadResult<T> infer(const Inputs& in, const MultiHeadOptions<T>& options,
                           ExecutorRef executor = default_executor(), const Packed* packed = nullptr) const {
    check_inputs("MultiHeadAttention::forward", in, options);
    const Index batch = in.query.dimension(0), length = in.query.dimension(1);
    const Index key_length = in.key.dimension(1) + config.extra_keys.count();
    const Extents<3> query{batch, length, in_proj.out(HeadInput::query)}, attended{batch, length, out_proj.in_features()},
        key{batch, key_length, in_proj.out(HeadInput::key)}, value{batch, key_length, in_proj.out(HeadInput::value)};
    std::size_t bytes = 0;
    for (const Extents<3>& e : {query, attended, key, value}) bytes += Workspace::rounded<T>(e[0] * e[1] * e[2]);
    detail::InferenceMemory memory(bytes);
    const auto take = [&](const Extents<3>& e) { return View<T, 3>(memory.take<T>(e[0] * e[1] * e[2]), e); };
    const detail::Passage<T> passage{.query = take(query), .attended = take(attended)};
    const View<T, 3> keys = take(key), values = take(value);
    project_memory_into(in.key, in.value, options, keys, values, executor, packed);
    return read_through(in.query, detail::split_heads<const T>(keys, config.kv_heads),
                        detail::split_heads<const T>(values, config.kv_heads), options, passage, executor, packed);
  }

  /// key (batch, key_length, key_dim), value (batch, key_length, memory_dim) -> memory, turned where options.rotary says.
  void project_memory(const View<const T, 3>& key, const View<const T, 3>& value, const MultiHeadOptions<T>& options,
                      Memory& memory, ExecutorRef executor = default_executor(), const Packed* packed = nullptr) const {
    const Index batch = key.dimension(0), all = key.dimension(1) + config.extra_keys.count();
    memory.key.resize(batch, all, in_proj.out(HeadInput::key));
    memory.value.resize(batch, all, in_proj.out(HeadInput::value));
    project_memory_into(key, value, options, memory.key, memory.value, executor, packed);
  }
  /// Memory as attention reads it: (batch, kv_heads, key_length, head_dim) and (.., value_dim).
  View<const T, 4> keys(const Memory& memory) const { return detail::split_heads<const T>(memory.key, config.kv_heads); }
  View<const T, 4> values(const Memory& memory) const {
    return detail::split_heads<const T>(memory.value, config.kv_heads);
  }

  /// Attention of query (batch, query_length, model_dim) to the keys and values of a Memory or a KeyValueCache. state keeps
  /// what a backward needs besides the memory. packed: pack(), or null; it changes no bit.
  MultiHeadResult<T> read(const View<const T, 3>& query, const View<const T, 4>& key, const View<const T, 4>& value,
                          const MultiHeadOptions<T>& options, State& state,
                          ExecutorRef executor = default_executor(), const Packed* packed = nullptr) const {
    const Index batch = query.dimension(0), length = query.dimension(1);
    state.query.resize(batch, length, in_proj.out(HeadInput::query));
    state.attended.resize(batch, length, out_proj.in_features());
    state.logsumexp.resize(batch, config.heads, length);
    const detail::Passage<T> passage{state.query, state.attended, state.logsumexp, &state.dropout, state.path};
    return read_through(query, key, value, options, passage, executor, packed);
  }

  /// backward for callers that keep the inputs themselves.
  MultiHeadGradients<T> run_backward(const Tensor<T, 3>& d_output, const Inputs& in, const State& state,
                                     const MultiHeadOptions<T>& options, MultiHeadAttention& grad,
                                     ExecutorRef executor = default_executor()) const {
    const char* const function = "MultiHeadAttention::backward";
    check_inputs(function, in, options);
    const Index batch = in.query.dimension(0), length = in.query.dimension(1), key_length = state.key.dimension(1);
    check_shape(function, "d_output", extents(d_output), Extents<3>{batch, length, out_proj.out_features()});
    check_shape(function, "cache.query", extents(state.query), Extents<3>{batch, length, in_proj.out(HeadInput::query)});
    const detail::WidenedScores<T> scores(function, options.mask, options.bias,
                                          {batch, config.heads, length, key_length}, config.extra_keys.count());
    AttentionOptions<T> attention = options.attention(scores, state.dropout);
    attention.path = state.path;
    Tensor<T, 3> d_attended(extents(state.attended)), d_query(extents(state.query)), d_key(extents(state.key)),
        d_value(extents(state.value));
    out_proj.backward_into(as_matrix(d_output), as_matrix(state.attended), grad.out_proj, as_matrix(d_attended), executor);
    MultiHeadGradients<T> result;
    AttentionGradientViews<T> heads{.query = detail::split_heads<T>(d_query, config.heads),
                                    .key = detail::split_heads<T>(d_key, config.kv_heads),
                                    .value = detail::split_heads<T>(d_value, config.kv_heads)};
    if (attention.bias) heads.bias = result.bias = Tensor<T, 4>(attention.bias.view.extents);
    detail::attend_heads_back<T>(heads, d_attended, config.heads, state, keys(state), values(state), attention,
                                 options.callables, executor);
    if (attention.bias) result.bias = detail::narrow_bias(std::move(result.bias), options.bias.view.extents, config.extra_keys.count());
    if (options.collect_d_bias) detail::collect_bias(result.bias, *options.collect_d_bias);
    detail::turn_heads(detail::Turn::backward, heads.query, options, executor);
    detail::turn_heads(detail::Turn::backward, heads.key, options, executor);
    detail::take_extra_keys(d_key, config.extra_keys.count(), grad.bias_k);
    detail::take_extra_keys(d_value, config.extra_keys.count(), grad.bias_v);
    project_back(in, {d_query, d_key, d_value}, grad, result, executor);
    return result;
  }

 private:
  /// project_memory into key and value (batch, key_length, kv_heads dim), contiguous.
  void project_memory_into(const View<const T, 3>& key, const View<const T, 3>& value, const MultiHeadOptions<T>& options,
                           const View<T, 3>& projected_key, const View<T, 3>& projected_value, ExecutorRef executor,
                           const Packed* packed) const {
    const auto project = [&](HeadInput which, const View<const T, 3>& x, const Tensor<T, 3>& learned, const View<T, 3>& y) {
      in_proj.forward_into(which, x, y, executor, packed ? &packed->in_proj : nullptr);
      for (Index b = 0; b < y.dimension(0); ++b) {
        T* const extra = y.data + b * y.stride(0) + x.dimension(1) * y.stride(1);
        std::copy_n(learned.data(), learned.size(), extra);
        std::fill(extra + learned.size(), y.data + (b + 1) * y.stride(0), T(0));
      }
    };
    project(HeadInput::key, key, bias_k, projected_key);
    project(HeadInput::value, value, bias_v, projected_value);
    detail::turn_heads(detail::Turn::forward, detail::split_heads<T>(projected_key, config.kv_heads), options, executor);
  }
  /// read with its memory given.
  MultiHeadResult<T> read_through(const View<const T, 3>& query, const View<const T, 4>& key, const View<const T, 4>& value,
                                  const MultiHeadOptions<T>& options, const detail::Passage<T>& passage,
                                  ExecutorRef executor, const Packed* packed) const {
    const Index batch = query.dimension(0), length = query.dimension(1), key_length = key.dimension(2);
    const detail::WidenedScores<T> scores("MultiHeadAttention::forward", options.mask, options.bias,
                                          {batch, config.heads, length, key_length}, config.extra_keys.count());
    AttentionDropout dropout = {};
    if (options.rng) dropout = {config.dropout, options.rng->next()};
    if (passage.dropout) *passage.dropout = dropout;
    in_proj.forward_into(HeadInput::query, query, passage.query, executor, packed ? &packed->in_proj : nullptr);
    detail::turn_heads(detail::Turn::forward, detail::split_heads<T>(passage.query, config.heads), options, executor);
    MultiHeadResult<T> result;
    if (options.return_weights || options.collect_weights)
      result.weights = Tensor<T, 4>(batch, config.heads, length, key_length);
    detail::attend_heads<T>(passage, config.heads, key, value, options.attention(scores, dropout), result.weights,
                            options.callables, executor);
    if (options.collect_weights) options.collect_weights->push_back(result.weights);
    result.output.resize(batch, length, out_proj.out_features());
    out_proj.forward_into(as_matrix(View<const T, 3>(passage.attended)), as_matrix(result.output), executor,
                          packed ? &packed->out_proj : nullptr);
    return result;
  }
  void check_inputs(const char* function, const Inputs& in, const MultiHeadOptions<T>& options) const {
    check(config.heads > 0 && config.model_dim > 0,
          [&] { return std::string(function) + ": the layer has no sizes, wanted MultiHeadAttention(config, rng)"; });
    const Index batch = in.query.dimension(0);
    check_shape(function, "query", in.query.extents, Extents<3>{-1, -1, config.model_dim});
    check_shape(function, "key", in.key.extents, Extents<3>{batch, -1, config.key_dim});
    check_shape(function, "value", in.value.extents, Extents<3>{batch, in.key.dimension(1), config.memory_dim});
    check(!options.rotary || config.extra_keys.count() == 0, [&] {
      return std::string(function) + ": options.rotary is given with extra keys, wanted one of them: those have no position";
    });
  }
  /// From projections to inputs; inputs that are one have one gradient.
  void project_back(const Inputs& in, const std::array<std::reference_wrapper<const Tensor<T, 3>>, 3>& d_projected,
                    MultiHeadAttention& grad, MultiHeadGradients<T>& result, ExecutorRef executor) const {
    const View<const T, 3>* const inputs[3] = {&in.query, &in.key, &in.value};
    Tensor<T, 3>* targets[3] = {&result.query, &result.key, &result.value};
    for (std::size_t i = 0; i < 3; ++i) {
      const bool again = i > 0 && inputs[i]->data == inputs[i - 1]->data && inputs[i]->extents == inputs[i - 1]->extents;
      if (again)
        targets[i] = targets[i - 1];
      else
        targets[i]->resize(inputs[i]->extents);
      in_proj.backward_into(static_cast<HeadInput>(i), as_matrix(d_projected[i].get()), as_matrix(*inputs[i]), grad.in_proj,
                            as_matrix(*targets[i]), again ? Accumulate::yes : Accumulate::no, executor);
    }
  }
};

}  // namespace heed::inline HEED_ABI
