#include <heed/models/transformer_encoder.hpp>

#include "nn/transformer_layer_testing.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("an encoder is its layers one behind the other, and its norm where it has one", "[models]") {
  const FinalNorm last = GENERATE(FinalNorm::no, FinalNorm::yes);
  Rng rng{1, 0};
  const auto encoder = with_random_parameters(
      TransformerEncoder<double>({small_layer(NormPlace::before, NormKind::layer, Gate::no, 0), 3, last}, rng));
  const auto x = random_tensor<double>(1, 2, 5, 4);
  auto wanted = x;
  for (const auto& layer : encoder.layers) wanted = layer.forward(wanted, {.mask = causal()});
  if (last == FinalNorm::yes) wanted = encoder.norm.layer.forward(wanted);
  CHECK(all_same_bits(flat(encoder.forward(x, {.mask = causal()})), flat(wanted)));
}

TEST_CASE("an encoder without layers is refused", "[models]") {
  Rng rng{1, 0};
  CHECK_THROWS_WITH(TransformerEncoder<double>({.layers = 0}, rng), Catch::Contains("layers is 0, wanted at least 1"));
}
