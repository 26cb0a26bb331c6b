#include <heed/nn/pooling.hpp>

#include <cmath>
#include <limits>

#include <heed/core/thread_pool.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::AveragePool1d;
using heed::AveragePool2d;
using heed::Index;
using heed::MaxPool1d;
using heed::MaxPool2d;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

/// A layer without parameters against central differences.
template <class Pool, class X>
void check_gradients(const Pool& pool, X x) {
  typename Pool::Cache cache;
  const auto y = pool.forward(x, &cache);
  auto d_y = y;
  for (Index i = 0; i < d_y.size(); ++i) d_y.data()[i] = 0.25 * double((5 * i) % 7) - 0.5;
  auto d_x = pool.backward(d_y, cache);
  Pool layer = pool, none = pool;
  const auto found = heed::check_gradients(
      layer, none, [&] { return heed_test::weighted_total(pool.forward(x), d_y); }, std::tie(x, d_x));
  CHECK(found.worst_error < 1e-8);
  CHECK(found.checked == x.size());
}

}  // namespace

TEST_CASE("pooling gives PyTorch's numbers with strides and paddings", "[nn]") {
  Tensor<double, 4> x(1, 2, 5, 6);
  for (int k = 0; k < 60; ++k) x.data()[k] = 0.25 * ((7 * k) % 13 - 6);
  const heed::PoolingConfig<2> config{.kernel = {3, 2}, .stride = heed::Extents<2>{2, 2}, .padding = {1, 1}};
  auto of_inputs = config;
  of_inputs.count = heed::PoolingCount::inputs;
  const std::vector<double> largest = {-0.75, 1,   1.25, 1.5,  0.75, 1,   1.25, 1.5,  1.5,  1,   1.25, 0.5,
                                       -0.25, 1.5, 1,    1.25, 1.25, 1.5, 1,    0.25, 1.25, 1.5, 0.75, 1};
  const std::vector<double> mean = {-0.375,
                                    -0.0833333333333333,
                                    0.0833333333333333,
                                    0.375,
                                    0,
                                    -0.0833333333333333,
                                    0.166666666666667,
                                    0.0416666666666667,
                                    0.375,
                                    -0.208333333333333,
                                    -0.0416666666666667,
                                    0.0416666666666667,
                                    -0.208333333333333,
                                    0.25,
                                    -0.125,
                                    0,
                                    0.25,
                                    0.416666666666667,
                                    -0.416666666666667,
                                    -0.25,
                                    0,
                                    0.125,
                                    -0.25,
                                    0.208333333333333};
  const std::vector<double> mean_of_inputs = {-1.125,
                                              -0.125,
                                              0.125,
                                              1.125,
                                              0,
                                              -0.0833333333333333,
                                              0.166666666666667,
                                              0.0833333333333333,
                                              1.125,
                                              -0.3125,
                                              -0.0625,
                                              0.125,
                                              -0.625,
                                              0.375,
                                              -0.1875,
                                              0,
                                              0.5,
                                              0.416666666666667,
                                              -0.416666666666667,
                                              -0.5,
                                              0,
                                              0.1875,
                                              -0.375,
                                              0.625};
  CHECK(heed_test::all_close(heed::flat(MaxPool2d<double>(config).forward(x)), largest));
  CHECK(heed_test::all_close(heed::flat(AveragePool2d<double>(config).forward(x)), mean));
  CHECK(heed_test::all_close(heed::flat(AveragePool2d<double>(of_inputs).forward(x)), mean_of_inputs));
}

TEST_CASE("pooling's gradients equal central differences, windows that overlap too", "[nn]") {
  const auto count = GENERATE(heed::PoolingCount::all, heed::PoolingCount::inputs);
  const heed::PoolingConfig<2> two{
      .kernel = {3, 2}, .stride = heed::Extents<2>{1, 2}, .padding = {1, 1}, .count = count};
  const heed::PoolingConfig<1> one{.kernel = {3}, .count = count};
  const auto x = random_tensor<double>(1, 2, 2, 5, 4);
  check_gradients(MaxPool2d<double>(two), x);
  check_gradients(AveragePool2d<double>(two), x);
  const auto line = random_tensor<double>(2, 2, 3, 10);
  check_gradients(MaxPool1d<double>(one), line);
  check_gradients(AveragePool1d<double>(one), line);
}

TEST_CASE("a maximum takes the first of equals, lets NaN through, and padding never wins", "[nn]") {
  const MaxPool1d<float> pool({.kernel = {2}, .padding = {1}});
  Tensor<float, 3> x(1, 1, 5);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  x.setValues({{{-3, -2, -2, 1, nan}}});
  MaxPool1d<float>::Cache cache;
  const auto y = pool.forward(x, &cache);
  REQUIRE(y.size() == 3);
  CHECK(y(0, 0, 0) == -3);
  CHECK(y(0, 0, 1) == -2);
  CHECK(cache.source[1] == 1);
  CHECK(std::isnan(y(0, 0, 2)));
}

TEST_CASE("pooling has the same bits for any number of threads", "[nn]") {
  const AveragePool2d<float> pool({.kernel = {3, 3}, .stride = heed::Extents<2>{1, 1}});
  const auto x = random_tensor<float>(1, 4, 5, 9, 9);
  heed::Serial serial;
  heed::ThreadPool threads(3);
  CHECK(heed_test::all_same_bits(heed::flat(pool.forward(x, nullptr, serial)),
                                 heed::flat(pool.forward(x, nullptr, threads))));
}

TEST_CASE("pooling refuses what does not fit", "[nn]") {
  CHECK_THROWS_AS(MaxPool2d<float>({.kernel = {0, 1}}), heed::Error);
  CHECK_THROWS_WITH(AveragePool1d<float>({.kernel = {3}, .padding = {2}}),
                    "AveragePool: padding is (2), wanted at most half the kernel (3)");
  const MaxPool1d<float> pool({.kernel = {4}});
  CHECK_THROWS_WITH(pool.forward(Tensor<float, 3>(1, 2, 3)),
                    "MaxPool::forward: x has shape (1, 2, 3), wanted axes that the kernel (4) fits into");
  MaxPool1d<float>::Cache cache;
  pool.forward(random_tensor<float>(1, 1, 2, 8), &cache);
  CHECK_THROWS_AS(pool.backward(Tensor<float, 3>(1, 2, 3), cache), heed::Error);
  CHECK_THROWS_AS(pool.backward(Tensor<float, 3>(1, 2, 2), {}), heed::Error);
}
