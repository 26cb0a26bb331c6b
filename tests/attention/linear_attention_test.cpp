#include <heed/attention/linear_attention.hpp>

#include <heed/nn/gradient_check.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

namespace {

/// A layer without parameters: the gradient check's inputs are all there is.
struct Nothing {
  static void fields(auto&&, auto&...) {}
};

template <class T>
double feature(T x) {
  return x > 0 ? double(x) + 1 : std::exp(double(x));
}

/// The formula with its matrix of weights, in double; keys behind a sample's length are hidden.
template <class T>
Tensor<double, 4> textbook(const Tensor<T, 4>& q, const Tensor<T, 4>& k, const Tensor<T, 4>& v, LinearOrder order, const std::vector<Index>& lengths) {
  const Index group = q.dimension(1) / k.dimension(1), width = v.dimension(3);
  Tensor<double, 4> out = zeros<double, 4>({q.dimension(0), q.dimension(1), q.dimension(2), width});
  for (Index b = 0; b < q.dimension(0); ++b)
    for (Index h = 0; h < q.dimension(1); ++h)
      for (Index i = 0; i < q.dimension(2); ++i) {
        const Index length = lengths.empty() ? k.dimension(2) : lengths[std::size_t(b)];
        if (order == LinearOrder::causal && i >= length) continue;
        double total = 0;
        for (Index j = 0; j < (order == LinearOrder::causal ? i + 1 : length); ++j) {
          double weight = 0;
          for (Index d = 0; d < q.dimension(3); ++d) weight += feature(q(b, h, i, d)) * feature(k(b, h / group, j, d));
          total += weight;
          for (Index e = 0; e < width; ++e) out(b, h, i, e) += weight * double(v(b, h / group, j, e));
        }
        for (Index e = 0; e < width && total > 0; ++e) out(b, h, i, e) /= total;
      }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("Linear attention is the normalised sum over products of features", "[attention]", float, double) {
  using T = TestType;
  const auto order = GENERATE(LinearOrder::full, LinearOrder::causal);
  const Index keys = GENERATE(0, 1, 33, 70), dim = GENERATE(1, 9), width = GENERATE(1, 16);
  const Index queries = order == LinearOrder::causal ? keys : 7;
  const auto q = random_tensor<T>(1, 2, 4, queries, dim), k = random_tensor<T>(2, 2, 2, keys, dim), v = random_tensor<T>(3, 2, 2, keys, width);
  CHECK(heed_test::all_close(flat(linear_attention(q, k, v, {.order = order}).output), flat(textbook(q, k, v, order, {}))));
  const std::vector<Index> lengths = {keys, 0};
  CHECK(heed_test::all_close(flat(linear_attention(q, k, v, {.order = order, .lengths = lengths}).output), flat(textbook(q, k, v, order, lengths))));
}

TEST_CASE("Linear attention's gradients equal central differences", "[attention]") {
  const auto order = GENERATE(LinearOrder::full, LinearOrder::causal);
  const Index keys = GENERATE(4, 40);
  auto q = random_tensor<double>(1, 2, 4, order == LinearOrder::causal ? keys : 5, 3), k = random_tensor<double>(2, 2, 2, keys, 3),
       v = random_tensor<double>(3, 2, 2, keys, 2);
  auto state = random_tensor<double>(4, 2, 2, 3, 3);
  for (double& x : flat(state)) x = std::abs(x);
  const std::vector<Index> lengths = {keys, keys - 3};
  const LinearAttentionOptions<double> options{.order = order, .lengths = lengths, .state = &state};
  const auto d_output = random_tensor<double>(5, 2, 4, q.dimension(2), 2), d_state = random_tensor<double>(6, 2, 2, 3, 3);
  const auto forward = linear_attention(q, k, v, options);
  auto d = linear_attention_backward(d_output, q, k, v, forward, options, &d_state);
  Nothing nothing;
  const auto loss = [&] {
    const auto result = linear_attention(q, k, v, options);
    return heed_test::weighted_total(result.output, d_output) + heed_test::weighted_total(result.state, d_state);
  };
  const auto found = check_gradients(nothing, nothing, loss, std::tie(q, d.query), std::tie(k, d.key), std::tie(v, d.value), std::tie(state, d.state));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

TEST_CASE("Causal linear attention carries its state from call to call, bit for bit", "[attention]") {
  const auto q = random_tensor<float>(1, 2, 4, 20, 8), k = random_tensor<float>(2, 2, 2, 20, 8), v = random_tensor<float>(3, 2, 2, 20, 5);
  const auto whole = linear_attention(q, k, v, {.order = LinearOrder::causal});
  Tensor<float, 4> state = zeros<float, 4>({2, 2, 8, 6});
  for (Index t = 0; t < 20; t += 5) {
    const auto part = [&](const Tensor<float, 4>& x) -> Tensor<float, 4> {
      return x.slice(Extents<4>{0, 0, t, 0}, Extents<4>{x.dimension(0), x.dimension(1), 5, x.dimension(3)});
    };
    auto step = linear_attention(part(q), part(k), part(v), {.order = LinearOrder::causal, .state = &state});
    CHECK(heed_test::all_same_bits(flat(step.output), flat(part(whole.output))));
    state = std::move(step.state);
  }
}

TEST_CASE("Keys behind a length reach nothing, and threads change no bit of linear attention", "[attention]") {
  const auto order = GENERATE(LinearOrder::full, LinearOrder::causal);
  auto q = random_tensor<float>(1, 2, 4, 40, 4), k = random_tensor<float>(2, 2, 2, 40, 4), v = random_tensor<float>(3, 2, 2, 40, 5);
  const auto d_output = random_tensor<float>(7, 2, 4, 40, 5);
  const std::vector<Index> lengths = {40, 33};
  const LinearAttentionOptions<float> options{.order = order, .lengths = lengths};
  const auto run = [&](ExecutorRef executor) {
    const auto result = linear_attention(q, k, v, options, executor);
    const auto d = linear_attention_backward(d_output, q, k, v, result, options, nullptr, executor);
    std::vector<float> all;
    for (const auto* t : {&result.output, &d.query, &d.key, &d.value}) all.insert(all.end(), t->data(), t->data() + t->size());
    return all;
  };
  Serial serial;
  ThreadPool pool(3);
  const auto before = run(serial);
  CHECK(heed_test::all_same_bits(run(pool), before));
  for (auto* x : {&k, &v})
    for (Index h = 0; h < 2; ++h)
      for (Index t = 33; t < 40; ++t) x->chip(1, 0).chip(h, 0).chip(t, 0).setConstant(std::numeric_limits<float>::quiet_NaN());
  CHECK(heed_test::all_same_bits(run(serial), before));
}

TEST_CASE("Linear attention refuses what does not fit", "[attention]") {
  const auto q = random_tensor<float>(1, 2, 4, 5, 3), k = random_tensor<float>(2, 2, 2, 6, 3), v = random_tensor<float>(3, 2, 2, 6, 2);
  CHECK_THROWS_WITH(linear_attention(q, k, v, {.order = LinearOrder::causal}), Catch::Contains("key has shape (2, 2, 6, 3), wanted (2, any, 5, 3)"));
  CHECK_THROWS_WITH(linear_attention(q, k, random_tensor<float>(3, 2, 2, 5, 2)), Catch::Contains("value has shape (2, 2, 5, 2)"));
  CHECK_THROWS_WITH(linear_attention(q, k, v, {.state = &v}), Catch::Contains("state has shape (2, 2, 6, 2), wanted (2, 2, 3, 3)"));
  CHECK_THROWS_WITH(linear_attention_backward(k, q, k, v, linear_attention(q, k, v)), Catch::Contains("d_output has shape (2, 2, 6, 3)"));
}
