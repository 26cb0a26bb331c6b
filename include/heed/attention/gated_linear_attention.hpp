#pragma once
// Linear attention with a recurrent state, decay gates and the delta rule (ONNX's LinearAttention, opset 27):
//   S_t = exp(g_t) S_(t-1) + k_t e_t^T       o_t = scale S_t^T q_t
// where e_t is v_t, or with a beta (delta rule) beta_t (v_t - (exp(g_t) S_(t-1))^T k_t). Sources: kernels/linear_attention.hpp.
//   linear: no decay, no beta; gated: decay; delta: beta; gated delta: both.
// Causal, in time steps * head_dim * value_dim. The state that a call returns is the next call's initial state: decoding is
// calls of one token. The backward keeps a state every 32 tokens and makes those between anew.

#include <cmath>
#include <optional>
#include <span>
#include <utility>

#include <heed/attention/linear_recurrence.hpp>

namespace heed::inline HEED_ABI {

/// Everything is read in place and must outlive the call; null: absent.
template <Real T>
struct GatedLinearOptions {
  std::optional<T> scale = {};          // of outputs; 1 / sqrt(head_dim) when absent
  const Tensor<T, 4>* decay = nullptr;  // g, a logarithm: (batch, kv_heads, steps, head_dim), or (.., 1) per head
  const Tensor<T, 4>* beta = nullptr;   // (batch, kv_heads, steps, 1), or (batch, 1, steps, 1) for all heads
  const Tensor<T, 4>* state = nullptr;  // (batch, kv_heads, head_dim, value_dim); zeros when absent
  std::span<const Index> lengths = {};  // (batch): tokens behind are not read, their outputs are 0
};

template <Real T>
struct GatedLinearResult {
  Tensor<T, 4> output;  // (batch, heads, steps, value_dim)
  Tensor<T, 4> state;   // behind each sample's last token: (batch, kv_heads, head_dim, value_dim)
};

/// In the shapes of the inputs; decay and beta are empty without them. state is that of the initial state.
template <Real T>
struct GatedLinearGradients {
  Tensor<T, 4> query, key, value, decay, beta, state;
};

namespace detail {

template <class T>
class GatedLinearCall {
 public:
  GatedLinearCall(const char* function, const Tensor<T, 4>& query, const Tensor<T, 4>& key, const Tensor<T, 4>& value,
                  const GatedLinearOptions<T>& options)
      : operands{query,
                 key,
                 value,
                 options.decay ? *options.decay : none_,
                 options.beta ? *options.beta : none_,
                 options.scale.value_or(T(1) / std::sqrt(static_cast<T>(query.dimension(3)))),
                 LinearOrder::causal,
                 options.lengths} {
    check_linear(function, operands);
    if (options.state) check_shape(function, "state", extents(*options.state), state_shape());
    first = options.state ? *options.state : zeros<T, 4>(state_shape());
  }
  GatedLinearCall(const GatedLinearCall&) = delete;

  Extents<4> state_shape() const {
    return {operands.key.dimension(0), operands.key.dimension(1), operands.key.dimension(3), operands.value.dimension(3)};
  }
  Extents<4> output_shape() const {
    Extents<4> shape = extents(operands.query);
    shape[3] = operands.value.dimension(3);
    return shape;
  }

 private:
  Tensor<T, 4> none_;

 public:
  LinearOperands<T> operands;
  Tensor<T, 4> first;
};

}  // namespace detail

/// query (batch, heads, steps, head_dim), key (batch, kv_heads, steps, head_dim), value (batch, kv_heads, steps, value_dim);
/// heads is a multiple of kv_heads, whose state its query heads share. Throws heed::Error before any work.
template <Real T>
GatedLinearResult<T> gated_linear_attention(const Tensor<T, 4>& query, const Tensor<T, 4>& key, const Tensor<T, 4>& value,
                                            const std::type_identity_t<GatedLinearOptions<T>>& options = {},
                                            ExecutorRef executor = default_executor()) {
  detail::GatedLinearCall<T> call("gated_linear_attention", query, key, value, options);
  GatedLinearResult<T> result{Tensor<T, 4>(call.output_shape()), std::move(call.first)};
  detail::linear_forward(call.operands, result.output, result.state, executor);
  return result;
}

/// d_output (batch, heads, steps, value_dim), and d_state of the last state or null -> gradients of everything that the
/// forward was given.
template <Real T>
GatedLinearGradients<T> gated_linear_attention_backward(const Tensor<T, 4>& d_output, const Tensor<T, 4>& query,
                                                        const Tensor<T, 4>& key, const Tensor<T, 4>& value,
                                                        const std::type_identity_t<GatedLinearOptions<T>>& options = {},
                                                        const std::type_identity_t<Tensor<T, 4>>* d_state = nullptr,
                                                        ExecutorRef executor = default_executor()) {
  const char* const function = "gated_linear_attention_backward";
  const detail::GatedLinearCall<T> call(function, query, key, value, options);
  check_shape(function, "d_output", extents(d_output), call.output_shape());
  if (d_state) check_shape(function, "d_state", extents(*d_state), call.state_shape());
  detail::LinearGradients<T> grad{zeros<T, 4>(extents(query)), zeros<T, 4>(extents(key)), zeros<T, 4>(extents(value)),
                                  {}, {}, d_state ? *d_state : zeros<T, 4>(call.state_shape())};
  if (options.decay) grad.decay = zeros<T, 4>(extents(*options.decay));
  if (options.beta) grad.beta = zeros<T, 4>({key.dimension(0), key.dimension(1), key.dimension(2), 1});
  detail::linear_backward(call.operands, call.first, d_output, grad, executor);
  if (options.beta && options.beta->dimension(1) == 1 && grad.beta.dimension(1) != 1) {
    const Tensor<T, 3> sums = grad.beta.sum(Eigen::array<Index, 1>{1});
    grad.beta = sums.reshape(extents(*options.beta)).eval();
  }
  return {std::move(grad.query), std::move(grad.key), std::move(grad.value), std::move(grad.decay), std::move(grad.beta), std::move(grad.state)};
}

}  // namespace heed::inline HEED_ABI
