#pragma once
// The one place that says how far a result may be from its reference, and how the distance is measured.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <type_traits>

namespace heed_test {

/// What a result of T may differ by from a reference in double, relative to max(1, |reference|): some hundred roundings.
template <class T>
constexpr double tolerance() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  return std::is_same_v<T, float> ? 2e-5 : 1e-12;
}

/// |found - wanted| / max(1, |wanted|); 0 for two NaNs or equal infinities, infinite where only one is NaN.
inline double error(double found, double wanted) {
  if (std::isnan(found) && std::isnan(wanted)) return 0;
  if (found == wanted) return 0;
  const double distance = std::abs(found - wanted) / std::fmax(1.0, std::abs(wanted));
  return std::isfinite(distance) ? distance : std::numeric_limits<double>::infinity();
}

/// The largest error over two ranges of numbers; infinite where their lengths differ.
template <class Found, class Wanted>
double largest_error(const Found& found, const Wanted& wanted) {
  if (std::size(found) != std::size(wanted)) return std::numeric_limits<double>::infinity();
  double largest = 0;
  auto other = std::begin(wanted);
  for (const auto value : found) largest = std::fmax(largest, error(double(value), double(*other++)));
  return largest;
}

/// found within tolerance<T>() of wanted.
template <class T>
bool close(T found, double wanted) {
  return error(double(found), wanted) <= tolerance<T>();
}

/// Every element within tolerance of its reference; T is the element type of `found`.
template <class Found, class Wanted>
bool all_close(const Found& found, const Wanted& wanted) {
  return largest_error(found, wanted) <= tolerance<std::remove_cvref_t<decltype(*std::begin(found))>>();
}

/// The same bits, NaN payloads and signs of zero included.
template <class T>
bool same_bits(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b);
}
template <class A, class B>
bool all_same_bits(const A& a, const B& b) {
  if (std::size(a) != std::size(b)) return false;
  auto other = std::begin(b);
  for (const auto value : a)
    if (!same_bits(value, *other++)) return false;
  return true;
}

}  // namespace heed_test
