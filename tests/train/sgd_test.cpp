#include <heed/train/sgd.hpp>

#include "train/train_testing.hpp"

using heed::Convention;
using heed::Decay;
using heed::Sgd;
using heed_test::Element;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("Sgd follows the textbook with momentum, dampening, Nesterov and decay", "[train]", float, double) {
  using T = TestType;
  const TwoTensors<T> model(1);
  const double rate = 0.05, momentum = GENERATE(0.0, 0.8);
  const double dampening = GENERATE(0.0, 0.3);
  const bool nesterov = GENERATE(false, true);
  if (nesterov && (momentum == 0 || dampening > 0)) return;
  const auto kind = nesterov ? heed::Momentum::nesterov : heed::Momentum::classical;
  const double worst = heed_test::error_against_textbook<T>(
      Sgd(model,
          {.learning_rate = rate, .momentum = momentum, .dampening = dampening, .kind = kind, .weight_decay = 0.1}),
      model, [&](Element& e, double grad, bool decays, int step) {
        if (decays) grad += 0.1 * e.value;
        double& buffer = e.state[0];
        buffer = step == 1 ? grad : momentum * buffer + (1 - dampening) * grad;
        e.value -= rate * (momentum == 0 ? grad : nesterov ? grad + momentum * buffer : buffer);
      });
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("Sgd in Keras' convention keeps the rate inside the buffer, and decays apart from the gradient", "[train]") {
  TwoTensors<double> model(1);
  const bool nesterov = GENERATE(false, true);
  const auto kind = nesterov ? heed::Momentum::nesterov : heed::Momentum::classical;
  const double worst =
      heed_test::error_against_textbook<double>(Sgd(model, {.learning_rate = 0.05,
                                                            .momentum = 0.9,
                                                            .kind = kind,
                                                            .weight_decay = 0.2,
                                                            .decay = Decay::decoupled,
                                                            .convention = Convention::keras}),
                                                model, [&](Element& e, double grad, bool decays, int) {
                                                  if (decays) e.value *= 1 - 0.05 * 0.2;
                                                  e.state[0] = 0.9 * e.state[0] - 0.05 * grad;
                                                  e.value += nesterov ? 0.9 * e.state[0] - 0.05 * grad : e.state[0];
                                                });
  CHECK(worst <= heed_test::tolerance<double>());
}

TEST_CASE("Sgd gives the same bits for any number of threads and after its state was copied", "[train]") {
  heed_test::check_bits_and_state([](const auto& model) { return Sgd(model, {.momentum = 0.9}); });
}

TEST_CASE("Sgd refuses options outside their range", "[train]") {
  const TwoTensors<float> model(1);
  CHECK_THROWS_AS(Sgd(model, {.learning_rate = -1}), heed::Error);
  CHECK_THROWS_AS(Sgd(model, {.momentum = -0.1}), heed::Error);
  CHECK_THROWS_AS(Sgd(model, {.weight_decay = std::nan("")}), heed::Error);
  CHECK_THROWS_WITH(Sgd(model, {.kind = heed::Momentum::nesterov}),
                    "Sgd: kind is nesterov, wanted with it a momentum above 0 and no dampening");
}
