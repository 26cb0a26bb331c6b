#pragma once
// What the layer tests share: reproducible tensors, a scalar loss of any tensor, and rows taken out of batches.

#include <cmath>
#include <vector>

#include <heed/core/random.hpp>
#include <heed/core/tensor.hpp>

namespace heed_test {

using heed::Index;
using heed::Tensor;

/// Normal numbers, the same for the same seed.
template <class T, class... Dims>
auto random_tensor(std::uint64_t seed, Dims... dims) {
  Tensor<T, static_cast<int>(sizeof...(Dims))> tensor(static_cast<Index>(dims)...);
  heed::Rng rng{seed, 0};
  for (T& x : heed::flat(tensor)) x = static_cast<T>(rng.normal());
  return tensor;
}

/// sum of value * weight: a loss whose gradient with respect to value is weight.
template <class T, int Rank>
double weighted_total(const Tensor<T, Rank>& value, const Tensor<T, Rank>& weight) {
  double total = 0;
  for (Index i = 0; i < value.size(); ++i) total += static_cast<double>(value.data()[i]) * static_cast<double>(weight.data()[i]);
  return total;
}

/// Sample b of a batch, cut or padded with `fill` to `steps` steps.
template <class T>
Tensor<T, 3> sample_of(const Tensor<T, 3>& batch, Index b, Index steps, T fill) {
  Tensor<T, 3> one(1, steps, batch.dimension(2));
  one.setConstant(fill);
  for (Index t = 0; t < std::min(steps, batch.dimension(1)); ++t) {
    for (Index i = 0; i < batch.dimension(2); ++i) one(0, t, i) = batch(b, t, i);
  }
  return one;
}

/// Step t of every sample: (batch, features).
template <class T>
Tensor<T, 2> step_of(const Tensor<T, 3>& sequence, Index t) {
  Tensor<T, 2> step(sequence.dimension(0), sequence.dimension(2));
  for (Index b = 0; b < step.dimension(0); ++b) {
    for (Index i = 0; i < step.dimension(1); ++i) step(b, i) = sequence(b, t, i);
  }
  return step;
}

}  // namespace heed_test
