#pragma once
// attend_backward: gradients of scaled dot-product attention. kernels/flash_backward.hpp has the formulas.

#include <heed/attention/run_backward.hpp>
#include <heed/attention/scaled_dot_product.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// run_backward in the thread's own workspace.
template <class T>
void run_backward(const AttentionCall<T>& call, const BackwardTarget<T>& target, ExecutorRef executor) {
  Workspace& workspace = thread_workspace();
  workspace.reserve(BackwardPlan<T>(call.shape, executor.concurrency()).bytes());
  workspace.reset();
  run_backward(call, target, workspace, executor);
}

/// What a forward left behind, of a call's shapes.
template <class T>
void check_forward(const char* function, const AttentionCall<T>& call, const View<const T, 4>& d_output,
                   const Extents<4>& output, const Extents<3>& logsumexp) {
  const AttentionShape& shape = call.shape;
  check_shape(function, "d_output", d_output.extents, shape.output());
  check_input(function, "d_output", d_output);
  check_shape(function, "forward.output", output, shape.output());
  check(logsumexp == shape.logsumexp(), [&] {
    return std::string(function) + ": forward.logsumexp has shape " + shape_text(logsumexp) + ", wanted " +
           shape_text(shape.logsumexp()) + ": call attend with return_logsumexp and the same inputs";
  });
}

template <Real T>
AttentionGradients<T> attend_backward_views(const View<const T, 4>& d_output, const View<const T, 4>& query,
                                            const View<const T, 4>& key, const View<const T, 4>& value,
                                            const AttentionResult<T>& forward, const AttentionOptions<T>& options,
                                            ExecutorRef executor, const ScoreModifier<T>* modifier,
                                            const ParameterParts& parameters) {
  const char* const function = "attend_backward";
  const AttentionCall<T> call(function, query, key, value, options, modifier);
  const AttentionShape& shape = call.shape;
  check_forward(function, call, d_output, extents(forward.output), extents(forward.logsumexp));
  AttentionGradients<T> grad;
  grad.query.resize(shape.query());
  grad.key.resize(shape.key());
  grad.value.resize(shape.value());
  BackwardTarget<T> target{d_output, forward.output, forward.logsumexp, grad.query, grad.key, grad.value, {}, nullptr,
                           parameters};
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
  run_backward(call, target, executor);
  for (Index b = 0; b < sinks.dimension(0); ++b)
    add_row(grad.sink.data(), sinks.data() + b * shape.heads, shape.heads);
  return grad;
}

}  // namespace detail

/// Gradients for d_output (batch, heads, query_length, value_dim), given the inputs, the options and what attend
/// returned for them with return_logsumexp. Gradients of key and value are summed over the query heads that share them,
/// that of the bias over the axes where it repeats. Pairs that are masked pass nothing, whatever they hold. The
/// forward's callables come last, score(f, grad) in the place of f where the gradient of f's parameters is wanted: it is
/// added to grad. Throws heed::Error.
template <TensorLike<4> D, AttentionInput<scalar_t<D>> Q, AttentionInput<scalar_t<D>> K, AttentionInput<scalar_t<D>> V,
          AttentionCallable<scalar_t<D>>... F>
AttentionGradients<scalar_t<D>> attend_backward(const D& d_output, const Q& query, const K& key, const V& value,
                                                const AttentionResult<scalar_t<D>>& forward,
                                                const AttentionOptions<scalar_t<D>>& options, ExecutorRef executor,
                                                const F&... callables) {
  detail::Callables<scalar_t<D>, F...> own(callables...);
  return detail::attend_backward_views<scalar_t<D>>(d_output, query, key, value, forward, options, executor,
                                                    own.modifier(), own.parameters());
}
template <TensorLike<4> D, AttentionInput<scalar_t<D>> Q, AttentionInput<scalar_t<D>> K, AttentionInput<scalar_t<D>> V,
          AttentionCallable<scalar_t<D>>... F>
AttentionGradients<scalar_t<D>> attend_backward(const D& d_output, const Q& query, const K& key, const V& value,
                                                const AttentionResult<scalar_t<D>>& forward,
                                                const AttentionOptions<scalar_t<D>>& options = {},
                                                const F&... callables) {
  return heed::attend_backward(d_output, query, key, value, forward, options, default_executor(), callables...);
}

/// Where attend_backward_into() writes: rows contiguous, apart from everything that is read and from each other.
template <Real T>
struct AttentionGradientViews {
  View<T, 4> query, key, value;
  View<T, 4> bias = {};  // with a bias: its own extents, with leading axes of 1 up to rank 4
  View<T, 1> sink = {};  // with a sink: (heads)
};

