#include <heed/kernels/reference_activation.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"

namespace reference = heed::reference;
using namespace heed_test;

namespace {
struct Pair {
  const char* name;
  double (*function)(double);
  double (*derivative)(double);
};
const Pair pairs[] = {
    {"relu", reference::relu, reference::relu_derivative},
    {"gelu", reference::gelu, reference::gelu_derivative},
    {"gelu_tanh", reference::gelu_tanh, reference::gelu_tanh_derivative},
    {"sigmoid", reference::sigmoid, reference::sigmoid_derivative},
    {"silu", reference::silu, reference::silu_derivative},
    {"tanh", reference::tanh, reference::tanh_derivative},
    {"elu", [](double x) { return reference::elu(x, 0.7); },
     [](double x) { return reference::elu_derivative(x, 0.7); }},
    {"leaky_relu", [](double x) { return reference::leaky_relu(x, 0.1); },
     [](double x) { return reference::leaky_relu_derivative(x, 0.1); }},
    {"softplus", reference::softplus, reference::softplus_derivative},
    {"hard_sigmoid", reference::hard_sigmoid, reference::hard_sigmoid_derivative},
};
}  // namespace

TEST_CASE("every reference derivative is the central difference of its function", "[kernels]") {
  for (const Pair& pair : pairs) {
    INFO(pair.name);
    for (const double x : {-8.0, -3.5, -2.0, -0.7, -0.01, 0.02, 0.9, 2.5, 3.7, 9.0}) {
      const double difference = (pair.function(x + 1e-5) - pair.function(x - 1e-5)) / 2e-5;
      CHECK(pair.derivative(x) == Approx(difference).margin(gradient_tolerance));
    }
  }
}

TEST_CASE("the reference activations have their known values", "[kernels]") {
  CHECK(reference::gelu(1) == Approx(0.8413447460685429).epsilon(1e-14));
  CHECK(reference::gelu_tanh(1) == Approx(0.8411919906082768).epsilon(1e-14));
  CHECK(reference::sigmoid(0) == 0.5);
  CHECK(reference::silu(1) == Approx(0.7310585786300049).epsilon(1e-14));
  CHECK(reference::elu(-1, 1) == Approx(-0.6321205588285577).epsilon(1e-14));
  CHECK(reference::softplus(0) == Approx(0.6931471805599453).epsilon(1e-14));
  CHECK(reference::softplus(-800) == 0);
  CHECK(reference::softplus(800) == 800);
  CHECK(reference::hard_sigmoid(0) == 0.5);
  CHECK(reference::hard_sigmoid(-3) == 0);
  CHECK(reference::hard_sigmoid(4) == 1);
  CHECK(reference::relu(-2) == 0);
}
