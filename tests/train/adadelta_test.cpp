#include <heed/train/adadelta.hpp>

#include "train/train_testing.hpp"

using heed::Adadelta;
using heed_test::Element;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("Adadelta follows the textbook", "[train]", float, double) {
  using T = TestType;
  const TwoTensors<T> model(1);
  const double worst = heed_test::error_against_textbook<T>(
      Adadelta(model, {.learning_rate = 0.8, .smoothing = 0.9, .epsilon = 1e-3, .weight_decay = 0.1}), model,
      [&](Element& e, double grad, bool decays, int) {
        if (decays) grad += 0.1 * e.value;
        auto& [square, moved, unused, unused2] = e.state;
        square = 0.9 * square + 0.1 * grad * grad;
        const double step = std::sqrt(moved + 1e-3) / std::sqrt(square + 1e-3) * grad;
        moved = 0.9 * moved + 0.1 * step * step;
        e.value -= 0.8 * step;
      });
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("Adadelta gives the same bits for any number of threads and after its state was copied", "[train]") {
  heed_test::check_bits_and_state([](const auto& model) { return Adadelta(model); });
}

TEST_CASE("Adadelta refuses options outside their range", "[train]") {
  const TwoTensors<float> model(1);
  CHECK_THROWS_AS(Adadelta(model, {.smoothing = 1.5}), heed::Error);
}
