#pragma once
// Linear attention with the feature map phi(x) = elu(x) + 1:
//   output_i = (phi(q_i)^T sum_j phi(k_j) v_j^T) / (phi(q_i) . sum_j phi(k_j))
// over all keys, or causally over j <= i. No softmax and no matrix of weights: time (queries + keys) * head_dim * value_dim.
//   A. Katharopoulos, A. Vyas, N. Pappas, F. Fleuret, "Transformers are RNNs: Fast Autoregressive Transformers with Linear
//   Attention", ICML 2020, eq. 5, 7 and 9; backward in the manner of its algorithm 1.
// The denominator is one more column of values, all ones, so the state is (head_dim, value_dim + 1). It may be carried over:
// the state of one causal call is the initial state of the next, and decoding is calls of one token.

#include <algorithm>
#include <span>
#include <utility>

#include <heed/attention/linear_recurrence.hpp>
#include <heed/core/thread_pool.hpp>

namespace heed::inline HEED_ABI {

/// Everything is read in place and must outlive the call.
template <Real T>
struct LinearAttentionOptions {
  LinearOrder order = LinearOrder::full;  // causal: as many queries as keys
  std::span<const Index> lengths = {};    // (batch): keys behind are not read; causal queries there give 0
  const Tensor<T, 4>* state = nullptr;    // of keys before these; null: none
};

template <Real T>
struct LinearAttentionResult {
  Tensor<T, 4> output;        // (batch, heads, query_length, value_dim); 0 where a query reads no key
  Tensor<T, 4> state;         // (batch, kv_heads, head_dim, value_dim + 1); the last column is the sum of phi(k)
  Tensor<T, 4> denominators;  // (batch, heads, query_length, 1), for the backward
};

template <Real T>
struct LinearAttentionGradients {
  Tensor<T, 4> query, key, value;
  Tensor<T, 4> state;  // of the initial state
};

namespace detail {

/// phi of every element.
template <class T>
Tensor<T, 4> elu_features(const Tensor<T, 4>& x, ExecutorRef executor) {
  Tensor<T, 4> y(extents(x));
  const Index heads = x.dimension(0) * x.dimension(1), size = x.dimension(2) * x.dimension(3);
  for_each_task(executor, heads, [&](Index i, Index) { elu_feature_row(x.data() + i * size, y.data() + i * size, size); });
  return y;
}
/// d becomes the gradient of x; where nothing arrives nothing leaves, whatever x holds.
template <class T>
void elu_features_backward(const Tensor<T, 4>& x, Tensor<T, 4>& d, ExecutorRef executor) {
  const Index heads = x.dimension(0) * x.dimension(1), length = x.dimension(2), dim = x.dimension(3);
  for_each_task(executor, heads, [&](Index head, Index) {
    for (Index i = head * length; i < (head + 1) * length; ++i) {
      T* const row = d.data() + i * dim;
      const bool nothing = std::all_of(row, row + dim, [](T value) { return value == T(0); });
      if (!nothing) elu_feature_backward_row(x.data() + i * dim, row, row, dim);
    }
  });
}
/// Rows of x with one more element: extra(row).
template <class T, class Extra>
Tensor<T, 4> widened_rows(const Tensor<T, 4>& x, const Extra& extra) {
  const Index rows = x.dimension(0) * x.dimension(1) * x.dimension(2), cols = x.dimension(3);
  Tensor<T, 4> wide(x.dimension(0), x.dimension(1), x.dimension(2), cols + 1);
  for (Index i = 0; i < rows; ++i) {
    std::copy_n(x.data() + i * cols, cols, wide.data() + i * (cols + 1));
    wide.data()[i * (cols + 1) + cols] = extra(i);
  }
  return wide;
}
/// The same with the last element of each row taken off, divided by it where it is not 0.
template <class T>
void divide_by_last(const Tensor<T, 4>& wide, Tensor<T, 4>& quotients, Tensor<T, 4>& divisors) {
  const Index cols = wide.dimension(3) - 1;
  for (Index i = 0; i < divisors.size(); ++i) {
    const T* const from = wide.data() + i * (cols + 1);
    const T divisor = divisors.data()[i] = from[cols];
    std::transform(from, from + cols, quotients.data() + i * cols, [&](T value) { return divisor == T(0) ? T(0) : value / divisor; });
  }
}

template <class T>
struct LinearAttentionCall {
  Tensor<T, 4> query, key, value, none;  // phi(query), phi(key), values with a column of ones
  LinearOperands<T> operands;
  Tensor<T, 4> first;

