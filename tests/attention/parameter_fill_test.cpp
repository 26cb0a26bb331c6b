#include <heed/attention/parameter_fill.hpp>

#include <algorithm>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("fill_uniform spreads over its interval and is a function of the seed", "[attention]") {
  Tensor<float, 2> a(40, 50), b(40, 50);
  Rng first{5, 0}, second{5, 0};
  fill_uniform(a, -2, 3, first);
  fill_uniform(b, -2, 3, second);
  CHECK(same_tensor(a, b));
  const auto [low, high] = std::minmax_element(a.data(), a.data() + a.size());
  CHECK(*low >= -2);
  CHECK(*low < -1.9f);
  CHECK(*high < 3);
  CHECK(*high > 2.9f);
  fill_uniform(b, -2, 3, second);
  CHECK_FALSE(same_tensor(a, b));
}

TEST_CASE("fill_glorot stays within the bound of equation 16 and reaches it", "[attention]") {
  Tensor<double, 2> weight(30, 70);
  Rng rng{1, 0};
  fill_glorot(weight, rng);
  const double bound = std::sqrt(6.0 / 100), largest = *std::max_element(weight.data(), weight.data() + weight.size());
  CHECK(largest <= bound);
  CHECK(largest > 0.99 * bound);
}
