#pragma once
// Attention over a packed batch: sequences of different lengths one behind the other, without padding. Sequence s has
// the tokens [cumulative[s], cumulative[s + 1]) of the packed tensors, and attends to itself alone (SEMANTICS 13): the
// result has the bits of one call per sequence.

#include <heed/attention/scaled_dot_product_backward.hpp>

namespace heed::inline HEED_ABI {

/// Where the sequences of a packed batch begin: batch + 1 numbers from 0 up to the number of tokens, never decreasing.
struct RaggedLayout {
  std::span<const Index> queries;
  std::span<const Index> keys;
};

/// What attend_ragged() returns.
template <Real T>
struct RaggedResult {
  Tensor<T, 3> output;     // (query tokens, heads, value_dim)
  Tensor<T, 2> logsumexp;  // (heads, query tokens), where the options ask for it
};

/// What attend_ragged_backward() returns, packed as the inputs; sink is empty when the call had none.
template <Real T>
struct RaggedGradients {
  Tensor<T, 3> query, key, value;
  Tensor<T, 1> sink;
};

namespace detail {

inline void check_cumulative(const char* function, const char* argument, std::span<const Index> starts, Index tokens) {
  check(!starts.empty() && starts.front() == 0 && starts.back() == tokens && std::ranges::is_sorted(starts), [&] {
    return argument_text(function, argument) + " must hold batch + 1 numbers from 0 up to " + std::to_string(tokens) +
           " (tokens), none below the one before it";
  });
}

/// What of the options a packed batch can have: what names a sample's own rows and columns cannot be packed.
template <class T>
void check_ragged(const char* function, const View<const T, 3>& query, const View<const T, 3>& key,
                  const RaggedLayout& layout, const AttentionOptions<T>& options) {
  check_input(function, "query", query);
  check_input(function, "key", key);
  check_cumulative(function, "layout.queries", layout.queries, query.dimension(0));
  check_cumulative(function, "layout.keys", layout.keys, key.dimension(0));
  check(layout.queries.size() == layout.keys.size(), [&] {
    return argument_text(function, "layout") + " has " + std::to_string(layout.queries.size()) + " query and " +
           std::to_string(layout.keys.size()) + " key numbers, wanted as many of both";
  });
  const Mask& mask = options.mask;
  check(!mask.key_lengths && !mask.query_lengths && !mask.boolean && !mask.segments && !options.bias, [&] {
    return argument_text(function, "options") +
           " has lengths, segments, a boolean mask or a bias, wanted causal corners and windows only: the layout says "
           "where sequences end";
  });
  check(mask.offsets.empty() || mask.offsets.size() + 1 == layout.queries.size(), [&] {
    return argument_text(function, "causal_offset") + " has " + std::to_string(mask.offsets.size()) +
           " entries, wanted " + std::to_string(layout.queries.size() - 1) + " (batch)";
  });
}

/// Tokens [starts[s], starts[s + 1]) of x (tokens, heads, dim) as (1, heads, length, dim).
template <class T>
View<T, 4> sequence(const View<T, 3>& x, std::span<const Index> starts, std::size_t s) {
  return {x.data + starts[s] * x.stride(0),
          {1, x.dimension(1), starts[s + 1] - starts[s], x.dimension(2)},
          {0, x.stride(1), x.stride(0), x.stride(2)}};
}
/// Of x (heads, tokens) as (1, heads, length).
template <class T>
View<T, 3> sequence(const View<T, 2>& x, std::span<const Index> starts, std::size_t s) {
  return {x.data + starts[s], {1, x.dimension(0), starts[s + 1] - starts[s]}, {0, x.stride(0), 1}};
}

/// Calls f(call, s) for every sequence.
template <class T, class F>
void for_each_sequence(const char* function, const View<const T, 3>& query, const View<const T, 3>& key,
                       const View<const T, 3>& value, const RaggedLayout& layout, const AttentionOptions<T>& options,
                       const ScoreModifier<T>* modifier, const F& f) {
  for (std::size_t s = 0; s + 1 < layout.queries.size(); ++s) {
    AttentionOptions<T> own = options;
    if (!options.mask.offsets.empty()) own.mask.offsets = options.mask.offsets.subspan(s, 1);
    AttentionCall<T> call(function, sequence(query, layout.queries, s), sequence(key, layout.keys, s),
                          sequence(value, layout.keys, s), own, modifier);
    call.first_sample = static_cast<Index>(s);
    f(call, s);
  }
}

template <Real T>
RaggedResult<T> attend_ragged_views(const View<const T, 3>& query, const View<const T, 3>& key,
                                    const View<const T, 3>& value, const RaggedLayout& layout,
                                    const AttentionOptions<T>& options, ExecutorRef executor,
                                    const ScoreModifier<T>* modifier) {
  const char* const function = "attend_ragged";
  check_ragged(function, query, key, layout, options);
  check_input(function, "value", value);
  check_shape(function, "value", Extents<2>{value.dimension(0), value.dimension(1)},
              Extents<2>{key.dimension(0), key.dimension(1)});
  const auto for_each = [&](const auto& f) {
    for_each_sequence<T>(function, query, key, value, layout, options, modifier, f);
  };
  for_each([](const auto&, std::size_t) {});  // checks all
  RaggedResult<T> result;
  result.output.resize(query.dimension(0), query.dimension(1), value.dimension(2));
  if (options.return_logsumexp) result.logsumexp.resize(query.dimension(1), query.dimension(0));
  for_each([&](const AttentionCall<T>& call, std::size_t s) {
    AttentionOutputs<T> target{.output = sequence(View<T, 3>(result.output), layout.queries, s)};
    if (options.return_logsumexp) target.logsumexp = sequence(View<T, 2>(result.logsumexp), layout.queries, s);
    Workspace& workspace = thread_workspace();
    workspace.reserve(workspace_bytes<T>(call.shape, options, executor.concurrency()));
    workspace.reset();
    run_forward(call, target, workspace, executor);
  });
  return result;
}

template <Real T>
RaggedGradients<T> attend_ragged_backward_views(const View<const T, 3>& d_output, const View<const T, 3>& query,
                                                const View<const T, 3>& key, const View<const T, 3>& value,
                                                const RaggedLayout& layout, const RaggedResult<T>& forward,
                                                const AttentionOptions<T>& options, ExecutorRef executor,
                                                const ScoreModifier<T>* modifier, const ParameterParts& parameters) {
  const char* const function = "attend_ragged_backward";
  check_ragged(function, query, key, layout, options);
  const Index tokens = query.dimension(0), heads = query.dimension(1);
  check_shape(function, "d_output", d_output.extents, Extents<3>{tokens, heads, value.dimension(2)});
  check_input(function, "d_output", d_output);
  check_shape(function, "forward.output", extents(forward.output), d_output.extents);
  check_shape(function, "forward.logsumexp", extents(forward.logsumexp), Extents<2>{heads, tokens});
  RaggedGradients<T> grad{zeros<T, 3>(query.extents), zeros<T, 3>(key.extents), zeros<T, 3>(value.extents), {}};
  if (options.sink.data) grad.sink = zeros<T, 1>({heads});
  const auto run = [&](const AttentionCall<T>& call, std::size_t s) {
    Tensor<T, 1> sink = zeros<T, 1>({options.sink.data ? heads : 0});
    const auto of_keys = [&](Tensor<T, 3>& x) { return sequence(View<T, 3>(x), layout.keys, s); };
    const BackwardTarget<T> target{sequence(d_output, layout.queries, s),
                                   sequence(View<const T, 3>(forward.output), layout.queries, s),
                                   sequence(View<const T, 2>(forward.logsumexp), layout.queries, s),
                                   sequence(View<T, 3>(grad.query), layout.queries, s),
                                   of_keys(grad.key),
                                   of_keys(grad.value),
                                   {},
                                   options.sink.data ? sink.data() : nullptr,
                                   parameters};
    run_backward(call, target, executor);
    add_row(grad.sink.data(), sink.data(), sink.size());
  };
  for_each_sequence<T>(function, query, key, value, layout, options, modifier, run);
  return grad;
}

}  // namespace detail

/// A tensor, TensorMap or view (tokens, heads, dim) with elements T.
template <class X, class T>
concept RaggedInput = TensorLike<X, 3> && std::same_as<scalar_t<X>, T>;

/// query (query tokens, heads, head_dim), key (key tokens, kv_heads, head_dim), value (key tokens, kv_heads,
/// value_dim).
/// Options as attend has them, but for what names a sample's own rows and columns (lengths, boolean masks, segments,
/// biases): causal corners are those of each sequence. Callables (modifier.hpp), and an executor before them, come last.
/// Throws heed::Error before anything is computed.
template <TensorLike<3> Q, RaggedInput<scalar_t<Q>> K, RaggedInput<scalar_t<Q>> V, AttentionCallable<scalar_t<Q>>... F>
RaggedResult<scalar_t<Q>> attend_ragged(const Q& query, const K& key, const V& value, const RaggedLayout& layout,
                                        const AttentionOptions<scalar_t<Q>>& options, ExecutorRef executor,
                                        const F&... callables) {
  const detail::Callables<scalar_t<Q>, F...> own(callables...);
  return detail::attend_ragged_views<scalar_t<Q>>(query, key, value, layout, options, executor, own.modifier());
}
template <TensorLike<3> Q, RaggedInput<scalar_t<Q>> K, RaggedInput<scalar_t<Q>> V, AttentionCallable<scalar_t<Q>>... F>
RaggedResult<scalar_t<Q>> attend_ragged(const Q& query, const K& key, const V& value, const RaggedLayout& layout,
                                        const AttentionOptions<scalar_t<Q>>& options = {}, const F&... callables) {
  return heed::attend_ragged(query, key, value, layout, options, default_executor(), callables...);
}

/// Gradients for d_output (query tokens, heads, value_dim), given what attend_ragged returned with return_logsumexp and the
/// same callables: score(f, grad) adds the gradient of f's parameters to grad.
template <TensorLike<3> D, RaggedInput<scalar_t<D>> Q, RaggedInput<scalar_t<D>> K, RaggedInput<scalar_t<D>> V,
          AttentionCallable<scalar_t<D>>... F>
RaggedGradients<scalar_t<D>> attend_ragged_backward(const D& d_output, const Q& query, const K& key, const V& value,
                                                    const RaggedLayout& layout,
                                                    const RaggedResult<scalar_t<D>>& forward,
                                                    const AttentionOptions<scalar_t<D>>& options, ExecutorRef executor,
                                                    const F&... callables) {
  detail::Callables<scalar_t<D>, F...> own(callables...);
  return detail::attend_ragged_backward_views<scalar_t<D>>(d_output, query, key, value, layout, forward, options,
                                                           executor, own.modifier(), own.parameters());
}
template <TensorLike<3> D, RaggedInput<scalar_t<D>> Q, RaggedInput<scalar_t<D>> K, RaggedInput<scalar_t<D>> V,
          AttentionCallable<scalar_t<D>>... F>
RaggedGradients<scalar_t<D>> attend_ragged_backward(const D& d_output, const Q& query, const K& key, const V& value,
                                                    const RaggedLayout& layout,
                                                    const RaggedResult<scalar_t<D>>& forward,
                                                    const AttentionOptions<scalar_t<D>>& options = {},
                                                    const F&... callables) {
  return heed::attend_ragged_backward(d_output, query, key, value, layout, forward, options, default_executor(),
                                      callables...);
}

}  // namespace heed::inline HEED_ABI
