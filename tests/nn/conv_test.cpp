#include <heed/nn/conv.hpp>

#include <heed/core/thread_pool.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Conv;
using heed::Conv1d;
using heed::Conv2d;
using heed::Index;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

template <class Layer>
Layer make(const typename Layer::Config& config) {
  heed::Rng rng{7, 0};
  return Layer(config, rng);
}

/// The definition, in double: one output of a convolution over two axes.
template <class T>
double textbook(const Conv2d<T>& conv, const Tensor<T, 4>& x, Index b, Index out, Index row, Index col) {
  const Index per_group = conv.weight.dimension(1), group = out / (conv.out_channels() / conv.groups);
  double total = conv.bias.size() > 0 ? double(conv.bias(out)) : 0;
  for (Index c = 0; c < per_group; ++c) {
    for (Index i = 0; i < conv.weight.dimension(2); ++i) {
      for (Index j = 0; j < conv.weight.dimension(3); ++j) {
        const Index y = row * conv.window.stride[0] + i * conv.window.dilation[0] - conv.window.before[0];
        const Index z = col * conv.window.stride[1] + j * conv.window.dilation[1] - conv.window.before[1];
        if (y < 0 || z < 0 || y >= x.dimension(2) || z >= x.dimension(3)) continue;
        total += double(conv.weight(out, c, i, j)) * double(x(b, group * per_group + c, y, z));
      }
    }
  }
  return total;
}

void fill(auto& tensor, int factor, int modulus, double scale) {
  using T = heed::scalar_t<decltype(tensor)>;
  for (int k = 0; k < tensor.size(); ++k) tensor.data()[k] = T(scale * ((factor * k) % modulus - modulus / 2));
}

}  // namespace

