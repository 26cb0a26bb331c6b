#include <heed/nn/gradient_check.hpp>

#include <limits>

#include "support/catch.hpp"

using heed::Index;
using heed::Role;
using heed::Tensor;

namespace {

// loss = sum_i scale_i x_i^3
struct Cubes {
  Tensor<double, 1> scale;
  Tensor<double, 1> count;
  static void fields(auto&& visit, auto&... self) {
    visit("scale", self.scale...);
    visit("count", self.count..., Role::buffer);
  }
  double loss(const Tensor<double, 1>& x) const {
    double sum = 0;
    for (Index i = 0; i < x.size(); ++i) sum += scale(i) * x(i) * x(i) * x(i);
    return sum;
  }
};

struct Setup {
  Cubes layer{Tensor<double, 1>(4), Tensor<double, 1>(1)};
  Tensor<double, 1> x = Tensor<double, 1>(4), d_x = Tensor<double, 1>(4);
  Cubes grad = layer;
  Setup() {
    layer.scale.setValues({1, -2, 3, 0.5});
    x.setValues({0.5, 2, -1, 10});
    for (Index i = 0; i < 4; ++i) {
      grad.scale(i) = x(i) * x(i) * x(i);
      d_x(i) = 3 * layer.scale(i) * x(i) * x(i);
    }
  }
  heed::GradientCheckResult run() {
    return heed::check_gradients(
        layer, grad, [&] { return layer.loss(x); }, std::tie(x, d_x));
  }
};

}  // namespace

TEST_CASE("right gradients pass, buffers are left out, values are as before", "[nn]") {
  Setup setup;
  const Cubes before = setup.layer;
  const auto result = setup.run();
  CHECK(result.worst_error < 1e-8);
  CHECK(result.checked == 8);
  for (Index i = 0; i < 4; ++i) CHECK(setup.layer.scale(i) == before.scale(i));
}

TEST_CASE("a wrong gradient is found and named, in parameters and in inputs", "[nn]") {
  Setup parameter;
  parameter.grad.scale(2) += 1e-3;
  const auto first = parameter.run();
  CHECK(first.worst_name == "scale");
  CHECK(first.worst_element == 2);
  CHECK(first.worst_error == Approx(1e-3).epsilon(0.01));
  Setup input;
  input.d_x(1) *= -1;
  const auto second = input.run();
  CHECK(second.worst_name == "input 0");
  CHECK(second.worst_element == 1);
  CHECK(second.worst_error > 1);
}

TEST_CASE("a NaN gradient is an infinite error, and a gradient of another size is refused", "[nn]") {
  Setup setup;
  setup.grad.scale(0) = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isinf(setup.run().worst_error));
  setup.d_x = Tensor<double, 1>(3);
  CHECK_THROWS_AS(setup.run(), heed::Error);
}

TEST_CASE("large tensors are sampled", "[nn]") {
  Setup setup;
  const auto result = heed::check_gradients(
      {.elements_per_tensor = 2}, setup.layer, setup.grad, [&] { return setup.layer.loss(setup.x); },
      std::tie(setup.x, setup.d_x));
  CHECK(result.checked == 4);
}
