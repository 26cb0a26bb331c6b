#pragma once
// Activation functions and their derivatives in double, as formulas.

#include <algorithm>
#include <cmath>
#include <numbers>

#include <heed/core/abi.hpp>

namespace heed::inline HEED_ABI::reference {

/// max(x, 0); derivative 0 at x = 0, as in torch. NaN stays NaN.
inline double relu(double x) { return x <= 0 ? 0 : x; }
inline double relu_derivative(double x) { return x <= 0 ? 0 : std::isnan(x) ? x : 1; }

/// x Phi(x) with the normal distribution Phi (Hendrycks, Gimpel 2016).
inline double gelu(double x) { return x * 0.5 * (1 + std::erf(x / std::numbers::sqrt2)); }
inline double gelu_derivative(double x) {
  const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
  return 0.5 * (1 + std::erf(x / std::numbers::sqrt2)) + x * density;
}

/// The same paper's approximation: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
inline double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}
inline double gelu_tanh_derivative(double x) {
  const double slope = std::sqrt(2 / std::numbers::pi);
  const double t = std::tanh(slope * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope * (1 + 3 * 0.044715 * x * x);
}

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double sigmoid_derivative(double x) { return sigmoid(x) * sigmoid(-x); }

/// x sigmoid(x), also called swish.
inline double silu(double x) { return x * sigmoid(x); }
inline double silu_derivative(double x) { return sigmoid(x) + x * sigmoid_derivative(x); }

inline double tanh(double x) { return std::tanh(x); }
inline double tanh_derivative(double x) { return 1 / (std::cosh(x) * std::cosh(x)); }

/// x above 0, alpha (exp(x) - 1) below (Clevert, Unterthiner, Hochreiter 2015).
inline double elu(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }
inline double elu_derivative(double x, double alpha) { return x > 0 ? 1 : alpha * std::exp(x); }

inline double leaky_relu(double x, double alpha) { return x > 0 ? x : alpha * x; }
inline double leaky_relu_derivative(double x, double alpha) { return x > 0 ? 1 : std::isnan(x) ? x : alpha; }

/// log(1 + exp(x)).
inline double softplus(double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x))); }
inline double softplus_derivative(double x) { return sigmoid(x); }

/// clip(x / 6 + 1/2, 0, 1): Keras' and torch's; derivative 1/6 inside, 0 at the corners and outside.
inline double hard_sigmoid(double x) { return std::clamp(x / 6 + 0.5, 0.0, 1.0); }
inline double hard_sigmoid_derivative(double x) { return std::isnan(x) ? x : x > -3 && x < 3 ? 1.0 / 6 : 0.0; }

}  // namespace heed::inline HEED_ABI::reference
