#include <heed/simd/math_constants.hpp>

#include <cmath>
#include <limits>

#include "support/catch.hpp"

TEMPLATE_TEST_CASE("the two parts of ln 2 add up to it and the first times any exponent is exact", "[simd]", float,
                   double) {
  using C = heed::simd_detail::MathConstants<TestType>;
  const long double ln2 = 0.693147180559945309417232121458176568L;
  const long double sum = static_cast<long double>(C::ln2_high) + static_cast<long double>(C::ln2_low);
  CHECK(std::fabs(static_cast<double>(sum - ln2)) < std::numeric_limits<TestType>::epsilon() * 1e-4);
  for (int n = -1100; n <= 1100; ++n) {
    if (sizeof(TestType) == 4 && std::abs(n) > 160) continue;
    CHECK(static_cast<long double>(TestType(n) * C::ln2_high) == n * static_cast<long double>(C::ln2_high));
  }
}

TEMPLATE_TEST_CASE("adding the rounding constant leaves an integer in the low bits", "[simd]", float, double) {
  using C = heed::simd_detail::MathConstants<TestType>;
  CHECK(C::round_magic + TestType(1) - C::round_magic == 1);
  CHECK(C::round_magic + TestType(0.4) - C::round_magic == 0);
  CHECK(C::round_magic + TestType(-2.6) - C::round_magic == -3);
}

TEMPLATE_TEST_CASE("exp's limits are where the element type under- and overflows", "[simd]", float, double) {
  using C = heed::simd_detail::MathConstants<TestType>;
  CHECK(static_cast<TestType>(std::exp(static_cast<long double>(C::exp_lowest))) == 0);
  CHECK(std::isinf(static_cast<TestType>(std::exp(static_cast<long double>(C::exp_highest)))));
  CHECK(std::tanh(C::tanh_saturates) == 1);
  CHECK(std::erf(C::erf_saturates) == 1);
}
