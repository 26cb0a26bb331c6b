#include <heed/kernels/flash_weights.hpp>

#include <cmath>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::flash_detail;

TEMPLATE_TEST_CASE("a register's scores become weights against its largest score, with their sums", "[kernels]", float,
                   double) {
  constexpr Index step = FlashBlocks<TestType, default_arch>::queries, width = lanes<TestType>;
  const bool terms = GENERATE(false, true);
  const Index keys = 37;
  auto scores = random_numbers<TestType>(keys * step, 1, 8);
  scores[static_cast<std::size_t>(3 * step)] = -infinite<TestType>;
  const auto before = scores;
  const TestType c = static_cast<TestType>(0.3);
  const Batch<TestType> largest(TestType(8)), exponent(c);
  const auto origin = terms ? exponent_origin<true>(largest, exponent) : exponent_origin<false>(largest, exponent);
  const auto sums = terms ? weigh_scores<TestType, default_arch, true>(scores.data(), keys, c, origin)
                          : weigh_scores<TestType, default_arch, false>(scores.data(), keys, c, origin);
  alignas(64) TestType sum[width];
  heed::store(sum, sums);
  for (Index i = 0; i < width; ++i) {
    double wanted = 0;
    for (Index j = 0; j < keys; ++j) {
      const auto at = static_cast<std::size_t>(j * step + i);
      const double weight = std::exp2((double(before[at]) - 8) * double(c));
      CHECK(close(scores[at], weight));
      wanted += weight;
    }
    CHECK(close(sum[i], wanted));
  }
  CHECK(scores[static_cast<std::size_t>(3 * step)] == 0);
  CHECK(scores[static_cast<std::size_t>(width)] == before[static_cast<std::size_t>(width)]);  // the next register
}

TEST_CASE("a row that has seen nothing is measured from 0", "[kernels]") {
  alignas(64) float reference[lanes<float>];
  heed::store(reference, exponent_reference(Batch<float>(-infinite<float>)));
  CHECK(reference[0] == 0);
  heed::store(reference, exponent_reference(Batch<float>(-3.f)));
  CHECK(reference[0] == -3);
}
