#include <heed/nn/relative_bias.hpp>

#include "nn/gradient_testing.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;
using heed_test::weighted_total;

namespace {

RelativeBias<double> make(BucketDirection direction) {
  Rng rng{1, 0};
  return RelativeBias<double>({.heads = 3, .buckets = {.buckets = 8, .max_distance = 10, .direction = direction}}, rng);
}

Tensor<double, 4> copied(const DiagonalBias<double>& bias) {
  const auto view = bias.view();
  Tensor<double, 4> all(view.extents);
  for (Index h = 0; h < all.dimension(1); ++h)
    for (Index i = 0; i < all.dimension(2); ++i)
      for (Index j = 0; j < all.dimension(3); ++j) all(0, h, i, j) = view(Index{0}, h, i, j);
  return all;
}

}  // namespace

TEST_CASE("a pair's bias is the table's row of its bucket", "[nn]") {
  const auto bias = make(GENERATE(BucketDirection::both, BucketDirection::past));
  const Index offset = GENERATE(0, 4), queries = GENERATE(1, 6), keys = 13;
  const auto found = copied(bias.forward(queries, keys, offset));
  const Tensor<double, 3> wanted = bucket_bias(bias.weight, bias.buckets, queries, keys, offset);
  CHECK(heed_test::all_same_bits(flat(found), flat(wanted)));
}

TEST_CASE("every sample reads the same bias, and none where there is no pair", "[nn]") {
  const auto bias = make(BucketDirection::both).forward(3, 2);
  const auto view = bias.view(4);
  CHECK(view.extents == Extents<4>{4, 3, 3, 2});
  CHECK(view(3, 2, 1, 1) == bias.view()(0, 2, 1, 1));
  CHECK(make(BucketDirection::both).forward(0, 2).view().empty());
  CHECK(make(BucketDirection::both).forward(2, 0).view().empty());
}

TEST_CASE("the table's gradient equals central differences", "[nn]") {
  auto bias = make(GENERATE(BucketDirection::both, BucketDirection::past));
  const auto d_bias = random_tensor<double>(2, 2, 3, 4, 6);
  auto grad = zeros_like(bias);
  bias.backward(d_bias, grad, 2);
  const auto loss = [&] {
    const auto all = copied(bias.forward(4, 6, 2));
    double total = 0;
    for (Index b = 0; b < 2; ++b)
      for (Index k = 0; k < all.size(); ++k) total += all.data()[k] * d_bias.data()[b * all.size() + k];
    return total;
  };
  const auto found = check_gradients(bias, grad, loss);
  CHECK(found.worst_error < 1e-8);
  CHECK(parameter_count(bias) == 8 * 3);
}

TEST_CASE("sizes that leave no bias are refused", "[nn]") {
  Rng rng{1, 0};
  CHECK_THROWS_WITH(RelativeBias<float>({.heads = 0}, rng), Catch::Contains("heads is 0"));
  CHECK_THROWS_WITH(RelativeBias<float>({.buckets = {.buckets = 2}}, rng), Catch::Contains("buckets is 2"));
  auto bias = make(BucketDirection::both), grad = bias;
  CHECK_THROWS_AS(bias.backward(random_tensor<double>(1, 1, 2, 4, 4), grad), Error);
  CHECK_THROWS_AS(bias.forward(-1, 2), Error);
}
