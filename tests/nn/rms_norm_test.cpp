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
  RmsNorm<T> norm({.shape = {size}, .epsilon = 1e-3});
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
  RmsNorm<double> norm({.shape = {6}});
  norm.weight = random_tensor<double>(1, 6);
  CHECK(heed::parameter_count(norm) == 6);
  heed_test::check_layer_gradients(norm, random_tensor<double>(2, 40, 6), random_tensor<double>(3, 40, 6));
}

TEST_CASE("RmsNorm over the last axes is RmsNorm over one axis of as many elements", "[nn]") {
  RmsNorm<double> flat({.shape = {12}});
  flat.weight = random_tensor<double>(1, 12);
  RmsNorm<double, 3> norm({.shape = {2, 3, 2}});
  norm.weight = flat.weight.reshape(heed::Extents<3>{2, 3, 2});
  const auto x = random_tensor<double>(2, 5, 12), d_y = random_tensor<double>(3, 5, 12);
  const heed::Extents<4> shape{5, 2, 3, 2};
  RmsNorm<double>::Cache flat_cache;
  RmsNorm<double, 3>::Cache cache;
  const auto wanted = flat.forward(x, &flat_cache);
  const auto found = norm.forward(heed::Tensor<double, 4>(x.reshape(shape)), &cache);
  CHECK(heed_test::all_same_bits(heed::flat(found), heed::flat(wanted)));
  RmsNorm<double> flat_grad = heed::zeros_like(flat);
  RmsNorm<double, 3> grad = heed::zeros_like(norm);
  const auto d_wanted = flat.backward(d_y, flat_cache, flat_grad);
  const auto d_found = norm.backward(heed::Tensor<double, 4>(d_y.reshape(shape)), cache, grad);
  CHECK(heed_test::all_same_bits(heed::flat(d_found), heed::flat(d_wanted)));
  CHECK(heed_test::all_same_bits(heed::flat(grad.weight), heed::flat(flat_grad.weight)));
  CHECK_THROWS_WITH(norm.forward(random_tensor<double>(1, 2, 3, 3)), Catch::Contains("wanted (2, 3, 2)"));
}

TEST_CASE("RmsNorm's gradients have the same bits for any number of threads", "[nn]") {
  RmsNorm<float> norm({.shape = {7}});
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
  CHECK_THROWS_WITH(RmsNorm<float>({.shape = {0}}), Catch::Contains("shape is (0)"));
  CHECK_THROWS_WITH(RmsNorm<float>({.shape = {3}, .epsilon = -1}), Catch::Contains("epsilon is -1"));
  CHECK_THROWS_WITH(RmsNorm<float>({.shape = {3}}).forward(random_tensor<float>(1, 2, 4)), Catch::Contains("x has shape (2, 4)"));
}
