#include <heed/nn/co_attention.hpp>

#include <limits>

#include <heed/core/thread_pool.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::CoAttention;
using heed::Index;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

template <class T>
CoAttention<T> make(Index a_dim, Index b_dim) {
  heed::Rng rng{7, 0};
  return CoAttention<T>({a_dim, b_dim}, rng);
}

template <class T>
double total(const typename CoAttention<T>::Result& x, const typename CoAttention<T>::Result& d) {
  return heed_test::weighted_total(x.a_context, d.a_context) + heed_test::weighted_total(x.b_context, d.b_context) +
         heed_test::weighted_total(x.a_summary, d.a_summary);
}

/// The definition for sample s in double: the three parts, rows of lengths n and m.
struct Textbook {
  std::vector<std::vector<double>> a_context, b_context, a_summary;

  template <class T>
  Textbook(const CoAttention<T>& layer, const Tensor<T, 3>& a, const Tensor<T, 3>& b, Index s, Index n, Index m) {
    const Index p = layer.a_dim(), q = layer.b_dim();
    const auto score = [&](Index i, Index j) {
      double sum = 0;
      for (Index x = 0; x < p; ++x) {
        for (Index y = 0; y < q; ++y)
          sum += double(a(s, i, x)) * double(layer.bilinear.weight(y, x)) * double(b(s, j, y));
      }
      return std::exp(sum);
    };
    const auto rows = [](Index count, Index width) {
      return std::vector(std::size_t(count), std::vector<double>(std::size_t(width)));
    };
    a_context = rows(n, q), b_context = rows(m, p), a_summary = rows(n, p);
    for (Index j = 0; j < m; ++j) {
      double sum = 0;
      for (Index i = 0; i < n; ++i) sum += score(i, j);
      for (Index i = 0; i < n; ++i) {
        for (Index x = 0; x < p; ++x)
          b_context[std::size_t(j)][std::size_t(x)] += score(i, j) / sum * double(a(s, i, x));
      }
    }
    for (Index i = 0; i < n; ++i) {
      double sum = 0;
      for (Index j = 0; j < m; ++j) sum += score(i, j);
      for (Index j = 0; j < m; ++j) {
        const double w = score(i, j) / sum;
        for (Index y = 0; y < q; ++y) a_context[std::size_t(i)][std::size_t(y)] += w * double(b(s, j, y));
        for (Index x = 0; x < p; ++x)
          a_summary[std::size_t(i)][std::size_t(x)] += w * b_context[std::size_t(j)][std::size_t(x)];
      }
    }
  }
};

template <class T>
double worst_of(const Tensor<T, 3>& found, Index s, const std::vector<std::vector<double>>& wanted) {
  double worst = 0;
  for (Index i = 0; i < found.dimension(1); ++i) {
    for (Index d = 0; d < found.dimension(2); ++d) {
      const bool behind = i >= Index(wanted.size());
      worst = std::max(worst,
                       heed_test::error(double(found(s, i, d)), behind ? 0 : wanted[std::size_t(i)][std::size_t(d)]));
    }
  }
  return worst;
}

}  // namespace

TEMPLATE_TEST_CASE("co-attention is the paper's three products, each sample over its true lengths", "[nn]", float,
                   double) {
  using T = TestType;
  const auto layer = make<T>(3, 4);
  auto a = random_tensor<T>(1, 2, 6, 3), b = random_tensor<T>(2, 2, 5, 4);
  const std::vector<Index> a_lengths = {6, 4}, b_lengths = {2, 5};
  b(0, 3, 1) = a(1, 5, 0) = std::numeric_limits<T>::quiet_NaN();  // padding is never read
  const auto found = layer.forward(a, b, {a_lengths, b_lengths});
  for (Index s = 0; s < 2; ++s) {
    const Textbook wanted(layer, a, b, s, a_lengths[std::size_t(s)], b_lengths[std::size_t(s)]);
    CHECK(worst_of(found.a_context, s, wanted.a_context) <= heed_test::tolerance<T>());
    CHECK(worst_of(found.b_context, s, wanted.b_context) <= heed_test::tolerance<T>());
    CHECK(worst_of(found.a_summary, s, wanted.a_summary) <= heed_test::tolerance<T>());
  }
}

