#pragma once
// attend_backward: gradients of scaled dot-product attention. tiled_backward.hpp has the formulas.

#include <heed/attention/scaled_dot_product.hpp>
#include <heed/attention/tiled_backward.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

template <class T>
void run_backward(const AttentionCall<T>& call, const BackwardTarget<T>& target, ExecutorRef executor) {
  const AttentionShape& shape = call.shape;
  const Index tasks = shape.batch * shape.kv_heads;
  // A bias that repeats over samples or heads sums over tasks: then they run in their order.
  const auto repeats = [&](int axis, Index count) { return target.d_bias.dimension(axis) == 1 && count > 1; };
  Serial serial;
  const bool ordered = target.d_bias.data && (repeats(0, shape.batch) || repeats(1, shape.kv_heads));
  const ExecutorRef chosen = ordered ? ExecutorRef(serial) : executor;
  Workspace& workspace = thread_workspace();
  const std::size_t piece = scratch_bytes<BackwardScratch<T>>(shape);
  workspace.reserve(piece * static_cast<std::size_t>(std::min(tasks, chosen.concurrency())));
  workspace.reset();
  std::byte* const memory =
      workspace.take<std::byte>(std::min(tasks, chosen.concurrency()) * static_cast<Index>(piece));
  for_each_task(chosen, tasks, [&](Index task, Index worker) {
    std::byte* next = memory + static_cast<std::size_t>(worker) * piece;
    const auto scratch = BackwardScratch<T>::make(shape, [&]<class P>(P*& pointer, Index count) {
      pointer = reinterpret_cast<P*>(next);
      next += Workspace::rounded<P>(count);
    });
    HeadBackward<T>(call, target, scratch).run(task / shape.kv_heads, task % shape.kv_heads);
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
  AttentionGradients<T> grad{zeros<T, 4>(shape.query()), zeros<T, 4>(shape.key()), zeros<T, 4>(shape.value()), {}};
  BackwardTarget<T> target{d_output, forward.output, forward.logsumexp, grad.query, grad.key, grad.value, {}};
  if (call.bias) {
    grad.bias = zeros<T, 4>(call.bias.view.extents);
    target.d_bias = grad.bias;
  }
  if (shape.batch * shape.heads * shape.query_length * shape.key_length > 0) run_backward(call, target, executor);
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
