#include <heed/nn/relative_position.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

namespace {

template <class T>
using Layer = RelativePosition<T>;

template <class T>
Layer<T> make(Index clip, Index head_dim, Index value_dim) {
  Rng rng{5, 0};
  return Layer<T>({.clip = clip, .head_dim = head_dim, .value_dim = value_dim}, rng);
}

/// The paper's formulas; causal: keys behind the query's place are hidden.
template <class T>
Tensor<double, 4> textbook(const Layer<T>& layer, const Tensor<T, 4>& q, const Tensor<T, 4>& k, const Tensor<T, 4>& v, Index offset, bool causal) {
  const Index group = q.dimension(1) / k.dimension(1), keys = k.dimension(2), clip = layer.clip();
  Tensor<double, 4> out = zeros<double, 4>({q.dimension(0), q.dimension(1), q.dimension(2), v.dimension(3)});
  for (Index b = 0; b < q.dimension(0); ++b)
    for (Index h = 0; h < q.dimension(1); ++h)
      for (Index i = 0; i < q.dimension(2); ++i) {
        double total = 0;
        for (Index j = 0; j < keys; ++j) {
          const Index row = std::clamp(j - i - offset, -clip, clip) + clip;
          if (causal && j > i + offset) continue;
          double s = 0;
          for (Index d = 0; d < q.dimension(3); ++d) s += double(q(b, h, i, d)) * (double(k(b, h / group, j, d)) + double(layer.key(row, d)));
          const double weight = std::exp(s / std::sqrt(double(q.dimension(3))));
          total += weight;
          for (Index d = 0; d < v.dimension(3); ++d)
            out(b, h, i, d) += weight * (double(v(b, h / group, j, d)) + (layer.value.size() > 0 ? double(layer.value(row, d)) : 0));
        }
        for (Index d = 0; d < v.dimension(3); ++d) out(b, h, i, d) = total == 0 ? 0 : out(b, h, i, d) / total;
      }
  return out;
}

void check_layer(Index value_dim, const Layer<double>::Options& options) {
  auto layer = make<double>(2, 3, value_dim);
  const Index width = value_dim > 0 ? value_dim : 2;
  auto query = random_tensor<double>(1, 2, 4, 5, 3), key = random_tensor<double>(2, 2, 2, 7, 3), value = random_tensor<double>(3, 2, 2, 7, width);
  const auto d_output = random_tensor<double>(4, 2, 4, 5, width);
  Layer<double>::Cache cache;
  layer.forward(query, key, value, options, &cache);
  Layer<double> grad = zeros_like(layer);
  auto d = layer.backward(d_output, query, key, value, cache, options, grad);
  const auto found = heed::check_gradients(
      layer, grad, [&] { return heed_test::weighted_total(layer.forward(query, key, value, options), d_output); },
      std::tie(query, d.query), std::tie(key, d.key), std::tie(value, d.value));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

}  // namespace

TEMPLATE_TEST_CASE("RelativePosition adds vectors of clipped distances to keys and values", "[nn]", float, double) {
  using T = TestType;
  const Index queries = GENERATE(1, 5, 33), keys = GENERATE(5, 33), clip = GENERATE(0, 2, 40);
  const bool causal = GENERATE(false, true), values = GENERATE(false, true);
  const auto layer = make<T>(clip, 4, values ? 3 : 0);
  const auto q = random_tensor<T>(1, 2, 4, queries, 4), k = random_tensor<T>(2, 2, 2, keys, 4), v = random_tensor<T>(3, 2, 2, keys, 3);
  const Index offset = keys - queries;
  const auto found = layer.forward(q, k, v, {.mask = causal ? causal_offset(offset) : Mask()});
  CHECK(heed_test::all_close(flat(found), flat(textbook(layer, q, k, v, offset, causal))));
}

TEST_CASE("RelativePosition counts distances from the offset that a call gives", "[nn]") {
  const auto layer = make<double>(2, 4, 3);
  const Index offset = GENERATE(-4, 0, 3, 20);
  const auto q = random_tensor<double>(1, 1, 2, 3, 4), k = random_tensor<double>(2, 1, 2, 9, 4), v = random_tensor<double>(3, 1, 2, 9, 3);
  CHECK(heed_test::all_close(flat(layer.forward(q, k, v, {.offset = offset})), flat(textbook(layer, q, k, v, offset, false))));
}

TEST_CASE("RelativePosition's gradients equal central differences", "[nn]") {
  CHECK(parameter_count(make<double>(2, 3, 4)) == 5 * 7);
  check_layer(4, {});
  check_layer(4, {.scale = 0.7, .mask = causal_offset(1), .dropout = {0.3, Rng{3, 0}}});
  check_layer(0, {.offset = 1});
}

TEST_CASE("What RelativePosition's mask hides reaches no output and no gradient", "[nn]") {
  const auto layer = make<float>(2, 3, 4);
  auto query = random_tensor<float>(1, 2, 2, 5, 3), key = random_tensor<float>(2, 2, 2, 5, 3), value = random_tensor<float>(3, 2, 2, 5, 4);
  auto d_output = random_tensor<float>(4, 2, 2, 5, 4);
  const std::vector<Index> lengths = {5, 3};
  const Layer<float>::Options options{.mask = key_lengths(lengths) & query_lengths(lengths) & causal()};
  const auto run = [&] {
    Layer<float>::Cache cache;
    Layer<float> grad = zeros_like(layer);
    const auto output = layer.forward(query, key, value, options, &cache);
    const auto d = layer.backward(d_output, query, key, value, cache, options, grad);
    std::vector<float> all(output.data(), output.data() + output.size());
    for (const auto* t : {&d.query, &d.key, &d.value}) all.insert(all.end(), t->data(), t->data() + t->size());
    for (const auto* t : {&grad.key, &grad.value}) all.insert(all.end(), t->data(), t->data() + t->size());
    return all;
  };
  const auto before = run();
  for (auto* x : {&query, &key, &value, &d_output})
    for (Index h = 0; h < 2; ++h)
      for (Index t = 3; t < 5; ++t) x->chip(1, 0).chip(h, 0).chip(t, 0).setConstant(std::numeric_limits<float>::quiet_NaN());
  CHECK(heed_test::all_same_bits(run(), before));
}

TEST_CASE("A sample's output and gradients do not depend on padding or threads", "[nn]") {
  const auto layer = make<float>(3, 4, 5);
  const Index length = 37, padded = 70;
  const auto query = random_tensor<float>(1, 1, 2, padded, 4), key = random_tensor<float>(2, 1, 2, padded, 4), value = random_tensor<float>(3, 1, 2, padded, 5),
             d_output = random_tensor<float>(4, 1, 2, padded, 5);
  const std::vector<Index> lengths = {length};
  const auto cut = [&](const Tensor<float, 4>& x) -> Tensor<float, 4> {
    return x.slice(Extents<4>{0, 0, 0, 0}, Extents<4>{1, 2, length, x.dimension(3)});
  };
  const auto run = [&](const auto& q, const auto& k, const auto& v, const auto& d, ExecutorRef executor) {
    const Layer<float>::Options options{.mask = key_lengths(lengths) & query_lengths(lengths)};
    Layer<float>::Cache cache;
    Layer<float> grad = zeros_like(layer);
    const auto output = cut(layer.forward(q, k, v, options, &cache, executor));
    const auto back = layer.backward(d, q, k, v, cache, options, grad, executor);
    std::vector<float> all(output.data(), output.data() + output.size());
    for (const auto& t : {cut(back.query), cut(back.key), cut(back.value)}) all.insert(all.end(), t.data(), t.data() + t.size());
    for (const auto* t : {&grad.key, &grad.value}) all.insert(all.end(), t->data(), t->data() + t->size());
    return all;
  };
  Serial serial;
  ThreadPool pool(3);
  const auto wanted = run(cut(query), cut(key), cut(value), cut(d_output), serial);
  CHECK(heed_test::all_same_bits(run(cut(query), cut(key), cut(value), cut(d_output), pool), wanted));
  const auto found = run(query, key, value, d_output, serial);
  const std::size_t own = found.size() - static_cast<std::size_t>(layer.key.size() + layer.value.size());
  CHECK(heed_test::all_same_bits(std::span(found).first(own), std::span(wanted).first(own)));
}

TEST_CASE("RelativePosition refuses what does not fit", "[nn]") {
  CHECK_THROWS_WITH(make<float>(-1, 3, 3), Catch::Contains("clip is -1"));
  CHECK_THROWS_WITH(make<float>(1, 0, 3), Catch::Contains("head_dim 0"));
  const auto layer = make<float>(1, 3, 4);
  const auto x = random_tensor<float>(1, 1, 2, 5, 3);
  CHECK_THROWS_WITH(layer.forward(random_tensor<float>(1, 1, 2, 5, 4), x, x), Catch::Contains("query has shape (1, 2, 5, 4)"));
  CHECK_THROWS_WITH(layer.forward(x, x, x), Catch::Contains("values has shape (1, 2, 5, 3)"));
}
