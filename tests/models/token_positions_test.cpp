#include <heed/models/token_positions.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

TEST_CASE("embeddings are scaled, and the rows from `first` on are added", "[models]") {
  Rng rng{1, 0};
  Serial serial;
  const Positions kind = GENERATE(Positions::none, Positions::sinusoidal, Positions::learned, Positions::rotary,
                                  Positions::alibi, Positions::t5);
  const TokenPositions<double> positions({.kind = kind, .max_length = 9, .model_dim = 6, .heads = 3}, rng);
  const auto before = random_tensor<double>(2, 2, 4, 6);
  auto x = before;
  positions.add_to(x, 3.0, 2, serial);
  for (Index t = 0; t < 4; ++t) {
    const double added = kind == Positions::sinusoidal ? positions.sines(2 + t, 5)
                         : kind == Positions::learned  ? positions.learned.weight(2 + t, 5)
                                                       : 0;
    CHECK(x(1, t, 5) == Approx(3 * before(1, t, 5) + added));
  }
  CHECK((positions.rotary.positions() == 9) == (kind == Positions::rotary));
  CHECK((positions.slopes.size() == 3) == (kind == Positions::alibi));
  CHECK((parameter_count(positions) == 32 * 3) == (kind == Positions::t5));
}

TEST_CASE("learned positions get the sum of their steps' gradients", "[models]") {
  Rng rng{1, 0};
  const TokenPositions<double> positions({.kind = Positions::learned, .max_length = 5, .model_dim = 2}, rng);
  auto grad = zeros_like(positions);
  const auto d_x = random_tensor<double>(3, 2, 3, 2);
  positions.backward(d_x, grad);
  CHECK(grad.learned.weight(1, 0) == Approx(d_x(0, 1, 0) + d_x(1, 1, 0)));
  CHECK(grad.learned.weight(3, 0) == 0);
}

TEST_CASE("sequences longer than there are positions are refused", "[models]") {
  Rng rng{1, 0};
  const TokenPositions<double> positions({.max_length = 5, .model_dim = 2}, rng);
  positions.check_length("f", "the source", 5);
  CHECK_THROWS_WITH(positions.check_length("f", "the source", 6), Catch::Contains("length 6, wanted at most max_length 5"));
  CHECK_THROWS_WITH(TokenPositions<double>({.max_length = 0, .model_dim = 2}, rng), Catch::Contains("max_length is 0"));
}

TEST_CASE("a rotary table has the options' base, scaling and width", "[models]") {
  Rng rng{1, 0};
  PositionOptions options;
  options.rotary = {.base = 500, .scaling = {.kind = RotaryStretch::linear, .factor = 2}};
  options.rotary_dim = 4;
  const TokenPositions<double> positions(
      {.kind = Positions::rotary, .max_length = 9, .model_dim = 24, .heads = 3, .options = options}, rng);
  const auto wanted = rotary_table<double>(9, 4, options.rotary);
  CHECK(heed_test::all_same_bits(flat(positions.rotary.sine), flat(wanted.sine)));
}

TEST_CASE("a stack's call refuses what its positions set themselves, and more tokens than it has", "[models]") {
  Rng rng{1, 0};
  Serial serial;
  const auto x = random_tensor<double>(1, 1, 4, 6);
  const auto call = [&](Positions kind, const MultiHeadOptions<double>& options, Index first) {
    const TokenPositions<double> positions({.kind = kind, .max_length = 6, .model_dim = 6, .heads = 3}, rng);
    detail::PlacedCall<double>("stack", positions, options, x, first, serial);
  };
  const RotaryTable<double> table;
  const Tensor<double, 1> slopes(3);
  const Tensor<double, 2> bias(4, 4);
  MultiHeadOptions<double> biased;
  biased.bias = bias;
  CHECK_THROWS_WITH(call(Positions::rotary, {.rotary = &table}, 0), Catch::Contains("stack: options.rotary is given"));
  CHECK_THROWS_WITH(call(Positions::alibi, {.alibi_slopes = slopes}, 0), Catch::Contains("options.alibi_slopes"));
  CHECK_THROWS_WITH(call(Positions::t5, biased, 0), Catch::Contains("options.bias"));
  CHECK_NOTHROW(call(Positions::alibi, biased, 9));
  for (const Positions kind : {Positions::rotary, Positions::learned, Positions::sinusoidal})
    CHECK_THROWS_WITH(call(kind, {}, 3), Catch::Contains("x has length 7, wanted at most max_length 6"));
}
