#include <heed/nn/rms_norm.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Index;
using heed::RmsNorm;
using heed_test::random_tensor;

TEMPLATE_TEST_CASE("RmsNorm divides by the root mean square", "[nn]", float, double) {
  using T = TestType;
  const Index rows = GENERATE(1, 33, 70), size = GENERATE(1, 5, 65);
  RmsNorm<T> norm({.size = size, .epsilon = 1e-3});
  norm.weight = random_tensor<T>(1, size);
  const auto x = random_tensor<T>(2, rows, 2, size);
  const auto y = norm.forward(x);
  double worst = 0;
  for (Index r = 0; r < 2 * rows; ++r) {
    double square = 0;
    for (Index i = 0; i < size; ++i) square += double(x.data()[r * size + i]) * double(x.data()[r * size + i]);
    const double factor = 1 / std::sqrt(square / double(size) + 1e-3);
    for (Index i = 0; i < size; ++i)
      worst = std::max(worst, heed_test::error(double(y.data()[r * size + i]),
                                               double(x.data()[r * size + i]) * factor * double(norm.weight(i))));
  }
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("RmsNorm's gradients equal central differences", "[nn]") {
  RmsNorm<double> norm({.size = 6});
  norm.weight = random_tensor<double>(1, 6);
  CHECK(heed::parameter_count(norm) == 6);
  heed_test::check_layer_gradients(norm, random_tensor<double>(2, 40, 6), random_tensor<double>(3, 40, 6));
}

TEST_CASE("RmsNorm's gradients have the same bits for any number of threads", "[nn]") {
  RmsNorm<float> norm({.size = 7});
  const auto x = random_tensor<float>(2, 100, 7), d_y = random_tensor<float>(3, 100, 7);
  const auto gradient = [&](heed::ExecutorRef executor) {
    RmsNorm<float>::Cache cache;
    norm.forward(x, &cache, executor);
    RmsNorm<float> grad = heed::zeros_like(norm);
    norm.backward(d_y, cache, grad, executor);
    return grad.weight;
  };
  heed::Serial serial;
  heed::ThreadPool pool(3);
  const auto one = gradient(serial), many = gradient(pool);
  CHECK(heed_test::all_same_bits(heed::flat(one), heed::flat(many)));
}

TEST_CASE("RmsNorm refuses other sizes", "[nn]") {
  CHECK_THROWS_WITH(RmsNorm<float>({.size = 0}), Catch::Contains("size is 0"));
  CHECK_THROWS_WITH(RmsNorm<float>({.size = 3, .epsilon = -1}), Catch::Contains("epsilon is -1"));
  CHECK_THROWS_WITH(RmsNorm<float>({.size = 3}).forward(random_tensor<float>(1, 2, 4)), Catch::Contains("x has shape (2, 4)"));
}
