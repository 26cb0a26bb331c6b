#include <heed/train/rmsprop.hpp>

#include "train/train_testing.hpp"

using heed::Convention;
using heed::MeanSquare;
using heed::Rmsprop;
using heed_test::Element;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("Rmsprop follows the textbook, centred or not, with momentum or not, in both conventions", "[train]",
                   float, double) {
  using T = TestType;
  const TwoTensors<T> model(1);
  const auto convention = GENERATE(Convention::torch, Convention::keras);
  const auto mean_square = GENERATE(MeanSquare::plain, MeanSquare::centered);
  const double rate = 0.01, smoothing = 0.9, epsilon = 1e-3, momentum = GENERATE(0.0, 0.5);
  const double worst = heed_test::error_against_textbook<T>(
      Rmsprop(model, {.learning_rate = rate,
                      .smoothing = smoothing,
                      .epsilon = epsilon,
                      .momentum = momentum,
                      .mean_square = mean_square,
                      .weight_decay = 0.1,
                      .convention = convention}),
      model, [&](Element& e, double grad, bool decays, int) {
        if (decays) grad += 0.1 * e.value;
        auto& [square, mean, buffer, unused] = e.state;
        square = smoothing * square + (1 - smoothing) * grad * grad;
        mean = smoothing * mean + (1 - smoothing) * grad;
        const double power = mean_square == MeanSquare::centered ? square - mean * mean : square;
        if (convention == Convention::torch) {
          buffer = momentum * buffer + grad / (std::sqrt(power) + epsilon);
          e.value -= rate * buffer;
        } else {
          buffer = momentum * buffer + rate * grad / std::sqrt(power + epsilon);
          e.value -= buffer;
        }
      });
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("Rmsprop gives the same bits for any number of threads and after its state was copied", "[train]") {
  heed_test::check_bits_and_state(
      [](const auto& model) { return Rmsprop(model, {.momentum = 0.9, .mean_square = MeanSquare::centered}); });
}

TEST_CASE("Rmsprop refuses options outside their range", "[train]") {
  const TwoTensors<float> model(1);
  CHECK_THROWS_AS(Rmsprop(model, {.smoothing = 1.5}), heed::Error);
  CHECK_THROWS_AS(Rmsprop(model, {.momentum = -1}), heed::Error);
  CHECK_THROWS_AS(Rmsprop(model, {.epsilon = std::nan("")}), heed::Error);
}
