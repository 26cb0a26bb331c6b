#include <heed/models/token_positions.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

TEST_CASE("embeddings are scaled, and the rows from `first` on are added", "[models]") {
  Rng rng{1, 0};
  Serial serial;
  const Positions kind = GENERATE(Positions::sinusoidal, Positions::learned, Positions::rotary, Positions::alibi);
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
