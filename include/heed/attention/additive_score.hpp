#pragma once
// The vector v of additive scores v . tanh(...), as parameters.

#include <cmath>

#include <heed/core/role.hpp>
#include <heed/core/tensor.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// v, with a bias or a norm of its own where wanted. The bias shifts all scores of a row alike: it changes no result
/// and has a gradient of 0; it is here for checkpoints that hold one.
template <Real T>
struct AdditiveScore {
  Tensor<T, 2> weight;  // (1, units)
  Tensor<T, 1> bias;    // (1) or empty
  Tensor<T, 1> gain;    // (1): v is gain * weight / |weight|; empty: v is weight

  static void fields(auto&& visit, auto&... self) {
    visit("weight", self.weight...);
    visit("bias", self.bias..., Role::no_decay);
    visit("gain", self.gain..., Role::no_decay);
  }

  T norm() const { return std::sqrt(dot(weight.data(), weight.data(), weight.size())); }
  /// v (units).
  void effective(T* v) const {
    const T factor = gain.size() > 0 ? gain(0) / norm() : T(1);
    for (Index u = 0; u < weight.size(); ++u) v[u] = gain.size() > 0 ? factor * weight(0, u) : weight(0, u);
  }
  /// d_v (units) -> adds to grad.
  void backward(const T* d_v, AdditiveScore& grad) const {
    if (gain.size() == 0) return add_row(grad.weight.data(), d_v, weight.size());
    const T length = norm(), along = dot(weight.data(), d_v, weight.size()) / length;
    grad.gain(0) += along;
    for (Index u = 0; u < weight.size(); ++u) {
      grad.weight(0, u) += gain(0) / length * (d_v[u] - weight(0, u) / length * along);
    }
  }
};

}  // namespace heed::inline HEED_ABI
