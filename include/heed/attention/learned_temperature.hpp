#pragma once
// Attention whose sharpness is learned, a number per head: score / temperature[head], kept as a logarithm so that it
// stays positive. A score callable (attention/modifier.hpp) on top of the call's own scale.
//   J. Lin et al., "Learning When to Concentrate or Divert Attention: Self-Adaptive Attention Temperature for Neural
//   Machine Translation", EMNLP 2018, with a temperature per head instead of one per step.

#include <string>

#include <heed/core/check.hpp>
#include <heed/core/role.hpp>
#include <heed/core/tensor.hpp>
#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

/// attend(query, key, value, options, temperature); in the backward score(temperature, grad).
template <class T>
struct LearnedTemperature {
  Tensor<T, 1> log_temperature;  // (heads)

  static void fields(auto&& visit, auto&... self) { visit("log_temperature", self.log_temperature..., Role::no_decay); }

  LearnedTemperature() = default;
  /// Temperature 1. Throws heed::Error for fewer than one head.
  explicit LearnedTemperature(Index heads) {
    check(heads > 0, [&] { return "LearnedTemperature: heads is " + std::to_string(heads) + ", wanted at least 1"; });
    log_temperature = zeros<T, 1>({heads});
  }

  auto operator()(auto score, auto at) const { return score * heed::exp(-log_temperature(at.head)); }
  void backward(T score, auto at, T d_score, LearnedTemperature& grad) const {
    grad.log_temperature(at.head) -= d_score * score * heed::exp(-log_temperature(at.head));
  }
};

}  // namespace heed::inline HEED_ABI
