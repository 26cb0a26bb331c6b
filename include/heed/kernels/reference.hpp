#pragma once
// The textbook definitions in double: matrix product, softmax, normalisation, cross-entropy. One loop per formula, no
// tricks. This is the specification that fast kernels are compared with; recurrent steps and attention are in
// reference_gru.hpp and reference_attention.hpp, activations in reference_activation.hpp.
//
// Outputs must not overlap inputs unless a function says so. Gradients are written, not added, unless named "added".

#include <cassert>
#include <cmath>
#include <limits>

#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI::reference {

using Matrix = MatrixView<double>;
using ConstMatrix = MatrixView<const double>;
using StridedMatrix = View<const double, 2>;

inline constexpr double infinity = std::numeric_limits<double>::infinity();

inline StridedMatrix strided(ConstMatrix a) { return {a.data, {a.rows, a.cols}, {a.stride, 1}}; }
/// a^T without moving an element.
inline StridedMatrix transposed(ConstMatrix a) { return {a.data, {a.cols, a.rows}, {1, a.stride}}; }

/// c (M, N) = a (M, K) b (K, N). Use strided() or transposed() on the operands.
inline void matrix_product(StridedMatrix a, StridedMatrix b, Matrix c) {
  assert(a.dimension(0) == c.rows && b.dimension(1) == c.cols && a.dimension(1) == b.dimension(0));
  for (Index i = 0; i < c.rows; ++i) {
    for (Index j = 0; j < c.cols; ++j) {
      double sum = 0;
      for (Index k = 0; k < a.dimension(1); ++k) sum += a(i, k) * b(k, j);
      c(i, j) = sum;
    }
  }
}

/// log(sum_j exp(x_j)) over the first `visible` elements; -inf when there are none.
inline double logsumexp(const double* x, Index visible) {
  if (visible == 0) return -infinity;
  double row_max = x[0];
  for (Index j = 1; j < visible; ++j) row_max = x[j] > row_max || std::isnan(x[j]) ? x[j] : row_max;
  double sum = 0;
  for (Index j = 0; j < visible; ++j) sum += std::exp(x[j] - row_max);
  return row_max + std::log(sum);
}

/// p_j = exp(x_j) / sum over the visible elements; exactly 0 behind them. Returns the logsumexp. p may be x.
inline double softmax(const double* x, double* p, Index visible, Index size) {
  const double lse = logsumexp(x, visible);
  for (Index j = 0; j < size; ++j) p[j] = j < visible ? std::exp(x[j] - lse) : 0;
  return lse;
}

/// The same where an element takes part when allowed[j]; a row with none gives zeros and -inf.
inline double softmax(const double* x, const bool* allowed, double* p, Index size) {
  double row_max = -infinity;
  double sum = 0;
  for (Index j = 0; j < size; ++j) {
    if (allowed[j] && (x[j] > row_max || std::isnan(x[j]))) row_max = x[j];
  }
  for (Index j = 0; j < size; ++j) {
    p[j] = allowed[j] ? std::exp(x[j] - row_max) : 0;
    sum += p[j];
  }
  for (Index j = 0; j < size; ++j) p[j] = allowed[j] ? p[j] / sum : 0;
  return sum == 0 ? -infinity : row_max + std::log(sum);
}

/// d_x_j = p_j (d_p_j - sum_k p_k d_p_k).
inline void softmax_backward(const double* p, const double* d_p, double* d_x, Index size) {
  double sum = 0;
  for (Index j = 0; j < size; ++j) sum += p[j] * d_p[j];
  for (Index j = 0; j < size; ++j) d_x[j] = p[j] * (d_p[j] - sum);
}

/// y_j = x_j - logsumexp(x); -inf behind the visible elements.
inline void log_softmax(const double* x, double* y, Index visible, Index size) {
  const double lse = logsumexp(x, visible);
  for (Index j = 0; j < size; ++j) y[j] = j < visible ? x[j] - lse : -infinity;
}

/// d_x_j = d_y_j - exp(y_j) sum_k d_y_k.
inline void log_softmax_backward(const double* y, const double* d_y, double* d_x, Index size) {
  double sum = 0;
  for (Index j = 0; j < size; ++j) sum += d_y[j];
  for (Index j = 0; j < size; ++j) d_x[j] = d_y[j] - std::exp(y[j]) * sum;
}

