#include <heed/simd/halving.hpp>

#include "simd/simd_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;

TEMPLATE_TEST_CASE("a register's sum has the bits of the loop that halves its lanes", "[simd]", float, double) {
  using T = TestType;
  std::vector<T> lanes(static_cast<std::size_t>(heed::lanes<T>));
  for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = T(1) / static_cast<T>(3 * i + 1);
  const T found = heed::reduce_add(heed::load<T>(lanes.data()));
  for (std::size_t half = lanes.size() / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  CHECK(same_bits(found, lanes[0]));
}
