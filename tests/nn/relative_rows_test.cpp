#include <heed/nn/relative_rows.hpp>

#include <heed/attention/scaled_dot_product.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

TEST_CASE("Numbers per table row are spread over keys by clipped distance, and summed back", "[nn]") {
  const Index clip = GENERATE(0, 1, 5), offset = GENERATE(-3, 0, 4, 12), queries = GENERATE(1, 4), keys = GENERATE(1, 6);
  const detail::RelativeRows rows{clip, offset, queries, keys};
  const auto table = random_tensor<double>(1, 2 * queries, rows.table_rows());
  Tensor<double, 2> spread(2 * queries, keys), sums(2 * queries, rows.table_rows());
  rows.expand(table, as_matrix(spread), default_executor());
  const auto by_key = random_tensor<double>(2, 2 * queries, keys);
  rows.collapse(as_matrix(by_key), sums, default_executor());
  Tensor<double, 2> wanted = zeros<double, 2>(extents(sums));
  for (Index i = 0; i < 2 * queries; ++i)
    for (Index j = 0; j < keys; ++j) {
      const Index row = std::clamp(j - i % queries - offset, -clip, clip) + clip;
      CHECK(spread(i, j) == table(i, row));
      wanted(i, row) += by_key(i, j);
    }
  CHECK(heed_test::all_close(flat(sums), flat(wanted)));
}

TEST_CASE("What is not finite is replaced by zero where a weight of zero stands before it", "[nn]") {
  auto x = random_tensor<float>(1, 3, 5);
  Tensor<float, 2> storage;
  CHECK(detail::finite_elements<float>(as_matrix(std::as_const(x)), storage).data == x.data());
  x(1, 2) = std::numeric_limits<float>::infinity();
  x(2, 0) = std::numeric_limits<float>::quiet_NaN();
  const auto finite = detail::finite_elements<float>(as_matrix(std::as_const(x)), storage);
  CHECK(finite(1, 2) == 0);
  CHECK(finite(2, 0) == 0);
  CHECK(finite(1, 3) == x(1, 3));
}

TEST_CASE("The gradient of scores reaches queries and the keys that their heads share", "[nn]") {
  const auto d = random_tensor<double>(1, 2, 4, 3, 5), q = random_tensor<double>(2, 2, 4, 3, 2), k = random_tensor<double>(3, 2, 2, 5, 2);
  auto d_q = random_tensor<double>(4, 2, 4, 3, 2), d_k = random_tensor<double>(5, 2, 2, 5, 2);
  auto wanted_q = d_q, wanted_k = d_k;
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 4; ++h)
      for (Index i = 0; i < 3; ++i)
        for (Index j = 0; j < 5; ++j)
          for (Index c = 0; c < 2; ++c) {
            wanted_q(b, h, i, c) += 0.5 * d(b, h, i, j) * k(b, h / 2, j, c);
            wanted_k(b, h / 2, j, c) += 0.5 * d(b, h, i, j) * q(b, h, i, c);
          }
  detail::add_score_gradient(d, q, k, 0.5, d_q, d_k, default_executor());
  CHECK(heed_test::all_close(flat(d_q), flat(wanted_q)));
  CHECK(heed_test::all_close(flat(d_k), flat(wanted_k)));
}

TEST_CASE("Dropout of kept weights has the bits of attention's own", "[nn]") {
  const auto q = random_tensor<float>(1, 2, 2, 5, 4), k = random_tensor<float>(2, 2, 2, 7, 4);
  Tensor<float, 4> identity = zeros<float, 4>({2, 2, 7, 7});
  for (Index j = 0; j < 7; ++j) identity.chip(j, 3).chip(j, 2).setConstant(1.0f);
  const AttentionDropout dropout{0.4, Rng{9, 1}};
  const auto result = attend(q, k, identity, {.dropout = dropout, .return_weights = true});
  auto weights = result.weights;
  detail::apply_dropout(dropout, weights);
  CHECK(heed_test::all_close(flat(weights), flat(result.output)));
}
