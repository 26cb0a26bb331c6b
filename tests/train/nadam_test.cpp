#include <heed/train/nadam.hpp>

#include "train/train_testing.hpp"

using heed::Nadam;
using heed_test::Element;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("Nadam follows the textbook", "[train]", float, double) {
  using T = TestType;
  const TwoTensors<T> model(1);
  const double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-3, rate = 0.01, drift = GENERATE(0.004, 1.0);
  const auto momentum = [&](int step) { return beta1 * (1 - 0.5 * std::pow(0.96, step * drift)); };
  const double worst = heed_test::error_against_textbook<T>(
      Nadam(model, {.learning_rate = rate,
                    .beta1 = beta1,
                    .beta2 = beta2,
                    .epsilon = epsilon,
                    .momentum_decay = drift,
                    .weight_decay = 0.1}),
      model, [&](Element& e, double grad, bool decays, int step) {
        if (decays) grad += 0.1 * e.value;
        auto& [m, v, unused, unused2] = e.state;
        m = beta1 * m + (1 - beta1) * grad;
        v = beta2 * v + (1 - beta2) * grad * grad;
        double product = 1;
        for (int t = 1; t <= step; ++t) product = double(float(product) * float(momentum(t)));
        const double root = std::sqrt(v / (1 - std::pow(beta2, step))) + epsilon;
        e.value -= rate * (1 - momentum(step)) / (1 - product) * grad / root;
        e.value -= rate * momentum(step + 1) / (1 - product * momentum(step + 1)) * m / root;
      });
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("Nadam gives the same bits for any number of threads and after its state was copied", "[train]") {
  heed_test::check_bits_and_state([](const auto& model) { return Nadam(model); });
}

TEST_CASE("Nadam refuses options outside their range", "[train]") {
  const TwoTensors<float> model(1);
  CHECK_THROWS_AS(Nadam(model, {.beta1 = 1}), heed::Error);
  CHECK_THROWS_AS(Nadam(model, {.momentum_decay = -1}), heed::Error);
}
