#include <heed/simd/dual.hpp>

#include <cmath>

#include "simd/simd_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;
using heed::Batch;
using heed::Dual;

namespace {

/// Everything that a dual number can be put through, as a scalar, a batch, or a dual of either.
struct Everything {
  auto operator()(auto x) const {
    using heed::select;
    auto y = heed::tanh(x * 0.5f) + heed::exp(-x) / (x * x + 2) - heed::sigmoid(x) * x;
    y = y + heed::floor(x) + heed::erf(x) + heed::log(heed::abs(x) + 1) - heed::sqrt(x * x + 0.25f);
    y = heed::fma(x, y, heed::fnma(x, x, y));
    y = y + heed::maximum(x, x * x) - heed::minimum(x, -x);
    return select(x > 0.25f, y, 3 - y);
  }
};

/// The slope of f at x from values in double.
double slope(double x) {
  const double step = 1e-6;
  return (Everything()(x + step) - Everything()(x - step)) / (2 * step);
}

constexpr double points[] = {-3.5, -1.25, -0.3, 0.1, 0.4, 0.9, 2.1, 5.5};

}  // namespace

TEMPLATE_TEST_CASE("the derivative of a dual number is that of central differences", "[simd]", float, double) {
  for (const double x : points) {
    const Dual<TestType> y = heed::differentiate(Everything(), static_cast<TestType>(x));
    CHECK(double(y.value) == Approx(Everything()(x)).epsilon(1e-5));
    CHECK(double(y.derivative) == Approx(slope(x)).epsilon(1e-4));
  }
}

TEMPLATE_TEST_CASE("a dual of batches has in each lane what a dual of scalars has", "[simd]", float, double) {
  using B = Batch<TestType>;
  for (const double x : points) {
    const B values = B(static_cast<TestType>(x)) + heed::iota<TestType>() * B(TestType(0.125));
    const Dual<B> y = heed::differentiate(Everything(), values);
    const auto at = lanes_of(values), value = lanes_of(y.value), derivative = lanes_of(y.derivative);
    for (std::size_t i = 0; i < at.size(); ++i) {
      const Dual<TestType> one = heed::differentiate(Everything(), at[i]);
      CHECK(double(value[i]) == Approx(double(one.value)).epsilon(1e-5));
      CHECK(double(derivative[i]) == Approx(double(one.derivative)).epsilon(1e-4));
    }
  }
}

TEST_CASE("a function that does not look at its argument has derivative 0", "[simd]") {
  const auto y = heed::differentiate([](auto) { return 2.5; }, 7.0);
  CHECK(y.value == 2.5);
  CHECK(y.derivative == 0);
}

TEST_CASE("select takes scalars beside batches and duals", "[simd]") {
  using B = Batch<float>;
  const B x(1.5f);
  CHECK(lanes_of(heed::select(x > 1, x, -1.0f)).front() == 1.5f);
  CHECK(lanes_of(heed::select(x > 2, x, -1.0f)).front() == -1.0f);
  CHECK(heed::select(true, 2.0, 1.0f) == 2.0);
  CHECK(heed::select(false, 1.0f, Dual<float>(3, 4)).derivative == 4);
}

TEST_CASE("the larger of two duals brings its own derivative, and NaN survives", "[simd]") {
  const Dual<double> a(1, 10), b(2, 20), nan(std::nan(""), 30);
  CHECK(heed::maximum(a, b).derivative == 20);
  CHECK(heed::minimum(a, b).derivative == 10);
  CHECK(std::isnan(heed::maximum(nan, b).value));
  CHECK(std::isnan(heed::minimum(nan, b).value));
}
