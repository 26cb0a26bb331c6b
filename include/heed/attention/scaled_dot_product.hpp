#pragma once
// Scaled dot-product attention: softmax(scale Q K^T + bias, over the keys that the mask allows) V.
//   A. Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1. Fused as in kernels/flash_forward.hpp and
//   flash_backward.hpp: memory beyond inputs and results does not grow with the lengths (the backward keeps one number
//   per query). Meaning of every option, empty rows and NaN: docs of mask.hpp and options.hpp.

#include <utility>

#include <heed/attention/flash_head.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/core/workspace.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Where a forward writes: the outputs as views, each of its shape, or null where not wanted.
template <class T>
struct ForwardTarget {
  View<T, 4> output;
  View<T, 4> weights;
  View<T, 3> logsumexp;
};

template <class T>
Index forward_blocks(const AttentionShape& shape) {
  return (shape.query_length + flash_query_block<T> - 1) / flash_query_block<T>;
}
/// One query against many keys is bound by memory: its own kernel, with heads of a group side by side.
inline bool is_decode(const AttentionShape& shape) { return shape.query_length == 1; }
inline Index decode_groups(const AttentionShape& shape) {
  return (shape.heads_per_kv_head() + flash_detail::decode_heads - 1) / flash_detail::decode_heads;
}
template <class T>
std::size_t forward_scratch_bytes(const AttentionShape& shape) {
  const Index width = shape.head_dim, value_dim = shape.value_dim;
  return is_decode(shape) ? scratch_size([&](auto&& take) { FlashDecodeScratch<T>::make(width, value_dim, take); })
                          : scratch_size([&](auto&& take) { FlashForwardScratch<T>::make(width, value_dim, take); });
}
template <class T>
Index forward_tasks(const AttentionShape& shape) {
  return is_decode(shape) ? shape.batch * shape.kv_heads * decode_groups(shape)
                          : shape.batch * shape.heads * forward_blocks<T>(shape);
}
template <class T>
Index forward_workers(const AttentionShape& shape, Index concurrency) {
  return std::min(forward_tasks<T>(shape), concurrency);
}

/// Refuses outputs that are not of their shape, before anything is written.
template <class T>
ForwardTarget<T> check_outputs(const char* function, const AttentionOutputs<T>& outputs, const AttentionCall<T>& call) {
  const auto apart = [&]<int Rank>(const char* name, const View<T, Rank>& output, const Extents<Rank>& shape) {
    check_shape(function, name, output.extents, shape);
    check_output(function, name, output);
    check_apart(function, name, output, "query", call.query);
    check_apart(function, name, output, "key", call.key);
    check_apart(function, name, output, "value", call.value);
    if (call.bias) check_apart(function, name, output, "bias", call.bias.view);
  };
  apart("output", outputs.output, call.shape.output());
  if (outputs.weights.data) {
    apart("weights", outputs.weights, call.shape.weights());
    check_apart(function, "weights", outputs.weights, "output", outputs.output);
  }
  if (outputs.logsumexp.data) {
    apart("logsumexp", outputs.logsumexp, call.shape.logsumexp());
    check_apart(function, "logsumexp", outputs.logsumexp, "output", outputs.output);
    if (outputs.weights.data) check_apart(function, "logsumexp", outputs.logsumexp, "weights", outputs.weights);
  }
  return {outputs.output, outputs.weights, outputs.logsumexp};
}

template <class T>
FlashOutputs<T> head_outputs(const ForwardTarget<T>& target, Index batch, Index head) {
  FlashOutputs<T> out{.output = head_rows(target.output, batch, head)};
  if (target.logsumexp.data) out.logsumexp = head_row(target.logsumexp, batch, head);
  if (target.weights.data) out.weights = head_rows(target.weights, batch, head);
  return out;
}

/// A block of queries of one head.
template <class T>
void forward_block(const AttentionCall<T>& call, const ForwardTarget<T>& target, Index task, ScratchPieces memory) {
  const AttentionShape& shape = call.shape;
  const Index blocks = forward_blocks<T>(shape), head = task / blocks % shape.heads;
  const Index batch = task / blocks / shape.heads, first = task % blocks * flash_query_block<T>;
  const FlashHead<T> one = flash_head(call, batch, head);
  FlashForward<T>(one, head_outputs(target, batch, head),
                  FlashForwardScratch<T>::make(shape.head_dim, shape.value_dim, memory))
      .run({first, std::min(first + flash_query_block<T>, shape.query_length)});
}
/// The only query of heads with the same keys.
template <class T>
void decode_heads(const AttentionCall<T>& call, const ForwardTarget<T>& target, Index task, ScratchPieces memory) {
  const AttentionShape& shape = call.shape;
  const Index groups = decode_groups(shape), kv_head = task / groups % shape.kv_heads;
  const Index batch = task / groups / shape.kv_heads, end = (kv_head + 1) * shape.heads_per_kv_head();
  const Index first = kv_head * shape.heads_per_kv_head() + task % groups * flash_detail::decode_heads;
  FlashDecode<T> decode;
  for (Index head = first; head < std::min(first + flash_detail::decode_heads, end); ++head)
    decode.add(flash_head(call, batch, head), head_outputs(target, batch, head));
  decode.run(FlashDecodeScratch<T>::make(shape.head_dim, shape.value_dim, memory));
}

