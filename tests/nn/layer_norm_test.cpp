#include <heed/nn/layer_norm.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Affine;
using heed::Index;
using heed::LayerNorm;
using heed::Tensor;
using heed_test::random_tensor;

TEMPLATE_TEST_CASE("LayerNorm gives rows of mean 0 and variance 1, then scales and shifts", "[nn]", float, double) {
  using T = TestType;
  const Index size = GENERATE(1, 7, 64, 65);
  LayerNorm<T> norm({.shape = {size}, .epsilon = 1e-3});
  norm.weight = random_tensor<T>(1, size);
  norm.bias = random_tensor<T>(2, size);
  const auto x = random_tensor<T>(3, 3, 5, size);
  const auto y = norm.forward(x);
  double worst = 0;
  for (Index r = 0; r < 15; ++r) {
    const T* row = x.data() + r * size;
    double mean = 0, variance = 0;
    for (Index i = 0; i < size; ++i) mean += double(row[i]) / double(size);
    for (Index i = 0; i < size; ++i) variance += (double(row[i]) - mean) * (double(row[i]) - mean) / double(size);
    for (Index i = 0; i < size; ++i) {
      const double wanted =
          (double(row[i]) - mean) / std::sqrt(variance + 1e-3) * double(norm.weight(i)) + double(norm.bias(i));
      worst = std::max(worst, heed_test::error(double(y.data()[r * size + i]), wanted));
    }
  }
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("LayerNorm's gradients equal central differences with and without parameters, over one axis", "[nn]") {
  const auto affine = GENERATE(Affine::none, Affine::weight, Affine::weight_and_bias);
  LayerNorm<double> norm({.shape = {5}, .affine = affine});
  CHECK(heed::parameter_count(norm) == (affine == Affine::none ? 0 : affine == Affine::weight ? 5 : 10));
  if (affine != Affine::none) norm.weight = random_tensor<double>(1, 5);
  heed_test::check_layer_gradients(norm, random_tensor<double>(2, 4, 3, 5), random_tensor<double>(3, 4, 3, 5));
}

TEST_CASE("LayerNorm's gradients equal central differences over two axes", "[nn]") {
  LayerNorm<double, 2> norm({.shape = {3, 4}});
  norm.weight = random_tensor<double>(1, 3, 4);
  CHECK(heed::parameter_count(norm) == 24);
  // more rows than one block
  heed_test::check_layer_gradients(norm, random_tensor<double>(2, 40, 3, 4), random_tensor<double>(3, 40, 3, 4));
}

TEST_CASE("LayerNorm has the same bits for any number of threads, and gradients add", "[nn]") {
  LayerNorm<float> norm({.shape = {33}});
  const auto x = random_tensor<float>(2, 300, 33), d_y = random_tensor<float>(3, 300, 33);
  heed::Serial serial;
  heed::ThreadPool pool(3);
  LayerNorm<float>::Cache cache;
  const auto y = norm.forward(x, nullptr, serial), y_three = norm.forward(x, &cache, pool);
  CHECK(heed_test::all_same_bits(heed::flat(y), heed::flat(y_three)));
  auto one = heed::zeros_like(norm), three = one;
  norm.backward(d_y, cache, one, serial);
  norm.backward(d_y, cache, three, pool);
  CHECK(heed_test::all_same_bits(heed::flat(one.weight), heed::flat(three.weight)));
  CHECK(heed_test::all_same_bits(heed::flat(one.bias), heed::flat(three.bias)));
  const float once = one.bias(3);
  norm.backward(d_y, cache, one, serial);
  CHECK(one.bias(3) == Approx(2 * once));
}

TEST_CASE("LayerNorm refuses other shapes, and backward without its forward", "[nn]") {
  CHECK_THROWS_AS(LayerNorm<float>({.shape = {0}}), heed::Error);
  CHECK_THROWS_AS(LayerNorm<float>({.shape = {3}, .epsilon = -1}), heed::Error);
  CHECK_THROWS_AS(LayerNorm<float>().forward(Tensor<float, 2>(2, 3)), heed::Error);
  const LayerNorm<float> norm({.shape = {3}});
  CHECK_THROWS_WITH(norm.forward(Tensor<float, 2>(2, 4)), "LayerNorm::forward: x has shape (2, 4), wanted (any, 3)");
  auto grad = heed::zeros_like(norm);
  CHECK_THROWS_AS(norm.backward(random_tensor<float>(1, 2, 3), {}, grad), heed::Error);
  CHECK(norm.forward(Tensor<float, 2>(0, 3)).size() == 0);
}
