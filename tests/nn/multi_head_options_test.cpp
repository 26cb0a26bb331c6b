#include <heed/nn/multi_head_options.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"

using namespace heed;

TEST_CASE("sizes that are 0 take their defaults", "[nn]") {
  const MultiHeadConfig all = MultiHeadConfig{.model_dim = 12, .heads = 4, .kv_heads = 2}.complete();
  CHECK(all.head_dim == 3);
  CHECK(all.value_dim == 3);
  CHECK(all.key_dim == 12);
  CHECK(all.memory_dim == 12);
  CHECK(all.output_dim == 12);
  CHECK(MultiHeadConfig{.model_dim = 10, .heads = 4, .head_dim = 3}.complete().kv_heads == 4);
}

TEST_CASE("sizes that do not fit are refused by name", "[nn]") {
  CHECK_THROWS_WITH(MultiHeadConfig{}.complete(), Catch::Contains("model_dim is 0"));
  CHECK_THROWS_WITH((MultiHeadConfig{.model_dim = 4, .heads = 0}).complete(), Catch::Contains("heads is 0"));
  CHECK_THROWS_WITH((MultiHeadConfig{.model_dim = 4, .value_dim = -1}).complete(), Catch::Contains("-1"));
  CHECK_THROWS_WITH((MultiHeadConfig{.model_dim = 4, .extra_keys = {.learned = 2}}).complete(), Catch::Contains("2, wanted 0 or 1"));
}

TEST_CASE("heads' weights are averaged", "[nn]") {
  const auto weights = heed_test::random_tensor<double>(1, 2, 3, 4, 5);
  const auto mean = average_heads(weights);
  CHECK(mean(1, 2, 3) == Approx((weights(1, 0, 2, 3) + weights(1, 1, 2, 3) + weights(1, 2, 2, 3)) / 3));
}
