#include <heed/train/radam.hpp>

#include "train/train_testing.hpp"

using heed::Radam;
using heed_test::Element;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("Radam follows the textbook before and after its variance is known", "[train]", float, double) {
  using T = TestType;
  const TwoTensors<T> model(1);
  const double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-3, rate = 0.01;
  int adaptive_steps = 0;
  const double worst = heed_test::error_against_textbook<T>(
      Radam(model, {.learning_rate = rate, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = 0.1}),
      model, [&](Element& e, double grad, bool decays, int step) {
        if (decays) grad += 0.1 * e.value;
        auto& [m, v, unused, unused2] = e.state;
        m = beta1 * m + (1 - beta1) * grad;
        v = beta2 * v + (1 - beta2) * grad * grad;
        const double mean = m / (1 - std::pow(beta1, step)), power = std::pow(beta2, step);
        const double limit = 2 / (1 - beta2) - 1, length = limit - 2 * step * power / (1 - power);
        if (length <= 5) {
          e.value -= rate * mean;
        } else {
          ++adaptive_steps;
          const double known = std::sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length));
          e.value -= rate * known * mean * std::sqrt(1 - power) / (std::sqrt(v) + epsilon);
        }
      });
  CHECK(worst <= heed_test::tolerance<T>());
  CHECK(adaptive_steps > 0);
}

TEST_CASE("Radam gives the same bits for any number of threads and after its state was copied", "[train]") {
  heed_test::check_bits_and_state([](const auto& model) { return Radam(model); });
}

TEST_CASE("Radam refuses options outside their range", "[train]") {
  const TwoTensors<float> model(1);
  CHECK_THROWS_AS(Radam(model, {.beta1 = 1}), heed::Error);
  CHECK_THROWS_AS(Radam(model, {.beta2 = 2}), heed::Error);
}