TEMPLATE_TEST_CASE("a convolution is its definition, for strides, paddings, dilations and groups", "[nn]", float,
                   double) {
  using T = TestType;
  const Index stride = GENERATE(1, 2), dilation = GENERATE(1, 2), padding = GENERATE(0, 2), groups = GENERATE(1, 3);
  const Index kernel = GENERATE(1, 3);
  const auto conv = make<Conv2d<T>>({.in_channels = 6,
                                     .out_channels = 9,
                                     .kernel = {kernel, 2},
                                     .stride = {stride, 1},
                                     .padding = {padding, 1},
                                     .dilation = {dilation, 2},
                                     .groups = groups,
                                     .bias = groups == 1 ? heed::Bias::yes : heed::Bias::no});
  const auto x = random_tensor<T>(1, 2, 6, 9, 8);
  const auto y = conv.forward(x);
  REQUIRE(y.dimension(2) == (9 + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1);
  REQUIRE(y.dimension(3) == 8);
  double worst = 0;
  for (Index b = 0; b < 2; ++b) {
    for (Index c = 0; c < 9; ++c) {
      for (Index i = 0; i < y.dimension(2); ++i) {
        for (Index j = 0; j < 8; ++j) {
          worst = std::max(worst, heed_test::error(double(y(b, c, i, j)), textbook(conv, x, b, c, i, j)));
        }
      }
    }
  }
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("a convolution's gradients equal central differences over two axes", "[nn]") {
  const Index stride = GENERATE(1, 2), groups = GENERATE(1, 2), kernel = GENERATE(1, 3);
  auto conv = make<Conv2d<double>>({.in_channels = 4,
                                    .out_channels = 2,
                                    .kernel = {kernel, kernel},
                                    .stride = {stride, stride},
                                    .padding = {kernel / 2, 0},
                                    .groups = groups});
  CHECK(heed::parameter_count(conv) == 2 * 4 / groups * kernel * kernel + 2);
  const auto x = random_tensor<double>(1, 2, 4, 5, 6);
  heed_test::check_layer_gradients(conv, x, [&] {
    auto d_y = conv.forward(x);
    fill(d_y, 5, 7, 0.5);
    return d_y;
  }());
}

TEST_CASE("a convolution's gradients equal central differences over one axis, causal and dilated", "[nn]") {
  auto conv = make<Conv1d<double>>({.in_channels = 3,
                                    .out_channels = 4,
                                    .kernel = {3},
                                    .padding = {4},
                                    .dilation = {2},
                                    .bias = heed::Bias::no,
                                    .padding_behind = heed::Extents<1>{0}});
  CHECK(heed::parameter_count(conv) == 36);
  const auto x = random_tensor<double>(1, 2, 3, 7);
  heed_test::check_layer_gradients(conv, x, random_tensor<double>(2, 2, 4, 7));
  auto later = x;
  later(0, 1, 5) += 1;  // outputs before it do not see it, the one behind looks past it
  const auto y = conv.forward(x), moved = conv.forward(later);
  for (Index t = 0; t < 7; ++t) CHECK((y(0, 2, t) == moved(0, 2, t)) == (t != 5));
}

TEMPLATE_TEST_CASE("a convolution gives PyTorch's numbers forward and backward", "[nn]", float, double) {
  using T = TestType;
  auto conv = make<Conv2d<T>>({.in_channels = 4,
                               .out_channels = 2,
                               .kernel = {3, 2},
                               .stride = {2, 1},
                               .padding = {1, 1},
                               .dilation = {1, 2},
                               .groups = 2});
  Tensor<T, 4> x(1, 4, 5, 4);
  fill(conv.weight, 5, 11, 0.125);
  fill(conv.bias, 3, 5, 0.5);
  fill(x, 7, 13, 0.25);
  typename Conv2d<T>::Cache cache;
  const auto y = conv.forward(x, &cache);
  auto d_y = y;
  fill(d_y, 3, 7, 0.5);
  auto grad = heed::zeros_like(conv);
  const auto d_x = conv.backward(d_y, cache, grad);
  const std::vector<double> output = {-0.96875, -1.34375, -0.9375, -2.03125, -1.65625, 0.8125,   -2.3125, -1.4375,
                                      -2,       -0.9375,  0.4375,  -0.875,   -0.25,    1.125,    0.65625, 0.15625,
                                      -0.5,     0.90625,  1.3125,  -0.625,   0.90625,  -1.53125, 1.375,   0.875};
  const std::vector<double> d_input = {
      0,       1.125,  -0.3125, -0.1875, 0.625,   0.8125,  0.6875,  -0.375, -0.625, 0.1875,  -0.8125, -0.0625,
      -1.4375, 0.3125, -1.125,  -0.125,  0.9375,  -0.3125, 0.4375,  0.0625, 0,      1.125,   -0.125,  -0.75,
      -0.375,  0.9375, -0.25,   -1.125,  -0.25,   -0.375,  0.125,   -0.25,  0.4375, -0.75,   0.25,    -0.125,
      0.375,   -0.125, -0.5,    0.25,    -0.0625, -0.3125, 0.25,    -0.75,  -0.125, 0.9375,  -0.125,  0.0625,
      0.0625,  0.625,  -0.125,  0.5,     0.125,   0.625,   -0.875,  0.375,  0.1875, 0.25,    -0.9375, 0,
      -0.25,   0.625,  0.0625,  -0.1875, -0.125,  0.9375,  0.25,    0.25,   0.25,   -0.3125, 0.4375,  0.125,
      0.875,   -0.5,   -0.3125, 0,       0.75,    0.0625,  -0.9375, 0};
  const std::vector<double> d_weight = {3.5,   3,      4.5, 4.125, 0.375, -2,  -1.375, 0.25,  0.5,    3,  2.75, 2.5,
                                        -1.75, -0.125, 0,   3.375, 3.75,  3.5, -1.375, -5.75, -8.625, -4, 0,    1.875};
  const std::vector<double> d_bias = {0.5, -0.5};
  CHECK(heed_test::all_close(heed::flat(y), output));
  CHECK(heed_test::all_close(heed::flat(d_x), d_input));
  CHECK(heed_test::all_close(heed::flat(grad.weight), d_weight));
  CHECK(heed_test::all_close(heed::flat(grad.bias), d_bias));
}

TEST_CASE("a convolution's bits depend on no threads, and a sample's on no batch", "[nn]") {
  const auto conv = make<Conv2d<float>>({.in_channels = 32, .out_channels = 20, .kernel = {3, 3}, .padding = {1, 1}});
  const auto x = random_tensor<float>(1, 2, 32, 20, 21), d_y = random_tensor<float>(2, 2, 20, 20, 21);
  heed::Serial serial;
  heed::ThreadPool pool(3);
  Conv2d<float>::Cache cache;
  const auto one = conv.forward(x, &cache, serial), three = conv.forward(x, nullptr, pool);
  CHECK(heed_test::all_same_bits(heed::flat(one), heed::flat(three)));
  auto grad = heed::zeros_like(conv), grad_three = grad;
  const auto d_one = conv.backward(d_y, cache, grad, serial), d_three = conv.backward(d_y, cache, grad_three, pool);
  CHECK(heed_test::all_same_bits(heed::flat(d_one), heed::flat(d_three)));
  CHECK(heed_test::all_same_bits(heed::flat(grad.weight), heed::flat(grad_three.weight)));
  CHECK(heed_test::all_same_bits(heed::flat(grad.bias), heed::flat(grad_three.bias)));
  Tensor<float, 4> last(1, 32, 20, 21);
  std::copy_n(x.data() + last.size(), last.size(), last.data());
  const auto alone = conv.forward(last);
  CHECK(heed_test::all_same_bits(heed::flat(alone), heed::flat(one).subspan(static_cast<std::size_t>(alone.size()))));
}

TEST_CASE("a convolution refuses what does not fit, by name", "[nn]") {
  CHECK_THROWS_WITH(make<Conv1d<float>>({.in_channels = 4, .out_channels = 3, .groups = 2}),
                    "Conv: in_channels is 4 and out_channels 3, wanted positive multiples of groups, which is 2");
  CHECK_THROWS_WITH(make<Conv1d<float>>({.in_channels = 4, .out_channels = 3, .kernel = {0}}),
                    "Conv: kernel is (0), wanted numbers from 1 up");
  CHECK_THROWS_AS(make<Conv1d<float>>({.in_channels = 4, .out_channels = 3, .stride = {0}}), heed::Error);
  CHECK_THROWS_AS(make<Conv1d<float>>({.in_channels = 4, .out_channels = 3, .padding = {-1}}), heed::Error);
  CHECK_THROWS_AS(make<Conv1d<float>>({.in_channels = 4, .out_channels = 3, .groups = 0}), heed::Error);
  const auto conv = make<Conv1d<float>>({.in_channels = 4, .out_channels = 3, .kernel = {5}});
  CHECK_THROWS_WITH(conv.forward(Tensor<float, 3>(2, 3, 9)),
                    "Conv::forward: x has shape (2, 3, 9), wanted (any, 4, any)");
  CHECK_THROWS_WITH(conv.forward(Tensor<float, 3>(2, 4, 4)),
                    "Conv::forward: x has shape (2, 4, 4), wanted axes that the kernel (5) fits into");
  CHECK_THROWS_AS(Conv1d<float>().forward(Tensor<float, 3>(2, 4, 4)), heed::Error);
  Conv1d<float>::Cache cache;
  conv.forward(random_tensor<float>(1, 2, 4, 9), &cache);
  auto grad = heed::zeros_like(conv);
  CHECK_THROWS_WITH(conv.backward(Tensor<float, 3>(2, 3, 4), cache, grad),
                    "Conv::backward: d_y has shape (2, 3, 4), wanted (2, 3, 5)");
  CHECK(conv.forward(Tensor<float, 3>(0, 4, 9)).size() == 0);
}
