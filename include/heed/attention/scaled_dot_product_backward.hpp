#pragma once
// attend_backward: gradients of scaled dot-product attention. kernels/flash_backward.hpp has the formulas.

#include <heed/attention/scaled_dot_product.hpp>
#include <heed/kernels/flash_backward.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// What a backward reads besides the call's inputs, and where it adds.
template <class T>
struct BackwardTarget {
  View<const T, 4> d_output, output;
  View<const T, 3> logsumexp;
  View<T, 4> d_query, d_key, d_value;  // rows contiguous, zero at first
  View<T, 4> d_bias;                   // null when the call has no bias
  T* d_sink = nullptr;                 // (batch, heads), zero at first; null when the call has no sink
};

template <class T>
FlashGradients<T> head_gradients(const AttentionCall<T>& call, const BackwardTarget<T>& target, Index batch,
                                 Index head) {
  const Index kv_head = call.kv_head(head);
  FlashGradients<T> grad{.d_output = head_matrix(target.d_output, batch, head),
                         .output = head_rows(target.output, batch, head),
                         .logsumexp = head_row(target.logsumexp, batch, head),
                         .d_query = head_rows(target.d_query, batch, head),
                         .d_key = head_rows(target.d_key, batch, kv_head),
                         .d_value = head_rows(target.d_value, batch, kv_head)};
  if (target.d_sink) grad.d_sink = target.d_sink + batch * call.shape.heads + head;
  if (target.d_bias.data) {
    const auto step = [&](int axis) { return target.d_bias.dimension(axis) == 1 ? 0 : target.d_bias.stride(axis); };
    grad.d_bias = target.d_bias.data + batch * step(0) + head * step(1);
    grad.d_bias_query_step = step(2), grad.d_bias_key_step = step(3);
  }
  return grad;
}

/// All query heads that share one key/value head of one sample, in their order.
template <class T>
void backward_heads(const AttentionCall<T>& call, const BackwardTarget<T>& target, Index batch, Index kv_head,
                    const FlashBackwardScratch<T>& scratch) {
  const Index group = call.shape.heads_per_kv_head(), width = call.shape.head_dim;
  const auto scale_rows = [&](const MatrixView<T>& x) {
    for (Index i = 0; i < x.rows; ++i) scale_row(x.row(i), width, call.scale);
  };
  for (Index head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const FlashHead<T> one = flash_head(call, batch, head);
    const FlashGradients<T> grad = head_gradients(call, target, batch, head);
    flash_backward(one, grad, scratch);
    scale_rows(grad.d_query);
  }
  scale_rows(head_rows(target.d_key, batch, kv_head));
}

/// One task per key/value head of a sample: gradients of keys and values are summed in one order.
template <class T>
void run_backward(const AttentionCall<T>& call, const BackwardTarget<T>& target, ExecutorRef executor) {
  const AttentionShape& shape = call.shape;
  const Index tasks = shape.batch * shape.kv_heads;
  // A bias that repeats over samples or heads sums over tasks: then they run in their order.
  const auto repeats = [&](int axis, Index count) { return target.d_bias.dimension(axis) == 1 && count > 1; };
  Serial serial;
  const bool ordered = target.d_bias.data && (repeats(0, shape.batch) || repeats(1, shape.kv_heads));
  const ExecutorRef chosen = ordered ? ExecutorRef(serial) : executor;
  const auto make = [&](auto&& take) { return FlashBackwardScratch<T>::make(shape.head_dim, shape.value_dim, take); };
  const std::size_t piece = scratch_size(make);
  const Index workers = std::min(tasks, chosen.concurrency());
  Workspace& workspace = thread_workspace();
  workspace.reserve(piece * static_cast<std::size_t>(workers));
  workspace.reset();
  std::byte* const memory = workspace.take<std::byte>(workers * static_cast<Index>(piece));
  for_each_task(chosen, tasks, [&](Index task, Index worker) {
    const auto scratch = make(ScratchPieces(memory + static_cast<std::size_t>(worker) * piece));
    backward_heads(call, target, task / shape.kv_heads, task % shape.kv_heads, scratch);
  });
}

template <Real T>
AttentionGradients<T> attend_backward_views(const View<const T, 4>& d_output, const View<const T, 4>& query,
                                            const View<const T, 4>& key, const View<const T, 4>& value,
                                            const AttentionResult<T>& forward, const AttentionOptions<T>& options,
                                            ExecutorRef executor) {
  const char* const function = "attend_backward";
  const AttentionCall<T> call(function, query, key, value, options);
  const AttentionShape& shape = call.shape;
  check_shape(function, "d_output", d_output.extents, shape.output());
  check_input(function, "d_output", d_output);
  check_shape(function, "forward.output", extents(forward.output), shape.output());
  check(extents(forward.logsumexp) == shape.logsumexp(), [&] {
    return std::string(function) + ": forward.logsumexp has shape " + shape_text(extents(forward.logsumexp)) +
           ", wanted " + shape_text(shape.logsumexp()) + ": call attend with return_logsumexp and the same inputs";
  });
  AttentionGradients<T> grad{zeros<T, 4>(shape.query()), zeros<T, 4>(shape.key()), zeros<T, 4>(shape.value()), {}, {}};
  BackwardTarget<T> target{d_output, forward.output, forward.logsumexp, grad.query, grad.key, grad.value, {}, nullptr};
  if (call.bias) {
    grad.bias = zeros<T, 4>(call.bias.view.extents);
    target.d_bias = grad.bias;
  }
  Tensor<T, 2> sinks;  // per sample, added up in their order
  if (call.sink.data) {
    sinks = zeros<T, 2>({shape.batch, shape.heads});
    grad.sink = zeros<T, 1>({shape.heads});
    target.d_sink = sinks.data();
  }
  if (shape.batch * shape.heads * shape.query_length * shape.key_length > 0) run_backward(call, target, executor);
  for (Index b = 0; b < sinks.dimension(0); ++b)
    add_row(grad.sink.data(), sinks.data() + b * shape.heads, shape.heads);
  return grad;
}

}  // namespace detail

/// Gradients for d_output (batch, heads, query_length, value_dim), given the inputs, the options and what attend
/// returned for them with return_logsumexp. Gradients of key and value are summed over the query heads that share them,
/// that of the bias over the axes where it repeats. Pairs that are masked pass nothing, whatever they hold. Throws
/// heed::Error.
template <TensorLike<4> D, AttentionInput<scalar_t<D>> Q, AttentionInput<scalar_t<D>> K, AttentionInput<scalar_t<D>> V>
AttentionGradients<scalar_t<D>> attend_backward(const D& d_output, const Q& query, const K& key, const V& value,
                                                const AttentionResult<scalar_t<D>>& forward,
                                                const AttentionOptions<scalar_t<D>>& options = {},
                                                ExecutorRef executor = default_executor()) {
  return detail::attend_backward_views<scalar_t<D>>(d_output, query, key, value, forward, options, executor);
}

}  // namespace heed::inline HEED_ABI
