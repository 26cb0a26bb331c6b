#include <heed/kernels/finite.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

TEMPLATE_TEST_CASE("all_finite finds one NaN or infinity anywhere", "[kernels]", float, double) {
  auto x = random_numbers<TestType>(3 * 37, 1);
  const auto finite = [&](const std::vector<TestType>& y) { return heed::all_finite<TestType>(matrix(y, 3, 37)); };
  CHECK(finite(x));
  for (const TestType bad : {not_a_number<TestType>, infinite<TestType>, -infinite<TestType>})
    for (const std::size_t j : {0u, 37u + 15u, 37u + 16u, 2u * 37u + 36u}) {
      auto y = x;
      y[j] = bad;
      CHECK_FALSE(finite(y));
    }
  x.assign(x.size(), std::numeric_limits<TestType>::max());
  CHECK(finite(x));
}
