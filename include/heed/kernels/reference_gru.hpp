#pragma once
// One step of a gated recurrent unit (Cho et al. 2014) in double, forward and backward, for one sample. Gates lie in
// torch's order r, z, n.
//
//   r = gate(W_ir x + b_ir + W_hr h + b_hr)      z = gate(W_iz x + b_iz + W_hz h + b_hz)
//   reset after:  n = tanh(W_in x + b_in + r * (W_hn h + b_hn))       (torch, Keras' default, cuDNN)
//   reset before: n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)       (the paper)
//   h' = (1 - z) * n + z * h

#include <vector>

#include <heed/kernels/reference.hpp>
#include <heed/kernels/reference_activation.hpp>

namespace heed::inline HEED_ABI::reference {

enum class GruReset { after, before };
enum class GruGate { sigmoid, hard_sigmoid };

/// weight_ih (3H, I), weight_hh (3H, H), bias_ih (3H), bias_hh (3H).
struct GruWeights {
  ConstMatrix weight_ih, weight_hh;
  const double* bias_ih;
  const double* bias_hh;
};
struct GruGradients {
  Matrix weight_ih, weight_hh;
  double* bias_ih;
  double* bias_hh;
};
struct GruForm {
  GruReset reset = GruReset::after;
  GruGate gate = GruGate::sigmoid;
};

/// What a step computed, each (H): the gates, what n's recurrent weight was multiplied with, and its product + b_hn.
struct GruStep {
  std::vector<double> r, z, n, n_operand, n_recurrent, next;
};

/// bias[row] + sum_k weight[row][k] x[k].
inline double gru_projection(ConstMatrix weight, const double* bias, Index row, const double* x) {
  double sum = bias[row];
  for (Index k = 0; k < weight.cols; ++k) sum += weight(row, k) * x[k];
  return sum;
}

/// x (I), h (H) -> step.next (H) and all that lies between.
inline GruStep gru_step(const GruWeights& w, GruForm form, const double* x, const double* h) {
  const Index hidden = w.weight_hh.cols;
  const auto size = static_cast<std::size_t>(hidden);
  GruStep step{std::vector<double>(size), std::vector<double>(size), std::vector<double>(size),
               std::vector<double>(size), std::vector<double>(size), std::vector<double>(size)};
  const auto gate = [&](double a) { return form.gate == GruGate::sigmoid ? sigmoid(a) : hard_sigmoid(a); };
  for (Index u = 0; u < hidden; ++u) {
    const auto i = static_cast<std::size_t>(u);
    step.r[i] = gate(gru_projection(w.weight_ih, w.bias_ih, u, x) + gru_projection(w.weight_hh, w.bias_hh, u, h));
    step.z[i] = gate(gru_projection(w.weight_ih, w.bias_ih, hidden + u, x) +
                     gru_projection(w.weight_hh, w.bias_hh, hidden + u, h));
    step.n_operand[i] = form.reset == GruReset::after ? h[u] : step.r[i] * h[u];
  }
  for (Index u = 0; u < hidden; ++u) {
    const auto i = static_cast<std::size_t>(u);
    step.n_recurrent[i] = gru_projection(w.weight_hh, w.bias_hh, 2 * hidden + u, step.n_operand.data());
    const double recurrent = form.reset == GruReset::after ? step.r[i] * step.n_recurrent[i] : step.n_recurrent[i];
    step.n[i] = std::tanh(gru_projection(w.weight_ih, w.bias_ih, 2 * hidden + u, x) + recurrent);
    step.next[i] = (1 - step.z[i]) * step.n[i] + step.z[i] * h[u];
  }
  return step;
}

/// d_weight[row] += d * x and d_bias[row] += d and d_x += d * weight[row]: the backward of gru_projection.
inline void gru_projection_backward(ConstMatrix weight, Index row, const double* x, double d, Matrix d_weight,
                                    double* d_bias, double* d_x) {
  d_bias[row] += d;
  for (Index k = 0; k < weight.cols; ++k) {
    d_weight(row, k) += d * x[k];
    d_x[k] += d * weight(row, k);
  }
}

/// d_next (H) -> d_x (I) and d_h (H), written; `grad` is added to.
inline void gru_step_backward(const GruWeights& w, GruForm form, const double* x, const double* h, const GruStep& step,
                              const double* d_next, double* d_x, double* d_h, const GruGradients& grad) {
  const Index hidden = w.weight_hh.cols;
  const auto gate_slope = [&](double g) {
    return form.gate == GruGate::sigmoid ? g * (1 - g) : g > 0 && g < 1 ? 1.0 / 6 : 0.0;
  };
  std::vector<double> d_r(static_cast<std::size_t>(hidden), 0.0), d_operand(d_r);
  for (Index k = 0; k < w.weight_ih.cols; ++k) d_x[k] = 0;
  for (Index u = 0; u < hidden; ++u) d_h[u] = d_next[u] * step.z[static_cast<std::size_t>(u)];
  for (Index u = 0; u < hidden; ++u) {
    const auto i = static_cast<std::size_t>(u);
    const double d_z = d_next[u] * (h[u] - step.n[i]) * gate_slope(step.z[i]);
    const double d_n = d_next[u] * (1 - step.z[i]) * (1 - step.n[i] * step.n[i]);
    const double d_n_recurrent = form.reset == GruReset::after ? d_n * step.r[i] : d_n;
    if (form.reset == GruReset::after) d_r[i] = d_n * step.n_recurrent[i];
    gru_projection_backward(w.weight_ih, 2 * hidden + u, x, d_n, grad.weight_ih, grad.bias_ih, d_x);
    gru_projection_backward(w.weight_ih, hidden + u, x, d_z, grad.weight_ih, grad.bias_ih, d_x);
    gru_projection_backward(w.weight_hh, hidden + u, h, d_z, grad.weight_hh, grad.bias_hh, d_h);
    gru_projection_backward(w.weight_hh, 2 * hidden + u, step.n_operand.data(), d_n_recurrent, grad.weight_hh,
                            grad.bias_hh, d_operand.data());
  }
  for (Index u = 0; u < hidden; ++u) {
    const auto i = static_cast<std::size_t>(u);
    if (form.reset == GruReset::before) d_r[i] = d_operand[i] * h[u];
    d_h[u] += form.reset == GruReset::after ? d_operand[i] : d_operand[i] * step.r[i];
    const double d_gate = d_r[i] * gate_slope(step.r[i]);
    gru_projection_backward(w.weight_ih, u, x, d_gate, grad.weight_ih, grad.bias_ih, d_x);
    gru_projection_backward(w.weight_hh, u, h, d_gate, grad.weight_hh, grad.bias_hh, d_h);
  }
}

}  // namespace heed::inline HEED_ABI::reference
