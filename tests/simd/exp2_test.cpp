#include <heed/simd/exp2.hpp>

#include <bit>
#include <cmath>
#include <cstdint>

#include "simd/simd_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;
using heed::Batch;
using heed::lanes;

namespace {

template <class T>
T exp2_of(T x) {
  alignas(64) T out[lanes<T>];
  heed::store(out, heed::Exp2Nonpositive<T>()(Batch<T>(x)));
  return out[0];
}

}  // namespace

TEMPLATE_TEST_CASE("2^x for x <= 0 is within 2.3 units in the last place down to the smallest normal number", "[simd]",
                   float, double) {
  const TestType lowest = std::numeric_limits<TestType>::min_exponent - 1;
  double worst = 0;
  for (int i = 0; i < 200000; ++i) {
    const auto x = static_cast<TestType>(double(lowest) * std::pow(i / 200000.0, 3));
    worst = std::max(worst, ulps(exp2_of(x), std::exp2(static_cast<long double>(x))));
  }
  CHECK(worst <= 2.3);
  CHECK(exp2_of(lowest) == std::numeric_limits<TestType>::min());
}

TEMPLATE_TEST_CASE("2^x is exact at integers, 0 below the normal numbers, and NaN for any NaN", "[simd]", float,
                   double) {
  CHECK(exp2_of(TestType(0)) == 1);
  CHECK(exp2_of(TestType(-3)) == 0.125);
  CHECK(exp2_of(TestType(1)) == 2);
  const TestType lowest = std::numeric_limits<TestType>::min_exponent - 1;
  for (const TestType x : {std::nextafter(lowest, TestType(-2000)), TestType(-1e30),
                           std::numeric_limits<TestType>::lowest(), -std::numeric_limits<TestType>::infinity()}) {
    CHECK(same_bits(exp2_of(x), TestType(0)));
  }
  using Bits = std::conditional_t<sizeof(TestType) == 4, std::uint32_t, std::uint64_t>;
  for (const Bits payload : {Bits{0}, Bits{1}, Bits{77}}) {  // low bits reach the exponent's arithmetic
    const Bits quiet = std::bit_cast<Bits>(std::numeric_limits<TestType>::quiet_NaN());
    CHECK(std::isnan(exp2_of(std::bit_cast<TestType>(quiet | payload))));
  }
}
