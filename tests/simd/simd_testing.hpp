#pragma once
// What the simd tests share: lanes as a vector, and distances in units in the last place.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <heed/simd/batch.hpp>

namespace heed_test {

template <class T, class Arch>
std::vector<T> lanes_of(const heed::Batch<T, Arch>& x) {
  std::vector<T> out(static_cast<std::size_t>(heed::lanes<T, Arch>));
  heed::store(out.data(), x);
  return out;
}

/// |found - wanted| in units of the last place of wanted as a T; infinite where only one is NaN or infinite.
template <class T>
double ulps(T found, long double wanted) {
  using Limits = std::numeric_limits<T>;
  const T rounded = static_cast<T>(wanted);
  if (std::isnan(found) || std::isnan(rounded))
    return std::isnan(found) && std::isnan(rounded) ? 0 : Limits::infinity();
  if (found == rounded && std::isinf(found)) return 0;
  if (std::isinf(found)) return Limits::infinity();
  int exponent = 0;
  static_cast<void>(std::frexp(std::isinf(rounded) ? Limits::max() : rounded, &exponent));
  const long double unit = std::ldexp(1.0L, std::max(exponent, Limits::min_exponent) - Limits::digits);
  return static_cast<double>(std::fabs(static_cast<long double>(found) - wanted) / unit);
}

}  // namespace heed_test
