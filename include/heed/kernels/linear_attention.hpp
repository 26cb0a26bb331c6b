#pragma once
// Attention as a recurrence over a state S (head_dim, value_dim), one key/value head of one sample:
//   S~_t = exp(g_t) S_(t-1)       S_t = S~_t + k_t e_t^T       o_t = scale S_t^T q_t
//   e_t = v_t, or with the delta rule beta_t (v_t - S~_t^T k_t)
// Without gates: A. Katharopoulos et al., "Transformers are RNNs", 2020, eq. 16 to 20. Decay per head or per dimension:
// S. Yang et al., "Gated Linear Attention Transformers with Hardware-Efficient Training", 2024. Delta rule: I. Schlag et al.,
// "Linear Transformers Are Secretly Fast Weight Programmers", 2021; with decay: S. Yang et al., "Gated Delta Networks", 2025.
// Everything in T, tokens in order, so nothing depends on what comes later. Time steps * head_dim * value_dim.

#include <algorithm>
#include <cmath>

#include <heed/kernels/registers.hpp>
#include <heed/simd/math.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// Tokens in rows, rows contiguous. decay and beta with null data are absent: nothing decays, no delta rule.
template <class T>
struct LinearTokens {
  MatrixView<const T> key;         // (steps, head_dim)
  MatrixView<const T> value;       // (steps, value_dim)
  MatrixView<const T> decay = {};  // (steps, head_dim), or (steps, 1) for all dimensions: logarithms
  MatrixView<const T> beta = {};   // (steps, 1)

  Index steps() const { return key.rows; }
  /// What is left of dimension d of the state at step t.
  T kept(Index t, Index d) const { return decay.data ? std::exp(decay(t, decay.cols == 1 ? 0 : d)) : T(1); }
};

/// Where a backward adds (decay, beta) and writes (key, value); shaped like the tokens.
template <class T>
struct LinearTokenGradients {
  MatrixView<T> key, value;
  MatrixView<T> decay = {}, beta = {};
};

/// y (cols of x) = sum_d weight_d x.row(d).
template <class T>
void weighted_rows(const T* weight, const MatrixView<const T>& x, T* y) {
  fill_row(y, T(0), x.cols);
  for (Index d = 0; d < x.rows; ++d) add_scaled_row(y, weight[d], x.row(d), x.cols);
}

/// from S_(t-1) to S~_t. after may be before.
template <class T>
void decay_state(const LinearTokens<T>& tokens, Index t, const MatrixView<const T>& before, const MatrixView<T>& after) {
  for (Index d = 0; d < before.rows; ++d) {
    if (after.data != before.data) std::copy_n(before.row(d), before.cols, after.row(d));
    if (tokens.decay.data) scale_row(after.row(d), after.cols, tokens.kept(t, d));
  }
}

/// error (value_dim) = v_t - S~_t^T k_t with the delta rule, v_t without.
template <class T>
void linear_error(const LinearTokens<T>& tokens, Index t, const MatrixView<const T>& decayed, T* error) {
  const Index width = decayed.cols;
  fill_row(error, T(0), width);
  if (tokens.beta.data) {
    weighted_rows(tokens.key.row(t), decayed, error);
    scale_row(error, width, T(-1));
  }
  add_row(error, tokens.value.row(t), width);
}

/// state becomes S_t; error (value_dim) is scratch.
template <class T>
void advance_state(const LinearTokens<T>& tokens, Index t, const MatrixView<T>& state, T* error) {
  decay_state<T>(tokens, t, state, state);
  linear_error<T>(tokens, t, state, error);
  if (tokens.beta.data) scale_row(error, state.cols, tokens.beta(t, 0));
  for (Index d = 0; d < state.rows; ++d) add_scaled_row(state.row(d), tokens.key(t, d), error, state.cols);
}

/// output (value_dim) = scale S^T query.
template <class T>
void read_state(const MatrixView<const T>& state, const T* query, T scale, T* output) {
  weighted_rows(query, state, output);
  scale_row(output, state.cols, scale);
}

/// The way back through a read: d_query is written, d_state added to.
template <class T>
void read_state_backward(const MatrixView<const T>& state, const T* query, T scale, const T* d_output, T* d_query,
                         const MatrixView<T>& d_state) {
  for (Index d = 0; d < state.rows; ++d) {
    d_query[d] = scale * dot(state.row(d), d_output, state.cols);
    add_scaled_row(d_state.row(d), scale * query[d], d_output, state.cols);
  }
}

/// The way back through step t: d_state goes from S_t's gradient to S_(t-1)'s. decayed is S~_t; scratch has 2 value_dim.
template <class T>
void advance_state_backward(const LinearTokens<T>& tokens, Index t, const MatrixView<const T>& decayed,
                            const MatrixView<T>& d_state, const LinearTokenGradients<T>& grad, T* scratch) {
  const Index width = decayed.cols;
  T* const error = scratch;
  T* const d_error = scratch + width;
  const bool delta = tokens.beta.data != nullptr;
  const T beta = delta ? tokens.beta(t, 0) : T(1);
  linear_error<T>(tokens, t, decayed, error);
  weighted_rows<T>(tokens.key.row(t), d_state, d_error);
  if (delta) {
    grad.beta(t, 0) += dot(error, d_error, width);
    scale_row(d_error, width, beta);
  }
  std::copy_n(d_error, width, grad.value.row(t));
  for (Index d = 0; d < decayed.rows; ++d) {
    T* const d_row = d_state.row(d);
    T d_key = beta * dot<T>(d_row, error, width);
    if (delta) {
      d_key -= dot(decayed.row(d), d_error, width);
      add_scaled_row(d_row, -tokens.key(t, d), d_error, width);
    }
    grad.key(t, d) = d_key;
    if (!tokens.decay.data) continue;
    grad.decay(t, tokens.decay.cols == 1 ? 0 : d) += dot<T>(d_row, decayed.row(d), width);
    scale_row(d_row, width, tokens.kept(t, d));
  }
}

/// y = elu(x) + 1, the positive feature of "Transformers are RNNs" (eq. 7): x + 1 above 0, exp(x) below.
template <Real T, class Arch = default_arch>
void elu_feature_row(const T* x, T* y, Index size) {
  using B = Batch<T, Arch>;
  map_registers<T, Arch>(size, [&](Index j, auto part) {
    const B value = part.load(x + j);
    part.store(y + j, select(value > B(T(0)), value + B(T(1)), exp(value)));
  });
}
/// d_x = d_y times its slope at x; d_x may be d_y.
template <Real T, class Arch = default_arch>
void elu_feature_backward_row(const T* x, const T* d_y, T* d_x, Index size) {
  using B = Batch<T, Arch>;
  map_registers<T, Arch>(size, [&](Index j, auto part) {
    const B value = part.load(x + j);
    part.store(d_x + j, part.load(d_y + j) * select(value > B(T(0)), B(T(1)), exp(value)));
  });
}

}  // namespace heed::inline HEED_ABI