TEST_CASE("co-attention's gradients equal central differences, with and without lengths", "[nn]") {
  const bool padded = GENERATE(false, true);
  auto layer = make<double>(3, 4);
  CHECK(heed::parameter_count(layer) == 12);
  auto a = random_tensor<double>(1, 2, 6, 3), b = random_tensor<double>(2, 2, 5, 4);
  const std::vector<Index> a_lengths = {6, 4}, b_lengths = {2, 5};
  CoAttention<double>::Lengths lengths;
  if (padded) lengths = {a_lengths, b_lengths};
  const CoAttention<double>::Result d{random_tensor<double>(3, 2, 6, 4), random_tensor<double>(4, 2, 5, 3),
                                      random_tensor<double>(5, 2, 6, 3)};
  CoAttention<double>::Cache cache;
  layer.forward(a, b, lengths, &cache);
  auto grad = heed::zeros_like(layer);
  auto found = layer.backward(d, cache, grad);
  const auto result = heed::check_gradients(
      layer, grad, [&] { return total<double>(layer.forward(a, b, lengths), d); }, std::tie(a, found.a),
      std::tie(b, found.b));
  INFO(result.worst_name << " " << result.worst_element);
  CHECK(result.worst_error < 1e-8);
}

TEST_CASE("padding of co-attention's inputs reaches no gradient, and threads change no bit", "[nn]") {
  const auto layer = make<float>(8, 8);
  auto a = random_tensor<float>(1, 3, 40, 8), b = random_tensor<float>(2, 3, 30, 8);
  const std::vector<Index> a_lengths = {40, 4, 0}, b_lengths = {2, 30, 7};
  const CoAttention<float>::Result d{random_tensor<float>(3, 3, 40, 8), random_tensor<float>(4, 3, 30, 8),
                                     random_tensor<float>(5, 3, 40, 8)};
  heed::Serial serial;
  heed::ThreadPool pool(3);
  const auto run = [&](heed::ExecutorRef executor) {
    CoAttention<float>::Cache cache;
    layer.forward(a, b, {a_lengths, b_lengths}, &cache, executor);
    auto grad = heed::zeros_like(layer);
    auto gradients = layer.backward(d, cache, grad, executor);
    return std::tuple(std::move(gradients), std::move(grad));
  };
  const auto [first, first_grad] = run(serial);
  for (Index t = 4; t < 40; ++t) a(1, t, 2) = std::numeric_limits<float>::quiet_NaN();
  b(2, 8, 0) = std::numeric_limits<float>::infinity();
  const auto [second, second_grad] = run(pool);
  CHECK(heed_test::all_same_bits(heed::flat(first.a), heed::flat(second.a)));
  CHECK(heed_test::all_same_bits(heed::flat(first.b), heed::flat(second.b)));
  CHECK(heed_test::all_same_bits(heed::flat(first_grad.bilinear.weight), heed::flat(second_grad.bilinear.weight)));
}

TEST_CASE("co-attention refuses what does not fit", "[nn]") {
  CHECK_THROWS_AS(make<float>(0, 3), heed::Error);
  const auto layer = make<float>(3, 4);
  const auto a = random_tensor<float>(1, 2, 6, 3), b = random_tensor<float>(2, 2, 5, 4);
  CHECK_THROWS_WITH(layer.forward(b, b), "CoAttention::forward: a has shape (2, 5, 4), wanted (any, any, 3)");
  CHECK_THROWS_WITH(layer.forward(a, random_tensor<float>(1, 3, 5, 4)),
                    "CoAttention::forward: b has shape (3, 5, 4), wanted (2, any, 4)");
  const std::vector<Index> long_lengths = {7, 1};
  CHECK_THROWS_WITH(layer.forward(a, b, {.a = long_lengths}), "CoAttention::forward: a_lengths[0] is 7, wanted 0 to 6");
  CHECK_THROWS_AS(CoAttention<float>().forward(a, b), heed::Error);
  auto grad = heed::zeros_like(layer);
  CHECK_THROWS_AS(layer.backward({a, b, a}, {}, grad), heed::Error);
}
