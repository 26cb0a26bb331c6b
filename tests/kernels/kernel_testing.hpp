#pragma once
// What the kernel tests share: reproducible numbers, the same numbers in double, and central differences.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <heed/core/view.hpp>

namespace heed_test {

using heed::Index;
using heed::MatrixView;

/// `count` numbers spread over [-range, range], the same for the same seed.
template <class T>
std::vector<T> random_numbers(Index count, std::uint64_t seed, double range = 1) {
  std::vector<T> numbers(static_cast<std::size_t>(count));
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (T& number : numbers) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    number = static_cast<T>(range * (static_cast<double>(state >> 11) * 0x1p-52 - 1));
  }
  return numbers;
}

template <class T>
std::vector<double> in_double(const std::vector<T>& numbers) {
  return {numbers.begin(), numbers.end()};
}

template <class T>
std::vector<T> filled(Index count, T value) {
  return std::vector<T>(static_cast<std::size_t>(count), value);
}

template <class T>
MatrixView<T> matrix(std::vector<T>& storage, Index rows, Index cols) {
  return {storage.data(), rows, cols};
}
template <class T>
MatrixView<const T> matrix(const std::vector<T>& storage, Index rows, Index cols) {
  return {storage.data(), rows, cols};
}

template <class T>
inline constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();
template <class T>
inline constexpr T infinite = std::numeric_limits<T>::infinity();

/// Largest distance between `gradient` and the central differences of loss() with respect to the elements of x,
/// relative to max(1, |difference|). loss reads x anew at each call.
template <class Loss>
double gradient_error(std::vector<double>& x, const std::vector<double>& gradient, Loss&& loss) {
  if (gradient.size() != x.size()) return infinite<double>;
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double kept = x[i];
    const double step = 1e-5 * std::max(1.0, std::abs(kept));
    x[i] = kept + step;
    const double above = loss();
    x[i] = kept - step;
    const double below = loss();
    x[i] = kept;
    const double difference = (above - below) / (2 * step);
    const double error = std::abs(difference - gradient[i]) / std::max(1.0, std::abs(difference));
    largest = error <= largest ? largest : std::isnan(error) ? infinite<double> : error;
  }
  return largest;
}
/// What central differences with that step can confirm in double.
inline constexpr double gradient_tolerance = 1e-8;

inline double weighted_sum(const std::vector<double>& weights, const std::vector<double>& values) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
  return sum;
}

}  // namespace heed_test
