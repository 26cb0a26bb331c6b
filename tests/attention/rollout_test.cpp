#include <heed/attention/rollout.hpp>

#include <vector>

#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;

namespace {

/// Weights (1, 2, 3, 3) of two heads, rows of which add up to 1.
template <class T>
Tensor<T, 4> layer(std::vector<T> one, std::vector<T> two) {
  Tensor<T, 4> weights(1, 2, 3, 3);
  std::copy(one.begin(), one.end(), weights.data());
  std::copy(two.begin(), two.end(), weights.data() + 9);
  return weights;
}

template <class T>
std::vector<Tensor<T, 4>> two_layers() {
  return {layer<T>({1, 0, 0, 0, 1, 0, 0.5, 0, 0.5}, {0, 1, 0, 0.5, 0.5, 0, 0.5, 0.5, 0}),
          layer<T>({0, 0, 1, 1, 0, 0, 0, 1, 0}, {0, 0, 1, 0, 0, 1, 0, 1, 0})};
}

}  // namespace

TEMPLATE_TEST_CASE("rollout multiplies the layers' mean weights with their residuals, last layer first", "[attention]",
                   float, double) {
  using T = TestType;
  const auto layers = two_layers<T>();
  // layer 1 with residual: .75 .25 0 | .125 .875 0 | .25 .125 .625; layer 2: .5 0 .5 | .25 .5 .25 | 0 .5 .5
  const std::vector<double> wanted = {0.5, 0.1875, 0.3125, 0.3125, 0.53125, 0.15625, 0.1875, 0.5, 0.3125};
  CHECK(heed_test::all_close(flat(attention_rollout<T>(layers)), wanted));
  CHECK(heed_test::all_close(flat(attention_rollout<T>(std::span(layers).first(1))),
                             std::vector<double>{0.75, 0.25, 0, 0.125, 0.875, 0, 0.25, 0.125, 0.625}));
}

TEST_CASE("heads are fused by their largest or smallest weight, and rows still add up to 1", "[attention]") {
  const auto layers = two_layers<double>();
  const auto one = std::span(layers).first(1);
  const auto largest = attention_rollout<double>(one, {.residual = 0, .fusion = HeadFusion::largest});
  CHECK(largest(0, 0, 0) == Approx(0.5));
  CHECK(largest(0, 2, 1) == Approx(1.0 / 3));
  const auto smallest = attention_rollout<double>(one, {.residual = 0, .fusion = HeadFusion::smallest});
  CHECK(smallest(0, 0, 0) == 0);  // no head shares a key: an empty row stays empty
  CHECK(smallest(0, 1, 1) == 1);
  const auto all = attention_rollout<double>(layers, {.residual = 0.2, .fusion = HeadFusion::largest});
  for (Index i = 0; i < 3; ++i) CHECK(all(0, i, 0) + all(0, i, 1) + all(0, i, 2) == Approx(1));
  const auto identity = attention_rollout<double>(layers, {.residual = 1});
  CHECK(identity(0, 1, 1) == 1);
  CHECK(identity(0, 1, 2) == 0);
}

TEMPLATE_TEST_CASE("a head's entropy is the mean over queries that see something", "[attention]", float, double) {
  using T = TestType;
  auto weights = layer<T>({1, 0, 0, 0.5, 0.5, 0, 0.25, 0.25, 0.5}, {0, 0, 0, 0, 0, 0, 0, 0, 0});
  auto found = head_entropy(weights);
  CHECK(double(found(0, 0)) == Approx((0 + std::log(2.0) + 1.5 * std::log(2.0)) / 3));
  CHECK(found(0, 1) == 0);
  for (Index j = 0; j < 3; ++j) weights(0, 0, 0, j) = 0;
  CHECK(double(head_entropy(weights)(0, 0)) == Approx(2.5 * std::log(2.0) / 2));
}

TEST_CASE("rollout refuses no layers, shapes that differ and shares that are none", "[attention]") {
  const auto layers = two_layers<float>();
  CHECK_THROWS_WITH(attention_rollout<float>({}), "attention_rollout: there are no layers, wanted at least 1");
  CHECK_THROWS_AS(attention_rollout<float>(layers, {.residual = 1.5}), Error);
  auto odd = layers;
  odd[1] = Tensor<float, 4>(1, 2, 3, 4);
  CHECK_THROWS_WITH(attention_rollout<float>(odd),
                    "attention_rollout: weights has shape (1, 2, 3, 4), wanted (1, any, 3, 3)");
}
