#pragma once
// How the parameters of attention layers start; drawn from an Rng in memory order, so a seed gives the same layer
// anywhere.

#include <cmath>

#include <heed/core/random.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// Every element uniform in [low, high).
template <class T, int Rank>
void fill_uniform(Tensor<T, Rank>& tensor, double low, double high, Rng& rng) {
  for (T& value : flat(tensor)) value = static_cast<T>(rng.uniform(low, high));
}

/// Uniform in +-sqrt(6 / (in + out)) for a weight (out, in): X. Glorot, Y. Bengio, AISTATS 2010, equation 16.
template <class T>
void fill_glorot(Tensor<T, 2>& weight, Rng& rng) {
  const double bound = std::sqrt(6 / static_cast<double>(weight.dimension(0) + weight.dimension(1)));
  fill_uniform(weight, -bound, bound, rng);
}

}  // namespace heed::inline HEED_ABI
