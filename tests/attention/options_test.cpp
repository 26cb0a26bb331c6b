#include <heed/attention/options.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("default options are plain full attention with nothing returned besides the output", "[attention]") {
  const AttentionOptions<float> options;
  CHECK_FALSE(options.scale.has_value());
  CHECK(options.mask.empty());
  CHECK_FALSE(bool(options.bias));
  CHECK(options.dropout.probability == 0);
  CHECK_FALSE(options.dropout.rng.has_value());
  CHECK_FALSE(options.return_weights);
  CHECK_FALSE(options.return_logsumexp);
}

TEST_CASE("options are written by name at the call site, scale from a double literal too", "[attention]") {
  const Tensor<float, 2> bias(3, 4);
  const AttentionOptions<float> options{.scale = 0.5, .mask = window(1, 0), .bias = bias, .return_weights = true};
  CHECK(*options.scale == 0.5f);
  CHECK(options.bias.view.data == bias.data());
  CHECK(options.return_weights);
}
