#include <heed/kernels/additive.hpp>
#include <heed/kernels/reference_attention.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace reference = heed::reference;
using namespace heed_test;

namespace {
template <class T>
struct Problem {
  Index queries, keys, units;
  std::vector<T> query = random_numbers<T>(queries * units, 1, 2);
  std::vector<T> key = random_numbers<T>(keys * units, 2, 2);
  std::vector<T> v = random_numbers<T>(units, 3, 1 / std::sqrt(double(units)));
  std::vector<T> scores = std::vector<T>(static_cast<std::size_t>(queries * keys));
  std::vector<T> d_scores = random_numbers<T>(queries * keys, 4);
  std::vector<T> d_query = std::vector<T>(query.size()), d_key = std::vector<T>(key.size(), T(0));
  std::vector<T> d_v = std::vector<T>(v.size(), T(0));

  Problem(Index query_length, Index key_length, Index unit_count)
      : queries(query_length), keys(key_length), units(unit_count) {}

  void forward(Index visible) {
    heed::additive_scores<T>(matrix(std::as_const(query), queries, units), matrix(std::as_const(key), visible, units),
                             v.data(), matrix(scores, queries, keys));
  }
  void backward(Index visible, heed::MatrixView<const bool> allowed = {}) {
    heed::additive_scores_backward<T>({.query = matrix(std::as_const(query), queries, units),
                                       .key = matrix(std::as_const(key), visible, units),
                                       .v = v.data(),
                                       .d_scores = matrix(std::as_const(d_scores), queries, keys),
                                       .d_query = matrix(d_query, queries, units),
                                       .d_key = matrix(d_key, visible, units),
                                       .d_v = d_v.data(),
                                       .allowed = allowed});
  }
  template <class Visible>
  void check(Visible visible, bool forward_too) const {
    const auto q = in_double(query), k = in_double(key), w = in_double(v), d = in_double(d_scores);
    std::vector<double> e(scores.size()), d_q(query.size()), d_k(key.size()), d_w(v.size());
    if (forward_too) {
      reference::additive_scores(matrix(q, queries, units), matrix(k, keys, units), w.data(), visible,
                                 matrix(e, queries, keys));
      CHECK(all_close(scores, e));
    }
    reference::additive_scores_backward(matrix(q, queries, units), matrix(k, keys, units), w.data(), visible,
                                        matrix(d, queries, keys), matrix(d_q, queries, units), matrix(d_k, keys, units),
                                        d_w.data());
    CHECK(all_close(d_query, d_q));
    CHECK(all_close(d_key, d_k));
    CHECK(all_close(d_v, d_w));
  }
};
}  // namespace

TEMPLATE_TEST_CASE("additive scores and their gradients match the textbook definition", "[kernels]", float, double) {
  using T = TestType;
  const Index queries = GENERATE(1, 3);
  const Index keys = GENERATE(1, 7, 20);
  const Index units = GENERATE(1, 7, 64, 65, 200);
  Problem<T> p(queries, keys, units);
  p.forward(keys);
  p.backward(keys);
  p.check(reference::KeyLength{keys}, true);
}

TEMPLATE_TEST_CASE("keys behind the length and masked pairs are not read by the additive backward", "[kernels]", float,
                   double) {
  using T = TestType;
  Problem<T> p(3, 9, 65);
  p.forward(5);
  for (std::size_t i = 0; i < 27; ++i) {
    if (i % 9 >= 5) CHECK(p.scores[i] == 0);  // left as it was
  }
  bool allowed[15];
  for (Index i = 0; i < 15; ++i) allowed[i] = i % 5 != 2 && i != 6;  // key 2 is hidden from all, key 1 from query 1
  const auto visible = [&](Index i, Index j) { return j < 5 && allowed[i * 5 + j]; };
  for (Index i = 0; i < 3; ++i) {
    for (Index j = 0; j < 9; ++j) {
      if (!visible(i, j)) p.d_scores[static_cast<std::size_t>(i * 9 + j)] = not_a_number<T>;
    }
  }
  for (const std::size_t j : {2u, 5u, 6u, 7u, 8u})
    std::fill_n(p.key.begin() + static_cast<Index>(j) * 65, 65, infinite<T>);
  p.backward(5, {allowed, 3, 5});
  p.check(visible, false);
}

TEMPLATE_TEST_CASE("one key's additive score has the same bits whatever keys and queries are around it", "[kernels]",
                   float, double) {
  using T = TestType;
  const Index units = GENERATE(7, 65, 256);
  Problem<T> p(3, 21, units);
  p.forward(21);
  for (Index i = 0; i < 3; ++i) {
    for (Index j = 0; j < 21; ++j) {
      T alone = 0;
      heed::additive_scores<T>({p.query.data() + i * units, 1, units}, {p.key.data() + j * units, 1, units}, p.v.data(),
                               {&alone, 1, 1});
      CHECK(same_bits(alone, p.scores[static_cast<std::size_t>(i * 21 + j)]));
    }
  }
}

TEMPLATE_TEST_CASE("NaN in a key reaches its own scores and gradients only", "[kernels]", float, double) {
  using T = TestType;
  Problem<T> p(2, 6, 65), clean(2, 6, 65);
  p.key[4 * 65 + 64] = not_a_number<T>;
  p.forward(6), p.backward(6);
  clean.forward(6), clean.backward(6);
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK((i % 6 == 4 ? std::isnan(p.scores[i]) : same_bits(p.scores[i], clean.scores[i])));
  }
  for (std::size_t i = 0; i < p.d_key.size(); ++i) {
    CHECK((i == 4 * 65 + 64 ? std::isnan(p.d_key[i]) : same_bits(p.d_key[i], clean.d_key[i])));
  }
  for (std::size_t u = 0; u < 65; ++u) {
    CHECK((u == 64 ? std::isnan(p.d_v[u]) : same_bits(p.d_v[u], clean.d_v[u])));
    CHECK((u == 64 ? std::isnan(p.d_query[u]) : same_bits(p.d_query[u], clean.d_query[u])));
  }
}

TEMPLATE_TEST_CASE("an additive backward adds to what is there and an empty one writes zeros", "[kernels]", float,
                   double) {
  using T = TestType;
  Problem<T> once(2, 6, 65), twice(2, 6, 65);
  once.backward(6);
  twice.backward(6);
  const std::vector<T> d_query = twice.d_query;
  twice.backward(6);
  CHECK(all_same_bits(twice.d_query, d_query));
  for (std::size_t u = 0; u < 65; ++u) CHECK(same_bits(twice.d_v[u], once.d_v[u] + once.d_v[u]));
  for (std::size_t i = 0; i < once.d_key.size(); ++i) CHECK(close(twice.d_key[i], 2 * double(once.d_key[i])));
  twice.d_query.assign(twice.d_query.size(), T(7));
  twice.backward(0);
  CHECK(all_same_bits(twice.d_query, std::vector<T>(twice.d_query.size(), T(0))));
}
