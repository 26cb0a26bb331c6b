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

TEST_CASE("an encoder's positions are what its caller could tell it, bit by bit", "[models]") {
  Rng rng{1, 0};
  TransformerStackConfig config{small_layer(NormPlace::before, NormKind::layer, Gate::no, 0), 2, FinalNorm::yes};
  config.positions =
      GENERATE(Positions::sinusoidal, Positions::learned, Positions::rotary, Positions::alibi, Positions::t5);
  config.position_options = {.rotary_pairs = RotaryPairs::interleaved, .buckets = 8, .max_distance = 9};
  config.position_options.rotary.scaling = {.kind = RotaryStretch::linear, .factor = 2};
  config.max_length = 7;
  const auto encoder = with_random_parameters(TransformerEncoder<double>(config, rng));
  auto plain = encoder;
  plain.positions = {};
  const auto& own = encoder.positions;
  const auto x = random_tensor<double>(1, 2, 5, 4);
  auto input = x;
  const Tensor<double, 2>& rows = config.positions == Positions::learned ? own.learned.weight : own.sines;
  for (Index i = 0; i < x.size() && rows.size() > 0; ++i) input.data()[i] += rows.data()[i % 20];
  MultiHeadOptions<double> options{.mask = causal()};
  if (config.positions == Positions::alibi) options.alibi_slopes = own.slopes;
  if (config.positions == Positions::rotary)
    options.rotary = &own.rotary, options.rotary_call.pairs = RotaryPairs::interleaved;
  const Tensor<double, 3> bias = config.positions == Positions::t5
                                     ? bucket_bias(own.relative_attention_bias.weight,
                                                   RelativeBuckets({.buckets = 8, .max_distance = 9}), 5, 5)
                                     : Tensor<double, 3>();
  if (bias.size() > 0) options.bias = bias;
  CHECK(all_same_bits(flat(encoder.forward(x, {.mask = causal()})), flat(plain.forward(input, options))));
}

TEST_CASE("an encoder without layers is refused", "[models]") {
  Rng rng{1, 0};
  CHECK_THROWS_WITH(TransformerEncoder<double>({.layers = 0}, rng), Catch::Contains("layers is 0, wanted at least 1"));
}
