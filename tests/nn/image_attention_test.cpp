#include <heed/nn/image_attention.hpp>

#include <heed/core/thread_pool.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::ImageAttention;
using heed::Index;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

template <class T>
ImageAttention<T> make(typename ImageAttention<T>::Config config) {
  heed::Rng rng{7, 0};
  ImageAttention<T> layer(config, rng);
  layer.gamma(0) = T(0.7);
  return layer;
}

}  // namespace

TEMPLATE_TEST_CASE("image attention is the paper's equations, position by position", "[nn]", float, double) {
  using T = TestType;
  const auto layer = make<T>({.channels = 6, .key_dim = 2, .value_dim = 3, .bias = heed::Bias::yes});
  const auto x = random_tensor<T>(1, 2, 6, 3, 4);
  typename ImageAttention<T>::Cache cache;
  const auto found = layer.forward(x, &cache, ImageAttention<T>::Weights::yes);
  const auto project = [&](const heed::Dense<T>& dense, Index b, Index place, Index out) {
    double sum = double(dense.bias(out));
    for (Index c = 0; c < 6; ++c) sum += double(dense.weight(out, c)) * double(x.data()[(b * 6 + c) * 12 + place]);
    return sum;
  };
  double worst = 0;
  for (Index b = 0; b < 2; ++b) {
    for (Index j = 0; j < 12; ++j) {
      std::vector<double> weight(12);
      double total = 0;
      for (Index i = 0; i < 12; ++i) {
        double s = 0;
        for (Index d = 0; d < 2; ++d) s += project(layer.key, b, i, d) * project(layer.query, b, j, d);
        total += weight[std::size_t(i)] = std::exp(s);
      }
      std::vector<double> mean(3);
      for (Index i = 0; i < 12; ++i) {
        worst = std::max(worst, heed_test::error(double(found.weights(b, 0, j, i)), weight[std::size_t(i)] / total));
        for (Index d = 0; d < 3; ++d)
          mean[std::size_t(d)] += weight[std::size_t(i)] / total * project(layer.value, b, i, d);
      }
      for (Index c = 0; c < 6; ++c) {
        double o = double(layer.output.bias(c));
        for (Index d = 0; d < 3; ++d) o += double(layer.output.weight(c, d)) * mean[std::size_t(d)];
        const Index at = (b * 6 + c) * 12 + j;
        worst = std::max(worst, heed_test::error(double(found.output.data()[at]), 0.7 * o + double(x.data()[at])));
      }
    }
  }
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("image attention's gradients equal central differences", "[nn]") {
  auto layer = make<double>({.channels = 5, .key_dim = 2, .value_dim = 3, .bias = heed::Bias::yes});
  CHECK(heed::parameter_count(layer) == 2 * (10 + 2) + 15 + 3 + 15 + 5 + 1);
  auto x = random_tensor<double>(1, 2, 5, 3, 2);
  const auto d_y = random_tensor<double>(2, 2, 5, 3, 2);
  ImageAttention<double>::Cache cache;
  layer.forward(x, &cache);
  auto grad = heed::zeros_like(layer);
  auto d_x = layer.backward(d_y, cache, grad);
  const auto found = heed::check_gradients(
      layer, grad, [&] { return heed_test::weighted_total(layer.forward(x).output, d_y); }, std::tie(x, d_x));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

TEST_CASE("image attention starts as the identity, with the paper's widths", "[nn]") {
  heed::Rng rng{7, 0};
  const ImageAttention<float> layer({.channels = 32}, rng);
  CHECK(layer.query.out_features() == 4);
  CHECK(layer.value.out_features() == 4);
  const auto x = random_tensor<float>(1, 1, 32, 3, 3);
  const auto result = layer.forward(x);
  CHECK(heed_test::all_same_bits(heed::flat(result.output), heed::flat(x)));
  CHECK(result.weights.size() == 0);
}

TEST_CASE("image attention has the same bits for any number of threads and any batch", "[nn]") {
  const auto layer = make<float>({.channels = 16, .key_dim = 8});
  const auto x = random_tensor<float>(1, 3, 16, 9, 8), d_y = random_tensor<float>(2, 3, 16, 9, 8);
  heed::Serial serial;
  heed::ThreadPool pool(3);
  using Weights = ImageAttention<float>::Weights;
  ImageAttention<float>::Cache cache;
  const auto one = layer.forward(x, &cache, Weights::no, serial), three = layer.forward(x, nullptr, Weights::no, pool);
  CHECK(heed_test::all_same_bits(heed::flat(one.output), heed::flat(three.output)));
  auto grad = heed::zeros_like(layer), grad_three = grad;
  const auto d_one = layer.backward(d_y, cache, grad, serial), d_three = layer.backward(d_y, cache, grad_three, pool);
  CHECK(heed_test::all_same_bits(heed::flat(d_one), heed::flat(d_three)));
  CHECK(heed_test::all_same_bits(heed::flat(grad.query.weight), heed::flat(grad_three.query.weight)));
  CHECK(heed_test::same_bits(grad.gamma(0), grad_three.gamma(0)));
  Tensor<float, 4> last(1, 16, 9, 8);
  std::copy_n(x.data() + 2 * last.size(), last.size(), last.data());
  const auto alone = layer.forward(last).output;
  CHECK(heed_test::all_same_bits(heed::flat(alone), heed::flat(one.output).subspan(std::size_t(2 * last.size()))));
}

TEST_CASE("image attention refuses what does not fit", "[nn]") {
  CHECK_THROWS_AS(make<float>({.channels = 0}), heed::Error);
  CHECK_THROWS_AS(make<float>({.channels = 8, .key_dim = -1}), heed::Error);
  const auto layer = make<float>({.channels = 8});
  CHECK_THROWS_WITH(layer.forward(Tensor<float, 4>(1, 7, 2, 2)),
                    "ImageAttention::forward: x has shape (1, 7, 2, 2), wanted (any, 8, any, any)");
  CHECK_THROWS_AS(ImageAttention<float>().forward(Tensor<float, 4>(1, 7, 2, 2)), heed::Error);
  auto grad = heed::zeros_like(layer);
  CHECK_THROWS_AS(layer.backward(random_tensor<float>(1, 1, 8, 2, 2), {}, grad), heed::Error);
}
