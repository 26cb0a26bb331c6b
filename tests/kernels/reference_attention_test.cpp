#include <heed/kernels/reference_attention.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"

namespace reference = heed::reference;
using heed::Index;
using namespace heed_test;
using Numbers = std::vector<double>;

namespace {
/// Key 1 is hidden from query 0; query 2 sees nothing.
bool ragged(Index query, Index key) { return query != 2 && !(query == 0 && key == 1); }

struct Problem {
  static constexpr Index queries = 3, keys = 4, width = 5, value_dim = 2;
  Numbers query = random_numbers<double>(queries * width, 1);
  Numbers key = random_numbers<double>(keys * width, 2);
  Numbers value = random_numbers<double>(keys * value_dim, 3);
  Numbers v = random_numbers<double>(width, 4);
  Numbers output = Numbers(queries * value_dim), probabilities = Numbers(queries * keys), lse = Numbers(queries);
  Numbers d_query = Numbers(queries * width), d_key = Numbers(keys * width), d_value = Numbers(keys * value_dim);
  Numbers d_v = Numbers(width);
  const Numbers up = random_numbers<double>(queries * value_dim, 5);

  template <class Visible>
  double dot_product_loss(Visible visible) {
    reference::dot_product_attention(
        matrix(std::as_const(query), queries, width), matrix(std::as_const(key), keys, width),
        matrix(std::as_const(value), keys, value_dim), 0.4, visible, matrix(output, queries, value_dim),
        matrix(probabilities, queries, keys), lse.data());
    return weighted_sum(up, output);
  }
  template <class Visible>
  double additive_loss(Visible visible) {
    reference::additive_attention(matrix(std::as_const(query), queries, width), matrix(std::as_const(key), keys, width),
                                  v.data(), matrix(std::as_const(value), keys, value_dim), visible,
                                  matrix(output, queries, value_dim), matrix(probabilities, queries, keys));
    return weighted_sum(up, output);
  }
};
}  // namespace

TEST_CASE("the reference attention mixes two values by hand", "[kernels]") {
  const Numbers query{2}, key{0, 0.5}, value{10, 20}, v{3};
  Numbers output(1), probabilities(2), lse(1);
  reference::dot_product_attention(matrix(query, 1, 1), matrix(key, 2, 1), matrix(value, 2, 1), 1.5,
                                   reference::KeyLength{2}, matrix(output, 1, 1), matrix(probabilities, 1, 2),
                                   lse.data());
  const double p = 1 / (1 + std::exp(-1.5));  // scores 0 and 1.5
  CHECK(output[0] == Approx(10 * (1 - p) + 20 * p).epsilon(1e-14));
  CHECK(lse[0] == Approx(std::log(1 + std::exp(1.5))).epsilon(1e-14));
  reference::additive_attention(matrix(query, 1, 1), matrix(key, 2, 1), v.data(), matrix(value, 2, 1),
                                reference::KeyLength{2}, matrix(output, 1, 1), matrix(probabilities, 1, 2));
  CHECK(probabilities[1] == Approx(1 / (1 + std::exp(3 * std::tanh(2.0) - 3 * std::tanh(2.5)))).epsilon(1e-14));
}

TEST_CASE("the gradients of the reference attentions are their central differences, masks included", "[kernels]") {
  Problem p;
  p.dot_product_loss(ragged);
  reference::dot_product_attention_backward(matrix(std::as_const(p.query), 3, 5), matrix(std::as_const(p.key), 4, 5),
                                            matrix(std::as_const(p.value), 4, 2), 0.4, ragged,
                                            matrix(std::as_const(p.probabilities), 3, 4), matrix(p.up, 3, 2),
                                            matrix(p.d_query, 3, 5), matrix(p.d_key, 4, 5), matrix(p.d_value, 4, 2));
  const auto dot_product = [&] { return p.dot_product_loss(ragged); };
  CHECK(gradient_error(p.query, p.d_query, dot_product) < gradient_tolerance);
  CHECK(gradient_error(p.key, p.d_key, dot_product) < gradient_tolerance);
  CHECK(gradient_error(p.value, p.d_value, dot_product) < gradient_tolerance);

  p.additive_loss(ragged);
  reference::additive_attention_backward(
      matrix(std::as_const(p.query), 3, 5), matrix(std::as_const(p.key), 4, 5), p.v.data(),
      matrix(std::as_const(p.value), 4, 2), ragged, matrix(std::as_const(p.probabilities), 3, 4), matrix(p.up, 3, 2),
      matrix(p.d_query, 3, 5), matrix(p.d_key, 4, 5), p.d_v.data(), matrix(p.d_value, 4, 2));
  const auto additive = [&] { return p.additive_loss(ragged); };
  CHECK(gradient_error(p.query, p.d_query, additive) < gradient_tolerance);
  CHECK(gradient_error(p.key, p.d_key, additive) < gradient_tolerance);
  CHECK(gradient_error(p.value, p.d_value, additive) < gradient_tolerance);
  CHECK(gradient_error(p.v, p.d_v, additive) < gradient_tolerance);
}

TEST_CASE("a query that sees nothing gets zeros and -inf from the reference", "[kernels]") {
  Problem p;
  p.dot_product_loss(ragged);
  CHECK((p.output[4] == 0 && p.output[5] == 0));
  CHECK(p.lse[2] == -reference::infinity);
  p.additive_loss(reference::KeyLength{0});
  CHECK(p.output == Numbers(6, 0.0));
  CHECK(p.probabilities == Numbers(12, 0.0));
}

TEST_CASE("NaN behind the key length changes nothing in the reference attention", "[kernels]") {
  Problem p;
  const reference::KeyLength three{3};
  p.additive_loss(three);
  const Numbers additive = p.output;
  p.dot_product_loss(three);
  const Numbers dot_product = p.output;
  for (std::size_t i = 15; i < 20; ++i) p.key[i] = not_a_number<double>;
  p.value[6] = p.value[7] = not_a_number<double>;
  p.additive_loss(three);
  CHECK(p.output == additive);
  p.dot_product_loss(three);
  CHECK(p.output == dot_product);
}
