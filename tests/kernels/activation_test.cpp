#include <heed/kernels/activation.hpp>
#include <heed/kernels/reference_activation.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace reference = heed::reference;
using heed::Activation;
using heed::Index;
using namespace heed_test;

namespace {
struct Known {
  Activation activation;
  double (*function)(double);
  double (*slope)(double);
  double alpha = 1;
};
const Known known[] = {
    {Activation::identity, [](double x) { return x; }, [](double) { return 1.0; }},
    {Activation::relu, reference::relu, reference::relu_derivative},
    {Activation::gelu, reference::gelu, reference::gelu_derivative},
    {Activation::gelu_tanh, reference::gelu_tanh, reference::gelu_tanh_derivative},
    {Activation::silu, reference::silu, reference::silu_derivative},
    {Activation::tanh, reference::tanh, reference::tanh_derivative},
    {Activation::sigmoid, reference::sigmoid, reference::sigmoid_derivative},
    {Activation::elu, [](double x) { return reference::elu(x, 0.7); },
     [](double x) { return reference::elu_derivative(x, 0.7); }, 0.7},
    {Activation::leaky_relu, [](double x) { return reference::leaky_relu(x, 0.01); },
     [](double x) { return reference::leaky_relu_derivative(x, 0.01); }, 0.01},
    {Activation::softplus, reference::softplus, reference::softplus_derivative},
    {Activation::hard_sigmoid, reference::hard_sigmoid, reference::hard_sigmoid_derivative},
};
}  // namespace

TEMPLATE_TEST_CASE("activation rows and their gradients match the textbook functions", "[kernels]", float, double) {
  using T = TestType;
  const Index size = GENERATE(0, 1, 7, 64, 65, 200);
  for (const Known& k : known) {
    INFO("activation " << static_cast<int>(k.activation));
    std::vector<T> x = random_numbers<T>(size, 1, 8);
    if (size >= 7) x[1] = 0, x[2] = T(-60), x[3] = T(60), x[4] = T(1e-5), x[5] = T(-1e-5), x[6] = T(1e25);
    const std::vector<T> d_y = random_numbers<T>(size, 2);
    auto y = filled<T>(size + 1, T(7)), d_x = y;
    heed::activation_row(k.activation, x.data(), y.data(), size, {.alpha = k.alpha});
    heed::activation_backward_row(k.activation, x.data(), d_y.data(), d_x.data(), size, {.alpha = k.alpha});
    for (std::size_t j = 0; j < x.size(); ++j) {
      INFO("x " << x[j] << " y " << y[j] << " d_x " << d_x[j]);
      CHECK(close(y[j], k.function(double(x[j]))));
      CHECK(close(d_x[j], double(d_y[j]) * k.slope(double(x[j]))));
    }
    CHECK((y.back() == 7 && d_x.back() == 7));  // nothing behind the row is written
  }
}

TEMPLATE_TEST_CASE("an element's activation has the same bits at any place in any row", "[kernels]", float, double) {
  using T = TestType;
  const std::vector<T> x = random_numbers<T>(65, 3, 5), d_y = random_numbers<T>(65, 4);
  for (const Known& k : known) {
    INFO("activation " << static_cast<int>(k.activation));
    std::vector<T> y(65), d_x(65);
    heed::activation_row(k.activation, x.data(), y.data(), 65, {.alpha = k.alpha});
    heed::activation_backward_row(k.activation, x.data(), d_y.data(), d_x.data(), 65, {.alpha = k.alpha});
    for (std::size_t j = 0; j < 65; ++j) {
      T one = 0, d_one = 0;
      heed::activation_row(k.activation, &x[j], &one, 1, {.alpha = k.alpha});
      heed::activation_backward_row(k.activation, &x[j], &d_y[j], &d_one, 1, {.alpha = k.alpha});
      CHECK(same_bits(one, y[j]));
      CHECK(same_bits(d_one, d_x[j]));
    }
  }
}

TEMPLATE_TEST_CASE("activations work in place and keep NaN", "[kernels]", float, double) {
  using T = TestType;
  for (const Known& k : known) {
    INFO("activation " << static_cast<int>(k.activation));
    std::vector<T> x{T(1), not_a_number<T>, T(-2)}, y(3), d{T(1), T(1), T(1)};
    heed::activation_row(k.activation, x.data(), y.data(), 3, {.alpha = k.alpha});
    heed::activation_backward_row(k.activation, x.data(), d.data(), d.data(), 3, {.alpha = k.alpha});
    heed::activation_row(k.activation, x.data(), x.data(), 3, {.alpha = k.alpha});
    CHECK(all_same_bits(std::vector<T>{x[0], x[2]}, std::vector<T>{y[0], y[2]}));
    CHECK(std::isnan(y[1]));
    if (k.activation != Activation::identity) CHECK(std::isnan(d[1]));
    CHECK(close(d[2], k.slope(-2)));
  }
}

TEMPLATE_TEST_CASE("elu and softplus keep their relative precision near zero", "[kernels]", float, double) {
  using T = TestType;
  const double allowed = std::is_same_v<T, float> ? 1e-6 : 2e-15;
  std::vector<T> x{T(-1e-6), T(-1e-3), T(-0.1), T(-30)}, elu(4), softplus(4);
  heed::activation_row(Activation::elu, x.data(), elu.data(), 4);
  heed::activation_row(Activation::softplus, x.data(), softplus.data(), 4);
  for (std::size_t j = 0; j < 4; ++j) {
    CHECK(double(elu[j]) == Approx(std::expm1(double(x[j]))).epsilon(allowed));
    CHECK(double(softplus[j]) == Approx(std::log1p(std::exp(double(x[j])))).epsilon(allowed));
  }
}
