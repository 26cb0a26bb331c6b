// seed: the worked self-attention example of the text this project grew from, and its dot-product context.

#include <cmath>

#include <heed/attention/matmul.hpp>
#include <heed/attention/scaled_dot_product.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

using Matrix = Tensor<double, 2>;

Matrix product(const Matrix& a, const Matrix& b, heed::Transpose transpose_b = heed::Transpose::no) {
  Matrix c(a.dimension(0), transpose_b == heed::Transpose::yes ? b.dimension(0) : b.dimension(1));
  heed::matmul(heed::Transpose::no, a, transpose_b, b, c, heed::Accumulate::no);
  return c;
}

Tensor<double, 4> one_sample(const Matrix& x) {
  return x.reshape(Eigen::array<Index, 4>{1, 1, x.dimension(0), x.dimension(1)});
}

heed::AttentionResult<double> attended(const Matrix& query, const Matrix& key, const Matrix& value, double scale) {
  return heed::attend(one_sample(query), one_sample(key), one_sample(value), {.scale = scale, .return_weights = true});
}

/// z = softmax(q k^T / sqrt(d)) v with q, k, v = x W; y = z + x.
void run_worked_example(Case& golden) {
  const Matrix x = golden.given<double, 2>("x");
  const Matrix q = product(x, golden.given<double, 2>("W_q")), k = product(x, golden.given<double, 2>("W_k")),
               v = product(x, golden.given<double, 2>("W_v"));
  const double scale = 1 / std::sqrt(golden.option<double>("d_k"));
  const auto result = attended(q, k, v, scale);
  golden.answer("q", q);
  golden.answer("k", k);
  golden.answer("v", v);
  golden.answer("score", Matrix(product(q, k, heed::Transpose::yes) * scale));
  answer_as(golden, "weights", {q.dimension(0), k.dimension(0)}, result.weights);
  const Matrix z = result.output.reshape(Eigen::array<Index, 2>{v.dimension(0), v.dimension(1)});
  golden.answer("z", z);
  golden.answer("y", Matrix(z + x));
}

/// c = softmax(x x^T) x.
void run_dot_context(Case& golden) {
  const Matrix x = golden.given<double, 2>("x");
  const auto result = attended(x, x, x, 1);
  golden.answer("scores", product(x, x, heed::Transpose::yes));
  answer_as(golden, "weights", {x.dimension(0), x.dimension(0)}, result.weights);
  answer_as(golden, "context", golden.given_shape("x"), result.output);
}

}  // namespace

void add_seed(Registry& registry) {
  registry.add("self-attention plus residual", run_worked_example);
  registry.add("unscaled dot self-attention of the seed: s_ij = x_i.x_j, c_i = sum_j a_ij x_j", run_dot_context);
}

}  // namespace conformance
