#include <heed/nn/conv_s2s_block.hpp>

#include <limits>

#include <heed/core/thread_pool.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::ConvS2sBlock;
using heed::Index;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

template <class T>
ConvS2sBlock<T> make(typename ConvS2sBlock<T>::Config config) {
  heed::Rng rng{7, 0};
  return ConvS2sBlock<T>(config, rng);
}

template <class T>
using Row = std::vector<T>;

/// v of the definition at step t of sample b, in double.
template <class T>
Row<double> shown(const ConvS2sBlock<T>& block, const Tensor<T, 3>& x, Index b, Index t, Index before) {
  const Index dim = block.model_dim(), kernel = block.conv.weight.dimension(2);
  Row<double> ab, v;
  for (Index c = 0; c < 2 * dim; ++c) {
    double sum = double(block.conv.bias(c));
    for (Index k = 0; k < kernel; ++k) {
      const Index at = t + k - before;
      if (at < 0 || at >= x.dimension(1)) continue;
      for (Index i = 0; i < dim; ++i) sum += double(block.conv.weight(c, i, k)) * double(x(b, at, i));
    }
    ab.push_back(sum);
  }
  for (Index i = 0; i < dim; ++i) v.push_back(ab[std::size_t(i)] / (1 + std::exp(-ab[std::size_t(dim + i)])));
  return v;
}

template <class T>
Row<double> product(const heed::Dense<T>& dense, const Row<double>& x) {
  Row<double> y;
  for (Index o = 0; o < dense.out_features(); ++o) {
    double sum = double(dense.bias(o));
    for (std::size_t i = 0; i < x.size(); ++i) sum += double(dense.weight(o, Index(i))) * x[i];
    y.push_back(sum);
  }
  return y;
}

}  // namespace

TEMPLATE_TEST_CASE("an encoder's block is the gated convolution and its residual", "[nn]", float, double) {
  using T = TestType;
  const auto block = make<T>({.model_dim = 5, .kernel = 3});
  const auto x = random_tensor<T>(1, 2, 6, 5);
  const auto y = block.forward(x).output;
  double worst = 0;
  for (Index b = 0; b < 2; ++b) {
    for (Index t = 0; t < 6; ++t) {
      const auto v = shown(block, x, b, t, 1);
      for (Index i = 0; i < 5; ++i) {
        const double wanted = (v[std::size_t(i)] + double(x(b, t, i))) / std::sqrt(2.0);
        worst = std::max(worst, heed_test::error(double(y(b, t, i)), wanted));
      }
    }
  }
  CHECK(worst <= heed_test::tolerance<T>());
}

TEMPLATE_TEST_CASE("a decoder's block attends to the memory's true length as the paper says", "[nn]", float, double) {
  using T = TestType;
  using Block = ConvS2sBlock<T>;
  const auto block = make<T>({.model_dim = 4, .kernel = 2, .sight = Block::Sight::before, .memory_dim = 3});
  const auto x = random_tensor<T>(1, 2, 5, 4), g = random_tensor<T>(2, 2, 5, 3);
  auto key = random_tensor<T>(3, 2, 6, 3), value = random_tensor<T>(4, 2, 6, 3);
  const std::vector<Index> lengths = {6, 2};
  key(1, 3, 0) = value(1, 4, 1) = std::numeric_limits<T>::quiet_NaN();
  const typename Block::Memory memory{key, value, g, lengths};
  const auto found = block.forward(x, &memory);
  double worst = 0;
  for (Index b = 0; b < 2; ++b) {
    const Index m = lengths[std::size_t(b)];
    for (Index t = 0; t < 5; ++t) {
      const auto v = shown(block, x, b, t, 1);
      auto d = product(*block.query, v);
      Row<double> weight, context(3, 0.0);
      double total = 0;
      for (Index j = 0; j < m; ++j) {
        double score = 0;
        for (Index i = 0; i < 3; ++i)
          score += (d[std::size_t(i)] + double(g(b, t, i))) / std::sqrt(2.0) * double(key(b, j, i));
        weight.push_back(std::exp(score));
        total += weight.back();
      }
      for (Index j = 0; j < m; ++j) {
        worst = std::max(worst, heed_test::error(double(found.weights(b, t, j)), weight[std::size_t(j)] / total));
        for (Index i = 0; i < 3; ++i) {
          context[std::size_t(i)] += std::sqrt(double(m)) * weight[std::size_t(j)] / total * double(value(b, j, i));
        }
      }
      const auto o = product(*block.output, context);
      for (Index i = 0; i < 4; ++i) {
        const double with = (v[std::size_t(i)] + o[std::size_t(i)]) / std::sqrt(2.0);
        const double wanted = (with + double(x(b, t, i))) / std::sqrt(2.0);
        worst = std::max(worst, heed_test::error(double(found.output(b, t, i)), wanted));
      }
    }
  }
  CHECK(worst <= heed_test::tolerance<T>());
}

