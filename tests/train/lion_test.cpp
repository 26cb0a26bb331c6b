#include <heed/train/lion.hpp>

#include <limits>

#include "train/train_testing.hpp"

using heed::Lion;
using heed_test::Element;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("Lion follows the textbook; without a gradient a weight only decays", "[train]", float, double) {
  using T = TestType;
  const TwoTensors<T> model(1);
  const double worst = heed_test::error_against_textbook<T>(
      Lion(model, {.learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.97, .weight_decay = 0.1}), model,
      [&](Element& e, double grad, bool decays, int) {
        if (decays) e.value *= 1 - 0.01 * 0.1;
        const double direction = 0.9 * e.state[0] + 0.1 * grad;
        e.value -= 0.01 * (direction > 0 ? 1 : direction < 0 ? -1 : 0);
        e.state[0] = 0.97 * e.state[0] + 0.03 * grad;
      });
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("Lion lets a NaN gradient reach its weight, and no other", "[train]") {
  TwoTensors<float> model(1), before = model, grad(2);
  grad.weight(0, 1) = std::numeric_limits<float>::quiet_NaN();
  Lion(model).step(model, grad);
  CHECK(std::isnan(model.weight(0, 1)));
  CHECK(std::isfinite(model.weight(0, 2)));
}

TEST_CASE("Lion gives the same bits for any number of threads and after its state was copied", "[train]") {
  heed_test::check_bits_and_state([](const auto& model) { return Lion(model); });
}

TEST_CASE("Lion refuses options outside their range", "[train]") {
  const TwoTensors<float> model(1);
  CHECK_THROWS_AS(Lion(model, {.beta2 = 1}), heed::Error);
  CHECK_THROWS_AS(Lion(model, {.learning_rate = -1}), heed::Error);
}