  LinearAttentionCall(const char* function, const Tensor<T, 4>& q, const Tensor<T, 4>& k, const Tensor<T, 4>& v,
                      const LinearAttentionOptions<T>& options, ExecutorRef executor)
      : operands{query, key, value, none, none, T(1), options.order, options.lengths} {
    check_linear<T>(function, {q, k, v, none, none, T(1), options.order, options.lengths});
    const Extents<4> state{k.dimension(0), k.dimension(1), k.dimension(3), v.dimension(3) + 1};
    if (options.state) check_shape(function, "state", extents(*options.state), state);
    query = elu_features(q, executor);
    key = elu_features(k, executor);
    value = widened_rows(v, [](Index) { return T(1); });
    first = options.state ? *options.state : zeros<T, 4>(state);
  }
  LinearAttentionCall(const LinearAttentionCall&) = delete;
};

}  // namespace detail

/// query (batch, heads, query_length, head_dim), key (batch, kv_heads, key_length, head_dim), value (batch, kv_heads,
/// key_length, value_dim); heads is a multiple of kv_heads. Sums run over the keys in order, in T. Throws heed::Error before
/// any work.
template <Real T>
LinearAttentionResult<T> linear_attention(const Tensor<T, 4>& query, const Tensor<T, 4>& key, const Tensor<T, 4>& value,
                                          const std::type_identity_t<LinearAttentionOptions<T>>& options = {},
                                          ExecutorRef executor = default_executor()) {
  detail::LinearAttentionCall<T> call("linear_attention", query, key, value, options, executor);
  const Extents<4> shape = extents(query);
  LinearAttentionResult<T> result{Tensor<T, 4>(shape[0], shape[1], shape[2], value.dimension(3)), std::move(call.first),
                                  Tensor<T, 4>(shape[0], shape[1], shape[2], 1)};
  Tensor<T, 4> sums(shape[0], shape[1], shape[2], value.dimension(3) + 1);
  detail::linear_forward(call.operands, sums, result.state, executor);
  detail::divide_by_last(sums, result.output, result.denominators);
  return result;
}

/// d_output (batch, heads, query_length, value_dim), d_state of the last state or null, and what the forward was given and
/// returned -> gradients of its inputs.
template <Real T>
LinearAttentionGradients<T> linear_attention_backward(const Tensor<T, 4>& d_output, const Tensor<T, 4>& query,
                                                      const Tensor<T, 4>& key, const Tensor<T, 4>& value,
                                                      const LinearAttentionResult<T>& forward,
                                                      const std::type_identity_t<LinearAttentionOptions<T>>& options = {},
                                                      const std::type_identity_t<Tensor<T, 4>>* d_state = nullptr,
                                                      ExecutorRef executor = default_executor()) {
  const char* const function = "linear_attention_backward";
  const detail::LinearAttentionCall<T> call(function, query, key, value, options, executor);
  const Index width = value.dimension(3);
  check_shape(function, "d_output", extents(d_output), Extents<4>{query.dimension(0), query.dimension(1), query.dimension(2), width});
  check_shape(function, "forward.output", extents(forward.output), extents(d_output));
  if (d_state) check_shape(function, "d_state", extents(*d_state), extents(call.first));
  Tensor<T, 4> d_sums = detail::widened_rows(
      d_output, [&](Index i) { return -dot(d_output.data() + i * width, forward.output.data() + i * width, width); });
  for (Index i = 0; i < forward.denominators.size(); ++i) {
    const T divisor = forward.denominators.data()[i];
    T* const row = d_sums.data() + i * (width + 1);
    std::transform(row, row + width + 1, row, [&](T value_) { return divisor == T(0) ? T(0) : value_ / divisor; });
  }
  detail::LinearGradients<T> grad{zeros<T, 4>(extents(query)), zeros<T, 4>(extents(key)), zeros<T, 4>(extents(call.value)),
                                  {}, {}, d_state ? *d_state : zeros<T, 4>(extents(call.first))};
  detail::linear_backward(call.operands, call.first, d_sums, grad, executor);
  detail::elu_features_backward(query, grad.query, executor);
  detail::elu_features_backward(key, grad.key, executor);
  Tensor<T, 4> d_value = grad.value.slice(Extents<4>{0, 0, 0, 0}, extents(value));
  return {std::move(grad.query), std::move(grad.key), std::move(d_value), std::move(grad.state)};
}

}  // namespace heed::inline HEED_ABI
