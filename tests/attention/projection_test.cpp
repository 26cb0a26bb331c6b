#include <heed/attention/projection.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

Projection<double> made(Index out, Index in, Index bias) {
  Rng rng{1, 0};
  Projection<double> projection(out, in, bias, rng);
  for (Index u = 0; u < bias; ++u) projection.bias(u) = 0.1 * static_cast<double>(u + 1);
  return projection;
}

}  // namespace

TEST_CASE("a projection is x weight^T + bias, its backward the transpose of that", "[attention]") {
  const Index bias = GENERATE(0, 4);
  const auto projection = made(4, 3, bias);
  const auto x = random_tensor<double, 2>({5, 3}, 2), d_y = random_tensor<double, 2>({5, 4}, 3);
  Tensor<double, 2> y(5, 4), d_x(5, 3);
  projection.forward_into(as_matrix(x), as_matrix(y), default_executor());
  auto grad = projection;
  grad.weight.setConstant(1);
  grad.bias.setConstant(1);
  projection.backward_into(as_matrix(d_y), as_matrix(x), grad, as_matrix(d_x), default_executor());
  for (Index r = 0; r < 5; ++r) {
    for (Index u = 0; u < 4; ++u) {
      double sum = bias > 0 ? projection.bias(u) : 0;
      for (Index d = 0; d < 3; ++d) sum += projection.weight(u, d) * x(r, d);
      CHECK(y(r, u) == Approx(sum));
    }
  }
  double d_weight = 1, d_bias = 1, d_input = 0;
  for (Index r = 0; r < 5; ++r) d_weight += d_y(r, 2) * x(r, 1), d_bias += d_y(r, 2);
  for (Index u = 0; u < 4; ++u) d_input += d_y(3, u) * projection.weight(u, 2);
  CHECK(grad.weight(2, 1) == Approx(d_weight));
  if (bias > 0) CHECK(grad.bias(2) == Approx(d_bias));
  CHECK(d_x(3, 2) == Approx(d_input));
}

TEST_CASE("steps have the same bits whatever their strides", "[attention]") {
  const auto projection = made(4, 3, 4);
  const auto x = random_tensor<double, 3>({2, 5, 3}, 2);
  Tensor<double, 3> whole(2, 5, 4), moved(5, 2, 4), single(2, 1, 4);
  projection.forward_into(View<const double, 3>(x), View<double, 3>(whole), default_executor());
  projection.forward_into(View<const double, 3>(x), View<double, 3>(moved.data(), {2, 5, 4}, {4, 8, 1}),
                          default_executor());
  CHECK(same_tensor(Tensor<double, 3>(moved.shuffle(Eigen::array<int, 3>{1, 0, 2})), whole));
  projection.forward_into(View<const double, 3>(x.data() + 3, {2, 1, 3}, {15, 3, 1}), View<double, 3>(single),
                          default_executor());
  CHECK(same_tensor(single,
                    Tensor<double, 3>(whole.slice(Eigen::array<Index, 3>{0, 1, 0}, Eigen::array<Index, 3>{2, 1, 4}))));
}

TEST_CASE("add_rows adds in row order whatever the shape and the number of threads", "[attention]") {
  const Index rows = GENERATE(0, 1, 9, 19), cols = GENERATE(1, 33, 2049, 5000);
  const auto x = random_tensor<float, 2>({rows, cols}, 1);
  auto sums = random_tensor<float, 1>({cols}, 2), wanted = sums, serial_sums = sums;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) wanted(j) += x(i, j);
  }
  ThreadPool pool(3);
  Serial serial;
  add_rows(as_matrix(x), sums.data(), pool);
  add_rows(as_matrix(x), serial_sums.data(), serial);
  CHECK(same_tensor(sums, wanted));
  CHECK(same_tensor(serial_sums, wanted));
}

TEST_CASE("an input gradient that nobody needs is an empty view", "[attention]") {
  const auto projection = made(4, 3, 4);
  const auto x = random_tensor<double, 2>({5, 3}, 2), d_y = random_tensor<double, 2>({5, 4}, 3);
  Tensor<double, 2> d_x(5, 3);
  auto with = projection, without = projection;
  projection.backward_into(as_matrix(d_y), as_matrix(x), with, as_matrix(d_x), default_executor());
  projection.backward_into(as_matrix(d_y), as_matrix(x), without, MatrixView<double>(), default_executor());
  CHECK(same_tensor(without.weight, with.weight));
  CHECK(same_tensor(without.bias, with.bias));
}
