#pragma once
// Scaled dot-product attention: softmax(scale Q K^T + bias, over the keys that the mask allows) V.
//   A. Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1. Fused as in kernels/flash_forward.hpp and
//   flash_backward.hpp: memory beyond inputs and results does not grow with the lengths (the backward keeps one number
//   per query). Meaning of every option, empty rows and NaN: docs of mask.hpp and options.hpp.

#include <utility>

#include <heed/attention/modifier.hpp>
#include <heed/attention/run_forward.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/core/workspace.hpp>

namespace heed::inline HEED_ABI {

/// The size of a Workspace that attend_into needs for calls of this shape (or with smaller head and value dims) on an
/// executor of this concurrency, with these options.
template <Real T>
std::size_t workspace_bytes(const AttentionShape& shape, const AttentionOptions<T>& options, Index concurrency) {
  return detail::forward_bytes<T>(shape.with_path(options.path), concurrency);
}

/// The shape of a call with these views, checked.
template <Real T>
AttentionShape attention_shape(const View<const T, 4>& query, const View<const T, 4>& key,
                               const View<const T, 4>& value) {
  return detail::check_attention_shape("attention_shape", query, key, value);
}

/// Attention into the caller's memory, without heap or locks of its own. query (batch, heads, query_length, head_dim),
/// key (batch, kv_heads, key_length, head_dim), value (batch, kv_heads, key_length, value_dim), any strides; heads is a
/// multiple of kv_heads. Outputs: rows contiguous, apart from the inputs and each other; the others
/// are written where their view is given (the return_* options are not read). Callables: modifier.hpp. Throws heed::Error
/// before any write.
template <Real T, AttentionCallable<T>... F>
void attend_into(const AttentionOutputs<T>& outputs, const std::type_identity_t<View<const T, 4>>& query,
                 const std::type_identity_t<View<const T, 4>>& key, const std::type_identity_t<View<const T, 4>>& value,
                 const std::type_identity_t<AttentionOptions<T>>& options, Workspace& workspace, ExecutorRef executor,
                 const F&... callables) {
  const detail::Callables<T, F...> own(callables...);
  const AttentionCall<T> call("attend_into", query, key, value, options, own.modifier());
  detail::OutputCheck<T>("attend_into", call).check(outputs);
  const std::size_t wanted = workspace_bytes<T>(call.shape, options, executor.concurrency());
  check(workspace.size() - workspace.used() >= wanted, [&] {
    return message({"attend_into: workspace has ", static_cast<Index>(workspace.size() - workspace.used()),
                    " free bytes, wanted ", static_cast<Index>(wanted), " (workspace_bytes)"});
  });
  detail::run_forward(call, outputs, workspace, executor);
}

namespace detail {

/// The workspace of calls that are given none: the thread's own, grown when needed and then kept.
inline Workspace& thread_workspace() {
  thread_local Workspace workspace;
  return workspace;
}

/// Memory for a result that is wanted, and its view.
template <class T, int Rank>
[[gnu::noinline]] void make_output(bool wanted, const Extents<Rank>& extents, Tensor<T, Rank>& tensor,
                                   View<T, Rank>& view) {
  if (!wanted) return;
  tensor.resize(extents);
  view = tensor;
}

/// Memory for what the options ask for.
template <Real T>
AttentionOutputs<T> make_outputs(AttentionResult<T>& result, const AttentionShape& shape,
                                 const AttentionOptions<T>& options) {
  AttentionOutputs<T> target;
  make_output(true, shape.output(), result.output, target.output);
  make_output(options.return_weights, shape.weights(), result.weights, target.weights);
  make_output(options.return_logsumexp, shape.logsumexp(), result.logsumexp, target.logsumexp);
  make_output(options.return_row_max, shape.logsumexp(), result.row_max, target.row_max);
  make_output(options.return_entropy, shape.logsumexp(), result.entropy, target.entropy);
  make_output(options.return_key_sums, shape.key_sums(), result.key_sums, target.key_sums);
  return target;
}

/// Runs a call in the thread's own workspace.
template <Real T>
void run_call(const AttentionCall<T>& call, const AttentionOutputs<T>& target, ExecutorRef executor) {
  Workspace& workspace = thread_workspace();
  workspace.reserve(forward_bytes<T>(call.shape, executor.concurrency()));
  workspace.reset();
  run_forward(call, target, workspace, executor);
}

template <Real T>
AttentionResult<T> attend_views(const char* function, const View<const T, 4>& query, const View<const T, 4>& key,
                                const View<const T, 4>& value, const AttentionOptions<T>& options,
                                ExecutorRef executor, const ScoreModifier<T>* modifier = nullptr) {
  const AttentionCall<T> call(function, query, key, value, options, modifier);
  AttentionResult<T> result;
  const AttentionOutputs<T> target = make_outputs(result, call.shape, options);
  run_call(call, target, executor);
  return result;
}

/// The output alone: a file that asks for no more compiles no more.
template <Real T>
Tensor<T, 4> attention_output(const char* function, const View<const T, 4>& query, const View<const T, 4>& key,
                              const View<const T, 4>& value, const AttentionOptions<T>& options, ExecutorRef executor,
                              const ScoreModifier<T>* modifier = nullptr) {
  const AttentionCall<T> call(function, query, key, value, options, modifier);
  Tensor<T, 4> output;
  output.resize(call.shape.output());
  run_call(call, {.output = output}, executor);
  return output;
}

}  // namespace detail

/// A tensor, TensorMap or view (batch, heads, length, dim) with elements T.
template <class X, class T>
concept AttentionInput = TensorLike<X, 4> && std::same_as<scalar_t<X>, T>;

/// Attention with everything that can be asked for: .output, and .weights, .logsumexp, ... where the options say so.
/// Shapes as attend_into; query, key and value are tensors, TensorMaps or views of the same element type, in any
/// layout. Callables of one's own, and an executor before them, come last: modifier.hpp.
template <TensorLike<4> Q, AttentionInput<scalar_t<Q>> K, AttentionInput<scalar_t<Q>> V,
          AttentionCallable<scalar_t<Q>>... F>
AttentionResult<scalar_t<Q>> attend(const Q& query, const K& key, const V& value,
                                    const AttentionOptions<scalar_t<Q>>& options, ExecutorRef executor,
                                    const F&... callables) {
  const detail::Callables<scalar_t<Q>, F...> own(callables...);
  return detail::attend_views<scalar_t<Q>>("attend", query, key, value, options, executor, own.modifier());
}
template <TensorLike<4> Q, AttentionInput<scalar_t<Q>> K, AttentionInput<scalar_t<Q>> V,
          AttentionCallable<scalar_t<Q>>... F>
AttentionResult<scalar_t<Q>> attend(const Q& query, const K& key, const V& value,
                                    const AttentionOptions<scalar_t<Q>>& options = {}, const F&... callables) {
  return heed::attend(query, key, value, options, default_executor(), callables...);
}

/// The output of attention alone. Options that ask for more are refused: attend returns it.
template <TensorLike<4> Q, AttentionInput<scalar_t<Q>> K, AttentionInput<scalar_t<Q>> V,
          AttentionCallable<scalar_t<Q>>... F>
Tensor<scalar_t<Q>, 4> scaled_dot_product_attention(const Q& query, const K& key, const V& value,
                                                    const AttentionOptions<scalar_t<Q>>& options, ExecutorRef executor,
                                                    const F&... callables) {
  const char* const function = "scaled_dot_product_attention";
  const bool more = options.return_weights || options.return_logsumexp || options.return_row_max ||
                    options.return_entropy || options.return_key_sums;
  check(!more, [&] {
    return message({function, ": a return_* option (return_weights, return_logsumexp, ...) is set, wanted none: attend "
                              "returns them"});
  });
  const detail::Callables<scalar_t<Q>, F...> own(callables...);
  return detail::attention_output<scalar_t<Q>>(function, query, key, value, options, executor, own.modifier());
}
template <TensorLike<4> Q, AttentionInput<scalar_t<Q>> K, AttentionInput<scalar_t<Q>> V,
          AttentionCallable<scalar_t<Q>>... F>
Tensor<scalar_t<Q>, 4> scaled_dot_product_attention(const Q& query, const K& key, const V& value,
                                                    const AttentionOptions<scalar_t<Q>>& options = {},
                                                    const F&... callables) {
  return heed::scaled_dot_product_attention(query, key, value, options, default_executor(), callables...);
}

// What a program with HEED_EXTERN_TEMPLATES compiles once: heed/instances.hpp.
#define HEED_ATTEND_INSTANCES(declare, T)                                                                              \
  declare AttentionResult<T> detail::attend_views<T>(const char*, const View<const T, 4>&, const View<const T, 4>&,    \
                                                     const View<const T, 4>&, const AttentionOptions<T>&, ExecutorRef, \
                                                     const ScoreModifier<T>*);                                         \
  declare Tensor<T, 4> detail::attention_output<T>(                                                                    \
      const char*, const View<const T, 4>&, const View<const T, 4>&, const View<const T, 4>&,                          \
      const AttentionOptions<T>&, ExecutorRef, const ScoreModifier<T>*);                                               \
  declare void attend_into<T>(const AttentionOutputs<T>&, const View<const T, 4>&, const View<const T, 4>&,            \
                              const View<const T, 4>&, const AttentionOptions<T>&, Workspace&, ExecutorRef);           \
  declare void attend_into<T>(const AttentionOutputs<T>&, const View<const T, 4>&, const View<const T, 4>&,            \
                              const View<const T, 4>&, const AttentionOptions<T>&, Workspace&, ExecutorRef,            \
                              const CallableRef<T>&);

#if defined(HEED_EXTERN_TEMPLATES)
HEED_ATTEND_INSTANCES(extern template, float)
HEED_ATTEND_INSTANCES(extern template, double)
#endif

}  // namespace heed::inline HEED_ABI
