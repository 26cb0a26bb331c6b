#include <heed/kernels/reference_gru.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"

namespace reference = heed::reference;
using heed::Index;
using namespace heed_test;
using Numbers = std::vector<double>;

namespace {
struct Problem {
  static constexpr Index input = 3, hidden = 4;
  Numbers weight_ih = random_numbers<double>(3 * hidden * input, 1);
  Numbers weight_hh = random_numbers<double>(3 * hidden * hidden, 2);
  Numbers bias_ih = random_numbers<double>(3 * hidden, 3);
  Numbers bias_hh = random_numbers<double>(3 * hidden, 4);
  Numbers x = random_numbers<double>(input, 5);
  Numbers h = random_numbers<double>(hidden, 6);

  reference::GruWeights weights() const {
    return {matrix(weight_ih, 3 * hidden, input), matrix(weight_hh, 3 * hidden, hidden), bias_ih.data(),
            bias_hh.data()};
  }
};
}  // namespace

TEST_CASE("the reference GRU step computes one unit by hand in both reset forms", "[kernels]") {
  const Numbers weight_ih{0.5, -1, 2}, weight_hh{1, 0.25, -0.5}, bias_ih{0.1, 0.2, 0.3}, bias_hh{-0.1, 0, 0.4};
  const reference::GruWeights weights{matrix(weight_ih, 3, 1), matrix(weight_hh, 3, 1), bias_ih.data(), bias_hh.data()};
  const double x = 0.6, h = -0.8;
  const double r = 1 / (1 + std::exp(-(0.5 * x + 0.1 + 1 * h - 0.1)));
  const double z = 1 / (1 + std::exp(-(-1 * x + 0.2 + 0.25 * h + 0)));
  const double after = std::tanh(2 * x + 0.3 + r * (-0.5 * h + 0.4));
  const double before = std::tanh(2 * x + 0.3 + (-0.5 * (r * h) + 0.4));
  const auto step_after = reference::gru_step(weights, {.reset = reference::GruReset::after}, &x, &h);
  const auto step_before = reference::gru_step(weights, {.reset = reference::GruReset::before}, &x, &h);
  CHECK(step_after.next[0] == Approx((1 - z) * after + z * h).epsilon(1e-14));
  CHECK(step_before.next[0] == Approx((1 - z) * before + z * h).epsilon(1e-14));
}

TEST_CASE("the gradients of the reference GRU step are its central differences", "[kernels]") {
  const auto reset = GENERATE(reference::GruReset::after, reference::GruReset::before);
  const auto gate = GENERATE(reference::GruGate::sigmoid, reference::GruGate::hard_sigmoid);
  const reference::GruForm form{.reset = reset, .gate = gate};
  Problem p;
  const Numbers up = random_numbers<double>(Problem::hidden, 7);
  const auto loss = [&] {
    return weighted_sum(up, reference::gru_step(p.weights(), form, p.x.data(), p.h.data()).next);
  };
  const auto step = reference::gru_step(p.weights(), form, p.x.data(), p.h.data());
  Numbers d_weight_ih(p.weight_ih.size(), 0.0), d_weight_hh(p.weight_hh.size(), 0.0), d_bias_ih(12, 0.0),
      d_bias_hh(12, 0.0), d_x(3), d_h(4);
  const reference::GruGradients grad{matrix(d_weight_ih, 12, 3), matrix(d_weight_hh, 12, 4), d_bias_ih.data(),
                                     d_bias_hh.data()};
  reference::gru_step_backward(p.weights(), form, p.x.data(), p.h.data(), step, up.data(), d_x.data(), d_h.data(),
                               grad);
  CHECK(gradient_error(p.x, d_x, loss) < gradient_tolerance);
  CHECK(gradient_error(p.h, d_h, loss) < gradient_tolerance);
  CHECK(gradient_error(p.weight_ih, d_weight_ih, loss) < gradient_tolerance);
  CHECK(gradient_error(p.weight_hh, d_weight_hh, loss) < gradient_tolerance);
  CHECK(gradient_error(p.bias_ih, d_bias_ih, loss) < gradient_tolerance);
  CHECK(gradient_error(p.bias_hh, d_bias_hh, loss) < gradient_tolerance);
}
