#include <heed/simd/bits.hpp>

#include <bit>

#include "simd/simd_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

TEMPLATE_TEST_CASE("a register's bits and exponents come out and go back in", "[simd]", float, double) {
  using T = TestType;
  using namespace heed::simd_detail;
  for (const T x : {T(1), T(-2.5), T(3e-30), T(0)}) {
    const heed::Batch<T> batch(x);
    CHECK(lanes_of(from_bits<T, heed::default_arch>(to_bits<T, heed::default_arch>(batch))).back() == x);
  }
  for (const T n : {T(0), T(5), T(-20)})
    CHECK(lanes_of(power_of_two<T, heed::default_arch>(heed::Batch<T>(n))).front() == std::ldexp(T(1), static_cast<int>(n)));
}