/// Cross-entropy against target masses q (size): loss = sum_j q_j (logsumexp(x) - x_j), where an element with q_j = 0
/// takes no part; d_x_j = scale (p_j sum(q) - q_j). Label smoothing, class weights and probability targets are all
/// choices of q.
inline double cross_entropy(const double* x, const double* q, double scale, double* d_x, Index size) {
  const double lse = logsumexp(x, size);
  double loss = 0;
  double mass = 0;
  for (Index j = 0; j < size; ++j) {
    mass += q[j];
    if (q[j] != 0) loss += q[j] * (lse - x[j]);
  }
  for (Index j = 0; j < size; ++j) d_x[j] = scale * (std::exp(x[j] - lse) * mass - q[j]);
  return loss;
}

/// What one normalised row is: y = (x - mean) * inverse_deviation * weight + bias.
struct RowStatistics {
  double mean;
  double inverse_deviation;
};

/// Layer normalisation (Ba, Kiros, Hinton 2016) of one row: variance over `size`, not size - 1. weight and bias may be
/// null (1 and 0).
inline RowStatistics layer_norm(const double* x, const double* weight, const double* bias, double epsilon, double* y,
                                Index size) {
  const auto count = static_cast<double>(size);
  double mean = 0;
  for (Index j = 0; j < size; ++j) mean += x[j] / count;
  double variance = 0;
  for (Index j = 0; j < size; ++j) variance += (x[j] - mean) * (x[j] - mean) / count;
  const double inverse_deviation = 1 / std::sqrt(variance + epsilon);
  for (Index j = 0; j < size; ++j) {
    y[j] = (x[j] - mean) * inverse_deviation * (weight ? weight[j] : 1) + (bias ? bias[j] : 0);
  }
  return {mean, inverse_deviation};
}

/// With xhat = (x - mean) / deviation and g = d_y * weight: d_x = (g - mean(g) - xhat mean(g xhat)) / deviation.
/// Added: d_weight_j += d_y_j xhat_j, d_bias_j += d_y_j; either may be null.
inline void layer_norm_backward(const double* x, const double* weight, RowStatistics row, const double* d_y,
                                double* d_x, double* d_weight, double* d_bias, Index size) {
  const auto count = static_cast<double>(size);
  double mean_g = 0;
  double mean_g_xhat = 0;
  for (Index j = 0; j < size; ++j) {
    const double xhat = (x[j] - row.mean) * row.inverse_deviation;
    const double g = d_y[j] * (weight ? weight[j] : 1);
    mean_g += g / count;
    mean_g_xhat += g * xhat / count;
  }
  for (Index j = 0; j < size; ++j) {
    const double xhat = (x[j] - row.mean) * row.inverse_deviation;
    const double g = d_y[j] * (weight ? weight[j] : 1);
    d_x[j] = (g - mean_g - xhat * mean_g_xhat) * row.inverse_deviation;
    if (d_weight) d_weight[j] += d_y[j] * xhat;
    if (d_bias) d_bias[j] += d_y[j];
  }
}

/// Root-mean-square normalisation (Zhang, Sennrich 2019): y = x / sqrt(mean(x^2) + epsilon) * weight. Returns the
/// factor 1 / sqrt(...).
inline double rms_norm(const double* x, const double* weight, double epsilon, double* y, Index size) {
  double mean_square = 0;
  for (Index j = 0; j < size; ++j) mean_square += x[j] * x[j] / static_cast<double>(size);
  const double factor = 1 / std::sqrt(mean_square + epsilon);
  for (Index j = 0; j < size; ++j) y[j] = x[j] * factor * (weight ? weight[j] : 1);
  return factor;
}

/// With g = d_y * weight: d_x = factor (g - x factor^2 mean(g x)). Added: d_weight_j += d_y_j x_j factor; may be null.
inline void rms_norm_backward(const double* x, const double* weight, double factor, const double* d_y, double* d_x,
                              double* d_weight, Index size) {
  double mean_g_x = 0;
  for (Index j = 0; j < size; ++j) mean_g_x += d_y[j] * (weight ? weight[j] : 1) * x[j] / static_cast<double>(size);
  for (Index j = 0; j < size; ++j) {
    const double g = d_y[j] * (weight ? weight[j] : 1);
    d_x[j] = factor * (g - x[j] * factor * factor * mean_g_x);
    if (d_weight) d_weight[j] += d_y[j] * x[j] * factor;
  }
}

}  // namespace heed::inline HEED_ABI::reference