TEST_CASE("the gradients of a block with attention equal central differences", "[nn]") {
  using Block = ConvS2sBlock<double>;
  const bool padded = GENERATE(false, true);
  auto block = make<double>({.model_dim = 4, .kernel = 3, .sight = Block::Sight::before, .memory_dim = 3});
  CHECK(heed::parameter_count(block) == 8 * 4 * 3 + 8 + 2 * 12 + 3 + 4);
  auto x = random_tensor<double>(1, 2, 5, 4), g = random_tensor<double>(2, 2, 5, 3);
  auto key = random_tensor<double>(3, 2, 6, 3), value = random_tensor<double>(4, 2, 6, 3);
  const auto d_y = random_tensor<double>(5, 2, 5, 4);
  const std::vector<Index> lengths = {6, 2};
  const Block::Memory memory{key, value, g, padded ? std::span<const Index>(lengths) : std::span<const Index>()};
  Block::Cache cache;
  block.forward(x, &memory, &cache);
  auto grad = heed::zeros_like(block);
  auto d = block.backward(d_y, cache, grad);
  const auto found = heed::check_gradients(
      block, grad, [&] { return heed_test::weighted_total(block.forward(x, &memory).output, d_y); }, std::tie(x, d.x),
      std::tie(key, d.key), std::tie(value, d.value), std::tie(g, d.embedding));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

TEST_CASE("the gradients of a block without attention equal central differences", "[nn]") {
  auto block = make<double>({.model_dim = 4, .kernel = 5});
  auto x = random_tensor<double>(1, 2, 6, 4);
  const auto d_y = random_tensor<double>(5, 2, 6, 4);
  ConvS2sBlock<double>::Cache cache;
  block.forward(x, nullptr, &cache);
  auto grad = heed::zeros_like(block);
  auto d = block.backward(d_y, cache, grad);
  const auto found = heed::check_gradients(
      block, grad, [&] { return heed_test::weighted_total(block.forward(x).output, d_y); }, std::tie(x, d.x));
  CHECK(found.worst_error < 1e-8);
  CHECK(d.key.size() == 0);
}

TEST_CASE("a decoder's block sees nothing that comes later, and threads change no bit", "[nn]") {
  using Block = ConvS2sBlock<float>;
  const auto block = make<float>({.model_dim = 24, .kernel = 3, .sight = Block::Sight::before});
  const auto x = random_tensor<float>(1, 3, 40, 24);
  auto later = x;
  later(1, 20, 3) += 1;
  heed::Serial serial;
  heed::ThreadPool pool(3);
  const auto y = block.forward(x, nullptr, nullptr, serial).output,
             moved = block.forward(later, nullptr, nullptr, pool).output;
  for (Index t = 0; t < 40; ++t) {
    bool same = true;
    for (Index i = 0; i < 24; ++i) same = same && heed_test::same_bits(y(1, t, i), moved(1, t, i));
    CHECK(same == (t < 20 || t > 22));
  }
  const auto alone = block.forward(heed_test::sample_of(x, 2, 40, 0.0f)).output;
  CHECK(heed_test::all_same_bits(heed::flat(alone), heed::flat(y).subspan(2 * 40 * 24)));
}

TEST_CASE("a block refuses what does not fit", "[nn]") {
  using Block = ConvS2sBlock<float>;
  CHECK_THROWS_WITH(make<float>({.model_dim = 4, .kernel = 2}),
                    "ConvS2sBlock: kernel is 2, wanted an odd one with Sight::both");
  CHECK_THROWS_AS(make<float>({.model_dim = 0}), heed::Error);
  CHECK_THROWS_AS(make<float>({.model_dim = 4, .memory_dim = -1}), heed::Error);
  const auto block = make<float>({.model_dim = 4, .memory_dim = 3});
  const auto x = random_tensor<float>(1, 2, 5, 4), z = random_tensor<float>(2, 2, 6, 3),
             g = random_tensor<float>(2, 2, 5, 3);
  CHECK_THROWS_WITH(block.forward(x), "ConvS2sBlock::forward: no memory is given, wanted one with a memory_dim");
  const Block::Memory good{z, z, g}, swapped{z, g, g};
  CHECK_THROWS_WITH(block.forward(x, &swapped),
                    "ConvS2sBlock::forward: memory.value has shape (2, 5, 3), wanted (2, 6, 3)");
  CHECK_THROWS_AS(block.forward(z, &good), heed::Error);
  CHECK_THROWS_AS(make<float>({.model_dim = 4}).forward(x, &good), heed::Error);
  const std::vector<Index> lengths = {7, 1};
  const Block::Memory too_long{z, z, g, lengths};
  CHECK_THROWS_WITH(block.forward(x, &too_long), "ConvS2sBlock::forward: memory.lengths[0] is 7, wanted 0 to 6");
  auto grad = heed::zeros_like(block);
  CHECK_THROWS_AS(block.backward(x, {}, grad), heed::Error);
}