namespace detail {

template <class T>
void check_gradients(const char* function, const AttentionCall<T>& call, const AttentionGradientViews<T>& grad,
                     const View<const T, 4>& d_output, const View<const T, 4>& output) {
  MemorySpan spans[5];
  Index count = 0;
  const auto one = [&]<int Rank>(const char* name, const View<T, Rank>& view, const Extents<Rank>& shape) {
    check_shape(function, name, view.extents, shape);
    check_output(function, name, view);
    check_apart(function, name, view, "query", call.query);
    check_apart(function, name, view, "key", call.key);
    check_apart(function, name, view, "value", call.value);
    check_apart(function, name, view, "d_output", d_output);
    check_apart(function, name, view, "output", output);
    spans[count] = memory_span(function, name, view);
    for (Index i = 0; i < count; ++i) {
      check(!spans[count].overlaps(spans[i]), [&] {
        return argument_text(function, name) + " overlaps another gradient, wanted memory of its own";
      });
    }
    ++count;
  };
  one("grad.query", grad.query, call.shape.query());
  one("grad.key", grad.key, call.shape.key());
  one("grad.value", grad.value, call.shape.value());
  if (call.bias) one("grad.bias", grad.bias, call.bias.view.extents);
  if (call.sink.data) one("grad.sink", grad.sink, Extents<1>{call.shape.heads});
}

}  // namespace detail

/// The size of a Workspace that attend_backward_into needs for calls of this shape on an executor of this concurrency.
template <Real T>
std::size_t backward_workspace_bytes(const AttentionShape& shape, const AttentionOptions<T>& options,
                                     Index concurrency) {
  return Workspace::rounded<T>(shape.batch * shape.heads) +
         detail::BackwardPlan<T>(shape.with_path(options.path), concurrency).bytes();
}

/// attend_backward into the caller's memory, without heap or locks of its own (but score(f, grad) keeps a copy of grad per
/// sample and key/value head meanwhile). output and logsumexp are the forward's. Gradients are written, not added to, but
/// for that of a callable's parameters. Throws heed::Error before any write.
template <Real T, AttentionCallable<T>... F>
void attend_backward_into(const AttentionGradientViews<T>& grad, const std::type_identity_t<View<const T, 4>>& d_output,
                          const std::type_identity_t<View<const T, 4>>& query,
                          const std::type_identity_t<View<const T, 4>>& key,
                          const std::type_identity_t<View<const T, 4>>& value, const AttentionOutputs<T>& forward,
                          const std::type_identity_t<AttentionOptions<T>>& options, Workspace& workspace,
                          ExecutorRef executor, const F&... callables) {
  const char* const function = "attend_backward_into";
  detail::Callables<T, F...> own(callables...);
  const AttentionCall<T> call(function, query, key, value, options, own.modifier());
  const AttentionShape& shape = call.shape;
  detail::check_forward<T>(function, call, d_output, forward.output.extents, forward.logsumexp.extents);
  check_output(function, "forward.output", forward.output);
  check_output(function, "forward.logsumexp", forward.logsumexp);
  detail::check_gradients<T>(function, call, grad, d_output, forward.output);
  const std::size_t wanted = backward_workspace_bytes<T>(shape, options, executor.concurrency());
  check(workspace.size() - workspace.used() >= wanted, [&] {
    return std::string(function) + ": workspace has " + std::to_string(workspace.size() - workspace.used()) +
           " free bytes, wanted " + std::to_string(wanted) + " (backward_workspace_bytes)";
  });
  const std::size_t mark = workspace.used();
  if (call.bias) detail::clear(grad.bias);
  T* const sinks = workspace.take<T>(shape.batch * shape.heads);  // per sample, added up in their order
  std::fill_n(sinks, shape.batch * shape.heads, T(0));
  detail::run_backward<T>(call,
                          {d_output, forward.output, forward.logsumexp, grad.query, grad.key, grad.value,
                           call.bias ? grad.bias : View<T, 4>{}, call.sink.data ? sinks : nullptr, own.parameters()},
                          workspace, executor);
  for (Index h = 0; h < shape.heads && call.sink.data; ++h) {
    grad.sink(h) = 0;
    for (Index b = 0; b < shape.batch; ++b) grad.sink(h) += sinks[b * shape.heads + h];
  }
  workspace.rewind(mark);
}

// What a program with HEED_EXTERN_TEMPLATES compiles once: heed/instances.hpp.
#define HEED_ATTEND_BACKWARD_INSTANCES(declare, T)                                                                   \
  declare AttentionGradients<T> detail::attend_backward_views<T>(                                                    \
      const View<const T, 4>&, const View<const T, 4>&, const View<const T, 4>&, const View<const T, 4>&,            \
      const AttentionResult<T>&, const AttentionOptions<T>&, ExecutorRef, const ScoreModifier<T>*,                   \
      const detail::ParameterParts&);                                                                                \
  declare void attend_backward_into<T>(const AttentionGradientViews<T>&, const View<const T, 4>&,                    \
                                       const View<const T, 4>&, const View<const T, 4>&, const View<const T, 4>&,    \
                                       const AttentionOutputs<T>&, const AttentionOptions<T>&, Workspace&,           \
                                       ExecutorRef);                                                                 \
  declare void attend_backward_into<T>(const AttentionGradientViews<T>&, const View<const T, 4>&,                    \
                                       const View<const T, 4>&, const View<const T, 4>&, const View<const T, 4>&,    \
                                       const AttentionOutputs<T>&, const AttentionOptions<T>&, Workspace&,           \
                                       ExecutorRef, const CallableRef<T>&);

#if defined(HEED_EXTERN_TEMPLATES)
HEED_ATTEND_BACKWARD_INSTANCES(extern template, float)
HEED_ATTEND_BACKWARD_INSTANCES(extern template, double)
#endif

}  // namespace heed::inline HEED_ABI
