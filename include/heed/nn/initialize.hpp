#pragma once
// How parameters start. Every value is drawn from an Rng in memory order, so a seed gives the same model everywhere.
//
//   Glorot (X. Glorot, Y. Bengio, AISTATS 2010, eq. 16):    uniform in +-sqrt(6 / (fan_in + fan_out))
//   He (K. He et al., ICCV 2015, eq. 10):                   normal with variance 2 / fan_in
//   orthogonal (A. Saxe et al., ICLR 2014):                 orthonormal rows or columns, uniformly distributed

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/random.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// Whether a layer adds a bias.
enum class Bias { no, yes };

/// Every element uniform in [low, high). Throws heed::Error unless low <= high are finite.
template <class T, int Rank>
void uniform(Tensor<T, Rank>& tensor, double low, double high, Rng& rng) {
  check(low <= high && std::isfinite(high - low), [&] {
    return "uniform: low is " + std::to_string(low) + " and high " + std::to_string(high) + ", wanted low <= high";
  });
  for (T& value : flat(tensor)) value = static_cast<T>(rng.uniform(low, high));
}

/// Every element normal. Throws heed::Error unless mean is finite and deviation finite and not negative.
template <class T, int Rank>
void normal(Tensor<T, Rank>& tensor, double mean, double deviation, Rng& rng) {
  check(std::isfinite(mean) && deviation >= 0 && std::isfinite(deviation), [&] {
    return "normal: mean is " + std::to_string(mean) + " and deviation " + std::to_string(deviation) +
           ", wanted finite ones and a deviation of at least 0";
  });
  for (T& value : flat(tensor)) value = static_cast<T>(mean + deviation * rng.normal());
}

/// How many inputs reach one output of a weight (out, in, receptive field...), and how many outputs one input reaches.
struct Fans {
  double in, out;
};
template <class T, int Rank>
requires(Rank >= 2) Fans fans(const Tensor<T, Rank>& weight) {
  double field = 1;
  for (int axis = 2; axis < Rank; ++axis)
    field *= static_cast<double>(weight.dimension(static_cast<std::size_t>(axis)));
  return {static_cast<double>(weight.dimension(1)) * field, static_cast<double>(weight.dimension(0)) * field};
}

/// Glorot and Bengio's uniform start of a weight (out, in, ...).
template <class T, int Rank>
void glorot_uniform(Tensor<T, Rank>& weight, Rng& rng) {
  const Fans fan = fans(weight);
  if (weight.size() == 0) return;
  const double bound = std::sqrt(6 / (fan.in + fan.out));
  uniform(weight, -bound, bound, rng);
}

/// He's normal start of a weight (out, in, ...) that a relu follows.
template <class T, int Rank>
void he_normal(Tensor<T, Rank>& weight, Rng& rng) {
  if (weight.size() > 0) normal(weight, 0, std::sqrt(2 / fans(weight).in), rng);
}

namespace detail {

/// Takes from row i what it shares with the rows above, then gives it length 1. Twice, since once leaves rounding
/// behind.
inline void orthonormalise_row(std::vector<double>& rows, Index i, Index size) {
  double* const row = rows.data() + i * size;
  for (int pass = 0; pass < 2; ++pass) {
    for (Index other = 0; other < i; ++other) {
      const double* const above = rows.data() + other * size;
      double shared = 0;
      for (Index j = 0; j < size; ++j) shared += row[j] * above[j];
      for (Index j = 0; j < size; ++j) row[j] -= shared * above[j];
    }
  }
  double square = 0;
  for (Index j = 0; j < size; ++j) square += row[j] * row[j];
  for (Index j = 0; j < size; ++j) row[j] /= std::sqrt(square);
}

}  // namespace detail

/// weight (rows, cols): gain times orthonormal rows where rows <= cols, orthonormal columns otherwise. Gram and
/// Schmidt's procedure in double on normal numbers, whose result is uniform over all such matrices.
template <class T>
void orthogonal(Tensor<T, 2>& weight, Rng& rng, double gain = 1) {
  const Index rows = weight.dimension(0), cols = weight.dimension(1);
  const Index count = std::min(rows, cols), size = std::max(rows, cols);
  std::vector<double> basis(static_cast<std::size_t>(count * size));
  for (double& value : basis) value = rng.normal();
  for (Index i = 0; i < count; ++i) detail::orthonormalise_row(basis, i, size);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) {
      weight(i, j) = static_cast<T>(gain * basis[static_cast<std::size_t>(rows <= cols ? i * size + j : j * size + i)]);
    }
  }
}

}  // namespace heed::inline HEED_ABI
