#include <heed/nn/relative_scores.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

namespace {

constexpr Index heads = 2, dim = 3, width = 4;

detail::RelativeScores<double> scored(RelativeKeys direction, const Tensor<double, 3>& query, Index keys, const Dense<double>& projection) {
  detail::RelativeScores<double> scores;
  scores.encode(direction, query.dimension(1), keys, width);
  scores.project(projection, default_executor());
  scores.score(query, heads, default_executor());
  return scores;
}

}  // namespace

TEST_CASE("Relative scores are products of queries with their distances' encodings", "[nn]") {
  const auto direction = GENERATE(RelativeKeys::past, RelativeKeys::all);
  const Index length = GENERATE(1, 4), keys = GENERATE(4, 9);
  Rng rng{1, 0};
  const Dense<double> projection({width, heads * dim, Bias::no}, rng);
  const auto query = random_tensor<double>(2, 2, length, heads * dim);
  const auto scores = scored(direction, query, keys, projection);
  const View<const double, 4> bias = scores.bias(heads);
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < heads; ++h)
      for (Index i = 0; i < length; ++i)
        for (Index j = 0; j < keys; ++j) {
          const Index distance = keys - length + i - j;
          if (direction == RelativeKeys::past && distance < 0) continue;
          const auto row = projection.forward(sinusoidal_encoding<double>(1, width, {.layout = SinusoidLayout::concatenated, .offset = distance}));
          double wanted = 0;
          for (Index d = h * dim; d < (h + 1) * dim; ++d) wanted += query(b, i, d) * row(0, d);
          CHECK(heed_test::close(bias(b, h, i, j), wanted));
        }
}

TEST_CASE("The gradients of relative scores equal central differences", "[nn]") {
  const auto direction = GENERATE(RelativeKeys::past, RelativeKeys::all);
  const Index length = 3, keys = 5;
  Rng rng{1, 0};
  Dense<double> projection({width, heads * dim, Bias::no}, rng);
  auto query = random_tensor<double>(2, 2, length, heads * dim);
  auto d_bias = random_tensor<double>(3, 2, heads, length, keys);
  for (Index i = 0; i < length; ++i)
    for (Index j = keys - length + i + 1; j < keys; ++j)
      if (direction == RelativeKeys::past) d_bias.chip(j, 3).chip(i, 2).setZero();
  const auto loss = [&] {
    const auto scores = scored(direction, query, keys, projection);
    const View<const double, 4> bias = scores.bias(heads);
    double total = 0;
    for (Index b = 0; b < 2; ++b)
      for (Index h = 0; h < heads; ++h)
        for (Index i = 0; i < length; ++i)
          for (Index j = 0; j < keys; ++j) total += d_bias(b, h, i, j) == 0 ? 0 : d_bias(b, h, i, j) * bias(b, h, i, j);
    return total;
  };
  Dense<double> grad = zeros_like(projection);
  auto d_query = scored(direction, query, keys, projection).backward(d_bias, query, projection, grad, default_executor());
  const auto found = heed::check_gradients(projection, grad, loss, std::tie(query, d_query));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

TEST_CASE("Head biases are added to every step and their gradients sum over the steps", "[nn]") {
  const auto x = random_tensor<double>(1, 2, 3, heads * dim);
  const auto bias = random_tensor<double>(2, heads, dim);
  const auto y = detail::with_head_bias(x, bias, 0.5);
  CHECK(heed_test::close(y(1, 2, 4), 0.5 * (x(1, 2, 4) + bias(1, 1))));
  Tensor<double, 2> d_bias = zeros<double, 2>({heads, dim});
  detail::add_head_bias_gradient(x, d_bias);
  double wanted = 0;
  for (Index b = 0; b < 2; ++b)
    for (Index t = 0; t < 3; ++t) wanted += x(b, t, 4);
  CHECK(heed_test::close(d_bias(1, 1), wanted));
}
