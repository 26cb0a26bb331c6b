#include <heed/nn/bidirectional_flow.hpp>

#include <limits>

#include <heed/core/thread_pool.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::BidirectionalFlow;
using heed::Index;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

template <class T>
BidirectionalFlow<T> make(Index dim) {
  heed::Rng rng{7, 0};
  BidirectionalFlow<T> layer(dim, rng);
  layer.weight = layer.weight * T(4);
  return layer;
}

/// The definition for sample b with n context steps and m query words: (n, 4 dim).
template <class T>
std::vector<double> textbook(const BidirectionalFlow<T>& layer, const Tensor<T, 3>& h, const Tensor<T, 3>& u, Index b,
                             Index n, Index m) {
  const Index dim = layer.dim();
  const auto S = [&](Index t, Index j) {
    double sum = 0;
    for (Index i = 0; i < dim; ++i) {
      const double x = double(h(b, t, i)), y = double(u(b, j, i));
      sum +=
          double(layer.weight(i)) * x + double(layer.weight(dim + i)) * y + double(layer.weight(2 * dim + i)) * x * y;
    }
    return sum;
  };
  std::vector<double> out, maxima, summary(std::size_t(dim), 0.0);
  double peaks = 0;
  for (Index t = 0; t < n; ++t) {
    double best = -1e300;
    for (Index j = 0; j < m; ++j) best = std::max(best, S(t, j));
    maxima.push_back(std::exp(best));
    peaks += maxima.back();
  }
  for (Index t = 0; t < n; ++t) {
    for (Index i = 0; i < dim; ++i) summary[std::size_t(i)] += maxima[std::size_t(t)] / peaks * double(h(b, t, i));
  }
  for (Index t = 0; t < n; ++t) {
    std::vector<double> attended(std::size_t(dim), 0.0);
    double total = 0;
    for (Index j = 0; j < m; ++j) total += std::exp(S(t, j));
    for (Index j = 0; j < m; ++j) {
      for (Index i = 0; i < dim; ++i) attended[std::size_t(i)] += std::exp(S(t, j)) / total * double(u(b, j, i));
    }
    for (Index part = 0; part < 4; ++part) {
      for (Index i = 0; i < dim; ++i) {
        const double x = double(h(b, t, i)), a = attended[std::size_t(i)], s = summary[std::size_t(i)];
        out.push_back(part == 0 ? x : part == 1 ? a : part == 2 ? x * a : x * s);
      }
    }
  }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("the flow is the paper's, each sample over its true lengths", "[nn]", float, double) {
  using T = TestType;
  const Index dim = GENERATE(1, 5, 33);
  const auto layer = make<T>(dim);
  auto h = random_tensor<T>(1, 2, 7, dim), u = random_tensor<T>(2, 2, 4, dim);
  const std::vector<Index> context_lengths = {7, 5}, query_lengths = {2, 4};
  h(1, 6, 0) = u(0, 3, 0) = std::numeric_limits<T>::quiet_NaN();  // padding is never read
  const auto found = layer.forward(h, u, {context_lengths, query_lengths});
  for (Index b = 0; b < 2; ++b) {
    const Index n = context_lengths[std::size_t(b)];
    auto wanted = textbook(layer, h, u, b, n, query_lengths[std::size_t(b)]);
    wanted.resize(std::size_t(7 * 4 * dim), 0.0);
    CHECK(heed_test::all_close(heed::flat(found).subspan(std::size_t(b * 28 * dim), std::size_t(28 * dim)), wanted));
  }
}

TEST_CASE("the flow's gradients equal central differences, with and without lengths", "[nn]") {
  const bool padded = GENERATE(false, true);
  auto layer = make<double>(3);
  CHECK(heed::parameter_count(layer) == 9);
  auto h = random_tensor<double>(1, 3, 6, 3), u = random_tensor<double>(2, 3, 4, 3);
  const auto d_output = random_tensor<double>(3, 3, 6, 12);
  const std::vector<Index> context_lengths = {6, 4, 0}, query_lengths = {2, 4, 1};
  BidirectionalFlow<double>::Lengths lengths;
  if (padded) lengths = {context_lengths, query_lengths};
  BidirectionalFlow<double>::Cache cache;
  layer.forward(h, u, lengths, &cache);
  auto grad = heed::zeros_like(layer);
  auto d = layer.backward(d_output, cache, grad);
  const auto found = heed::check_gradients(
      layer, grad, [&] { return heed_test::weighted_total(layer.forward(h, u, lengths), d_output); },
      std::tie(h, d.context), std::tie(u, d.query));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

TEST_CASE("a context without a query flows through alone", "[nn]") {
  const auto layer = make<double>(3);
  auto h = random_tensor<double>(1, 1, 4, 3), u = random_tensor<double>(2, 1, 2, 3);
  const std::vector<Index> none = {0};
  BidirectionalFlow<double>::Cache cache;
  const auto y = layer.forward(h, u, {.query = none}, &cache);
  CHECK(y(0, 2, 1) == h(0, 2, 1));
  CHECK(y(0, 2, 4) == 0);
  CHECK(y(0, 2, 10) == 0);
  auto grad = heed::zeros_like(layer);
  const auto d_y = random_tensor<double>(3, 1, 4, 12);
  const auto d = layer.backward(d_y, cache, grad);
  CHECK(d.context(0, 2, 1) == d_y(0, 2, 1));
  CHECK(d.query(0, 1, 1) == 0);
  CHECK(grad.weight(3) == 0);
}

TEST_CASE("the flow's bits depend on no threads, no batch and no padding", "[nn]") {
  const auto layer = make<float>(16);
  auto h = random_tensor<float>(1, 5, 30, 16), u = random_tensor<float>(2, 5, 12, 16);
  const auto d_output = random_tensor<float>(3, 5, 30, 64);
  const std::vector<Index> context_lengths = {30, 20, 1, 30, 8}, query_lengths = {2, 12, 12, 7, 3};
  heed::Serial serial;
  heed::ThreadPool pool(3);
  const auto run = [&](heed::ExecutorRef executor) {
    BidirectionalFlow<float>::Cache cache;
    auto y = layer.forward(h, u, {context_lengths, query_lengths}, &cache, executor);
    auto grad = heed::zeros_like(layer);
    auto d = layer.backward(d_output, cache, grad, executor);
    return std::tuple(std::move(y), std::move(d), std::move(grad));
  };
  const auto [y, d, grad] = run(serial);
  const auto [y_three, d_three, grad_three] = run(pool);
  CHECK(heed_test::all_same_bits(heed::flat(y), heed::flat(y_three)));
  CHECK(heed_test::all_same_bits(heed::flat(d.query), heed::flat(d_three.query)));
  CHECK(heed_test::all_same_bits(heed::flat(grad.weight), heed::flat(grad_three.weight)));
  const auto alone = layer.forward(heed_test::sample_of(h, 4, 8, 0.0f), heed_test::sample_of(u, 4, 3, 0.0f));
  CHECK(heed_test::all_same_bits(heed::flat(alone), heed::flat(y).subspan(4 * 30 * 64, 8 * 64)));
}

TEST_CASE("the flow refuses what does not fit", "[nn]") {
  CHECK_THROWS_AS(make<float>(0), heed::Error);
  const auto layer = make<float>(3);
  const auto h = random_tensor<float>(1, 2, 6, 3), u = random_tensor<float>(2, 2, 4, 3);
  CHECK_THROWS_WITH(layer.forward(random_tensor<float>(1, 2, 6, 4), u),
                    "BidirectionalFlow::forward: context has shape (2, 6, 4), wanted (any, any, 3)");
  CHECK_THROWS_AS(layer.forward(h, random_tensor<float>(1, 1, 4, 3)), heed::Error);
  const std::vector<Index> lengths = {3, 5};
  CHECK_THROWS_WITH(layer.forward(h, u, {.query = lengths}),
                    "BidirectionalFlow::forward: query lengths[1] is 5, wanted 0 to 4");
  CHECK_THROWS_AS(BidirectionalFlow<float>().forward(h, u), heed::Error);
  auto grad = heed::zeros_like(layer);
  CHECK_THROWS_AS(layer.backward(h, {}, grad), heed::Error);
}
