#include <heed/train/adam.hpp>

#include "train/train_testing.hpp"

using heed::Adam;
using heed::Convention;
using heed::Decay;
using heed::SecondMoment;
using heed_test::Element;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("Adam, AMSGrad and AdamW follow the textbook in both conventions", "[train]", float, double) {
  using T = TestType;
  const TwoTensors<T> model(1);
  const auto convention = GENERATE(Convention::torch, Convention::keras);
  const auto decay = GENERATE(Decay::l2, Decay::decoupled);
  const auto moment = GENERATE(SecondMoment::average, SecondMoment::largest);
  const double rate = 0.02, beta1 = 0.8, beta2 = 0.95, epsilon = 1e-3, weight_decay = 0.2;
  const double worst = heed_test::error_against_textbook<T>(
      Adam(model, {.learning_rate = rate,
                   .beta1 = beta1,
                   .beta2 = beta2,
                   .epsilon = epsilon,
                   .weight_decay = weight_decay,
                   .decay = decay,
                   .second_moment = moment,
                   .convention = convention}),
      model, [&](Element& e, double grad, bool decays, int step) {
        if (decays && decay == Decay::l2) grad += weight_decay * e.value;
        if (decays && decay == Decay::decoupled) e.value -= rate * weight_decay * e.value;
        auto& [m, v, peak, unused] = e.state;
        m = beta1 * m + (1 - beta1) * grad;
        v = beta2 * v + (1 - beta2) * grad * grad;
        peak = std::max(peak, v);
        const double power = moment == SecondMoment::largest ? peak : v;
        const double correction1 = 1 - std::pow(beta1, step), correction2 = 1 - std::pow(beta2, step);
        if (convention == Convention::torch) {
          e.value -= rate * (m / correction1) / (std::sqrt(power / correction2) + epsilon);
        } else {
          e.value -= rate * std::sqrt(correction2) / correction1 * m / (std::sqrt(power) + epsilon);
        }
      });
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("Adam's first step moves every weight by the learning rate against its gradient's sign", "[train]") {
  TwoTensors<double> model(1), before = model;
  const TwoTensors<double> grad(2);
  Adam(model, {.learning_rate = 0.01, .epsilon = 0}).step(model, grad);
  for (Eigen::Index i = 0; i < model.weight.size(); ++i) {
    const double moved = model.weight.data()[i] - before.weight.data()[i];
    CHECK(moved == Approx(grad.weight.data()[i] > 0 ? -0.01 : 0.01));
  }
}

TEST_CASE("Adam gives the same bits for any number of threads and after its state was copied", "[train]") {
  heed_test::check_bits_and_state(
      [](const auto& model) { return Adam(model, {.weight_decay = 0.1, .second_moment = SecondMoment::largest}); });
}

TEST_CASE("Adam refuses options outside their range", "[train]") {
  const TwoTensors<float> model(1);
  CHECK_THROWS_AS(Adam(model, {.beta1 = 1}), heed::Error);
  CHECK_THROWS_AS(Adam(model, {.beta2 = -0.5}), heed::Error);
  CHECK_THROWS_AS(Adam(model, {.epsilon = -1e-8}), heed::Error);
  CHECK_THROWS_AS(Adam(model, {.learning_rate = std::nan("")}), heed::Error);
  TwoTensors<float> other(1);
  Adam optimizer(model);
  optimizer.options.second_moment = SecondMoment::largest;
  CHECK_THROWS_AS(optimizer.step(other, model), heed::Error);
}