template <class T>
void run_forward(const AttentionCall<T>& call, const ForwardTarget<T>& target, Workspace& workspace,
                 ExecutorRef executor) {
  const AttentionShape& shape = call.shape;
  const std::size_t mark = workspace.used(), piece = forward_scratch_bytes<T>(shape);
  std::byte* const memory =
      workspace.take<std::byte>(forward_workers<T>(shape, executor.concurrency()) * static_cast<Index>(piece));
  for_each_task(executor, forward_tasks<T>(shape), [&](Index task, Index worker) {
    const ScratchPieces own(memory + static_cast<std::size_t>(worker) * piece);
    is_decode(shape) ? decode_heads(call, target, task, own) : forward_block(call, target, task, own);
  });
  workspace.rewind(mark);
}

}  // namespace detail

/// The size of a Workspace that attend_into needs for calls of this shape (or with smaller head and value dims) on an
/// executor of this concurrency. Options do not change it today; they are asked for so that they may.
template <Real T>
std::size_t workspace_bytes(const AttentionShape& shape, const AttentionOptions<T>&, Index concurrency) {
  return static_cast<std::size_t>(detail::forward_workers<T>(shape, concurrency)) *
         detail::forward_scratch_bytes<T>(shape);
}

/// The shape of a call with these views, checked.
template <Real T>
AttentionShape attention_shape(const View<const T, 4>& query, const View<const T, 4>& key,
                               const View<const T, 4>& value) {
  return detail::check_attention_shape("attention_shape", query, key, value);
}

/// Attention into the caller's memory, without heap or locks of its own. query (batch, heads, query_length, head_dim),
/// key (batch, kv_heads, key_length, head_dim), value (batch, kv_heads, key_length, value_dim), any strides; heads is a
/// multiple of kv_heads. Outputs: rows contiguous, apart from the inputs and each other; weights and logsumexp are
/// written where their view is given (the return_* options are not read). Throws heed::Error before any write.
template <Real T>
void attend_into(const AttentionOutputs<T>& outputs, const std::type_identity_t<View<const T, 4>>& query,
                 const std::type_identity_t<View<const T, 4>>& key, const std::type_identity_t<View<const T, 4>>& value,
                 const std::type_identity_t<AttentionOptions<T>>& options, Workspace& workspace, ExecutorRef executor) {
  const AttentionCall<T> call("attend_into", query, key, value, options);
  const auto target = detail::check_outputs("attend_into", outputs, call);
  const std::size_t wanted = workspace_bytes<T>(call.shape, options, executor.concurrency());
  check(workspace.size() - workspace.used() >= wanted, [&] {
    return "attend_into: workspace has " + std::to_string(workspace.size() - workspace.used()) +
           " free bytes, wanted " + std::to_string(wanted) + " (workspace_bytes)";
  });
  detail::run_forward(call, target, workspace, executor);
}

namespace detail {

struct AttentionScratch;

/// The workspace of calls that are given none: the thread's own, grown when needed and then kept.
inline Workspace& thread_workspace() {
  thread_local Workspace workspace;
  return workspace;
}

template <Real T>
AttentionResult<T> attend_views(const char* function, const View<const T, 4>& query, const View<const T, 4>& key,
                                const View<const T, 4>& value, const AttentionOptions<T>& options,
                                ExecutorRef executor) {
  const AttentionCall<T> call(function, query, key, value, options);
  AttentionResult<T> result;
  result.output.resize(call.shape.output());
  ForwardTarget<T> target{result.output, {}, {}};
  if (options.return_weights) {
    result.weights.resize(call.shape.weights());
    target.weights = result.weights;
  }
  if (options.return_logsumexp) {
    result.logsumexp.resize(call.shape.logsumexp());
    target.logsumexp = result.logsumexp;
  }
  Workspace& workspace = thread_workspace();
  workspace.reserve(workspace_bytes<T>(call.shape, options, executor.concurrency()));
  workspace.reset();
  run_forward(call, target, workspace, executor);
  return result;
}

}  // namespace detail

/// A tensor, TensorMap or view (batch, heads, length, dim) with elements T.
template <class X, class T>
concept AttentionInput = TensorLike<X, 4> && std::same_as<scalar_t<X>, T>;

/// Attention with everything that can be asked for: .output, and .weights and .logsumexp where the options say so.
/// Shapes as attend_into; query, key and value are tensors, TensorMaps or views of the same element type, in any
/// layout.
template <TensorLike<4> Q, AttentionInput<scalar_t<Q>> K, AttentionInput<scalar_t<Q>> V>
AttentionResult<scalar_t<Q>> attend(const Q& query, const K& key, const V& value,
                                    const AttentionOptions<scalar_t<Q>>& options = {},
                                    ExecutorRef executor = default_executor()) {
  return detail::attend_views<scalar_t<Q>>("attend", query, key, value, options, executor);
}

/// The output of attention alone. Options that ask for more are refused: attend returns it.
template <TensorLike<4> Q, AttentionInput<scalar_t<Q>> K, AttentionInput<scalar_t<Q>> V>
Tensor<scalar_t<Q>, 4> scaled_dot_product_attention(const Q& query, const K& key, const V& value,
                                                    const AttentionOptions<scalar_t<Q>>& options = {},
                                                    ExecutorRef executor = default_executor()) {
  check(!options.return_weights && !options.return_logsumexp, [] {
    return std::string(
        "scaled_dot_product_attention: return_weights or return_logsumexp is set, wanted neither: attend returns them");
  });
  return detail::attend_views<scalar_t<Q>>("scaled_dot_product_attention", query, key, value, options, executor).output;
}

}  // namespace heed::inline HEED_ABI
