#include <heed/nn/extra_keys.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::random_tensor;

TEST_CASE("a widened mask hides what it hid and shows the extra keys; a bias is 0 there", "[nn]") {
  const auto bias = random_tensor<double>(1, 3, 4);
  const detail::WidenedScores<double> scores("f", causal(Corner::bottom_right), bias, {2, 2, 3, 6}, 2);
  const BoundMask wide("f", scores.mask(), {2, 2, 3, 6});
  for (Index i = 0; i < 3; ++i)
    for (Index j = 0; j < 6; ++j) {
      CHECK(wide.visible(1, 1, i, j) == (j >= 4 || j <= i + 1));
      CHECK(scores.bias().row(0, 0, i)[j * scores.bias().step(3)] == (j >= 4 ? 0 : bias(i, j)));
    }
}

TEST_CASE("without extra keys mask and bias are those given", "[nn]") {
  const auto bias = random_tensor<double>(1, 3, 4);
  const detail::WidenedScores<double> scores("f", causal(), bias, {2, 2, 3, 4}, 0);
  CHECK(scores.bias().view.data == bias.data());
  CHECK(scores.mask().causality == Causality::square);
}

TEST_CASE("gradients lose the extra columns and steps, which a learned key gets", "[nn]") {
  auto wide = random_tensor<double>(1, 1, 2, 3, 6);
  const auto kept = wide;
  const auto narrow = detail::narrow_bias(std::move(wide), Extents<4>{1, 2, 3, 4}, 2);
  CHECK(narrow(0, 1, 2, 3) == kept(0, 1, 2, 3));
  const auto one = detail::narrow_bias(Tensor<double, 4>(kept), Extents<4>{1, 2, 3, 1}, 2);
  CHECK(one(0, 1, 2, 0) == Approx(kept(0, 1, 2, 0) + kept(0, 1, 2, 1) + kept(0, 1, 2, 2) + kept(0, 1, 2, 3)));
  auto d = random_tensor<double>(2, 2, 5, 3);
  const auto before = d;
  Tensor<double, 3> learned = zeros<double, 3>({1, 1, 3});
  detail::take_extra_keys(d, 2, learned);
  REQUIRE(extents(d) == Extents<3>{2, 3, 3});
  CHECK(d(1, 2, 1) == before(1, 2, 1));
  CHECK(learned(0, 0, 1) == Approx(before(0, 3, 1) + before(1, 3, 1)));
}
