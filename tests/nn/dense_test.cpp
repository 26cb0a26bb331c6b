#include <heed/nn/dense.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Bias;
using heed::Dense;
using heed::Index;
using heed::Rng;
using heed::Tensor;
using heed_test::random_tensor;

TEMPLATE_TEST_CASE("Dense is x W^T + b on the last axis of any rank", "[nn]", float, double) {
  using T = TestType;
  const auto bias = GENERATE(Bias::no, Bias::yes);
  const Index rows = GENERATE(1, 7), in = GENERATE(1, 65), out = GENERATE(1, 5, 70);
  Rng rng{1, 0};
  Dense<T> dense({.in_features = in, .out_features = out, .bias = bias}, rng);
  if (bias == Bias::yes) dense.bias = random_tensor<T>(2, out);
  const auto x = random_tensor<T>(3, rows, 2, in);
  const auto y = dense.forward(x);
  REQUIRE(heed::extents(y) == heed::Extents<3>{rows, 2, out});
  double worst = 0;
  for (Index r = 0; r < rows * 2; ++r) {
    for (Index o = 0; o < out; ++o) {
      double wanted = bias == Bias::yes ? double(dense.bias(o)) : 0;
      for (Index i = 0; i < in; ++i) wanted += double(x.data()[r * in + i]) * double(dense.weight(o, i));
      worst = std::max(worst, heed_test::error(double(y.data()[r * out + o]), wanted));
    }
  }
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("Dense's gradients equal central differences and add to what is there", "[nn]") {
  const auto bias = GENERATE(Bias::no, Bias::yes);
  Rng rng{1, 0};
  Dense<double> dense({.in_features = 4, .out_features = 3, .bias = bias}, rng);
  CHECK(heed::parameter_count(dense) == 12 + (bias == Bias::yes ? 3 : 0));
  const auto x = random_tensor<double>(2, 5, 2, 4), d_y = random_tensor<double>(3, 5, 2, 3);
  auto grad = heed_test::check_layer_gradients(dense, x, d_y);
  const double once = grad.weight(1, 2);
  Dense<double>::Cache cache;
  dense.forward(x, &cache);
  dense.backward(d_y, cache, grad);
  CHECK(grad.weight(1, 2) == Approx(2 * once));
}

TEST_CASE("a row of Dense has the same bits alone and in a batch, with one thread and with three", "[nn]") {
  Rng rng{1, 0};
  Dense<float> dense({.in_features = 70, .out_features = 300}, rng);
  dense.bias = random_tensor<float>(2, 300);
  const auto x = random_tensor<float>(3, 101, 70);
  heed::Serial serial;
  heed::ThreadPool pool(3);
  const auto together = dense.forward(x, nullptr, pool);
  for (Index r = 0; r < 101; r += 25) {
    Tensor<float, 2> row(1, 70);
    std::copy_n(x.data() + r * 70, 70, row.data());
    const auto alone = dense.forward(row, nullptr, serial);
    CHECK(heed_test::all_same_bits(heed::flat(alone), std::span(together.data() + r * 300, 300)));
  }
  const auto d_y = random_tensor<float>(4, 101, 300);
  auto one = heed::zeros_like(dense), three = one;
  const Dense<float>::Cache cache{x};
  const auto d_x_one = dense.backward(d_y, cache, one, serial), d_x_three = dense.backward(d_y, cache, three, pool);
  CHECK(heed_test::all_same_bits(heed::flat(d_x_one), heed::flat(d_x_three)));
  CHECK(heed_test::all_same_bits(heed::flat(one.weight), heed::flat(three.weight)));
  CHECK(heed_test::all_same_bits(heed::flat(one.bias), heed::flat(three.bias)));
}

TEST_CASE("Dense refuses shapes that do not fit, before it writes", "[nn]") {
  Rng rng{1, 0};
  CHECK_THROWS_AS(Dense<float>({.in_features = 0, .out_features = 3}, rng), heed::Error);
  const Dense<float> dense({.in_features = 4, .out_features = 3}, rng);
  CHECK_THROWS_WITH(dense.forward(Tensor<float, 2>(2, 5)), "Dense::forward: x has shape (2, 5), wanted (any, 4)");
  Dense<float>::Cache cache;
  const auto x = random_tensor<float>(1, 2, 4);
  const auto y = dense.forward(x, &cache);
  auto grad = heed::zeros_like(dense);
  CHECK_THROWS_AS(dense.backward(x, cache, grad), heed::Error);
  CHECK_THROWS_AS(dense.backward(y, {}, grad), heed::Error);  // backward without forward
  Dense<float> other({.in_features = 4, .out_features = 3, .bias = Bias::no}, rng);
  CHECK_THROWS_AS(dense.backward(y, cache, other), heed::Error);
  CHECK(grad.weight(0, 0) == 0);
}
