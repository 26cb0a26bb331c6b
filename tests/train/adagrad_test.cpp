#include <heed/train/adagrad.hpp>

#include "train/train_testing.hpp"

using heed::Adagrad;
using heed::Convention;
using heed_test::Element;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("Adagrad follows the textbook in both conventions", "[train]", float, double) {
  using T = TestType;
  const TwoTensors<T> model(1);
  const auto convention = GENERATE(Convention::torch, Convention::keras);
  const double worst = heed_test::error_against_textbook<T>(
      Adagrad(model, {.learning_rate = 0.1,
                      .rate_decay = 0.05,
                      .epsilon = 1e-3,
                      .initial_sum = 0.2,
                      .weight_decay = 0.1,
                      .convention = convention}),
      model, [&](Element& e, double grad, bool decays, int step) {
        if (decays) grad += 0.1 * e.value;
        double& sum = e.state[0];
        sum = (step == 1 ? 0.2 : sum) + grad * grad;
        const double rate = 0.1 / (1 + (step - 1) * 0.05);
        const bool torch = convention == Convention::torch;
        e.value -= rate * grad / (torch ? std::sqrt(sum) + 1e-3 : std::sqrt(sum + 1e-3));
      });
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("Adagrad gives the same bits for any number of threads and after its state was copied", "[train]") {
  heed_test::check_bits_and_state([](const auto& model) { return Adagrad(model, {.initial_sum = 0.1}); });
}

TEST_CASE("Adagrad refuses options outside their range", "[train]") {
  const TwoTensors<float> model(1);
  CHECK_THROWS_AS(Adagrad(model, {.rate_decay = -1}), heed::Error);
  CHECK_THROWS_AS(Adagrad(model, {.initial_sum = -1}), heed::Error);
}
