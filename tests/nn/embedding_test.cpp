#include <heed/nn/embedding.hpp>

#include <heed/nn/gradient_check.hpp>
#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Embedding;
using heed::Index;
using heed::Rng;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

Tensor<Index, 2> some_ids() {
  Tensor<Index, 2> ids(2, 3);
  ids.setValues({{1, 4, 1}, {0, 1, 2}});
  return ids;
}

}  // namespace

TEST_CASE("Embedding looks rows up", "[nn]") {
  Rng rng{1, 0};
  const Embedding<float> table({.vocab_size = 5, .embedding_dim = 19}, rng);
  const auto ids = some_ids();
  const auto vectors = table.forward(ids);
  REQUIRE(heed::extents(vectors) == heed::Extents<3>{2, 3, 19});
  for (Index i = 0; i < 6; ++i)
    for (Index j = 0; j < 19; ++j) CHECK(vectors.data()[i * 19 + j] == table.weight(ids.data()[i], j));
  Tensor<float, 2> rows(6, 19);
  table.forward_into(heed::flat(ids), heed::as_matrix(rows));
  CHECK(heed_test::all_same_bits(heed::flat(rows), heed::flat(vectors)));
}

TEST_CASE("Embedding's gradient sums over repeated ids and equals central differences", "[nn]") {
  Rng rng{1, 0};
  Embedding<double> table({.vocab_size = 5, .embedding_dim = 3}, rng);
  CHECK(heed::parameter_count(table) == 15);
  Embedding<double>::Cache cache;
  const auto ids = some_ids();
  table.forward(ids, &cache);
  const auto d_vectors = random_tensor<double>(2, 2, 3, 3);
  auto grad = heed::zeros_like(table);
  table.backward(d_vectors, cache, grad);
  const auto loss = [&] { return heed_test::weighted_total(table.forward(ids), d_vectors); };
  CHECK(heed::check_gradients(table, grad, loss).worst_error < 1e-8);
}

TEST_CASE("the padding row starts at zero and gets no gradient", "[nn]") {
  Rng rng{1, 0};
  const Embedding<double> table({.vocab_size = 5, .embedding_dim = 3, .padding_id = 1}, rng);
  Embedding<double>::Cache cache;
  const auto vectors = table.forward(some_ids(), &cache);
  CHECK(vectors(0, 0, 2) == 0);
  auto grad = heed::zeros_like(table);
  table.backward(random_tensor<double>(2, 2, 3, 3), cache, grad);
  for (Index j = 0; j < 3; ++j) CHECK(grad.weight(1, j) == 0);
  CHECK(grad.weight(4, 0) != 0);
}

TEST_CASE("Embedding's gradient has the same bits for any number of threads", "[nn]") {
  Rng rng{1, 0};
  const Embedding<float> table({.vocab_size = 7, .embedding_dim = 130}, rng);
  std::vector<Index> ids(3000);
  for (Index& id : ids) id = rng.below(7);
  const auto d_vectors = random_tensor<float>(2, 3000, 130);
  auto one = heed::zeros_like(table), three = one;
  heed::Serial serial;
  heed::ThreadPool pool(3);
  table.backward_from(heed::as_matrix(d_vectors), ids, one, serial);
  table.backward_from(heed::as_matrix(d_vectors), ids, three, pool);
  CHECK(heed_test::all_same_bits(heed::flat(one.weight), heed::flat(three.weight)));
  Tensor<float, 2> wanted(7, 130);
  wanted.setZero();
  for (Index i = 0; i < 3000; ++i)
    for (Index j = 0; j < 130; ++j) wanted(ids[static_cast<std::size_t>(i)], j) += d_vectors(i, j);
  CHECK(heed_test::all_same_bits(heed::flat(one.weight), heed::flat(wanted)));  // row order
}

TEST_CASE("an id outside the table is refused with its position, before anything is written", "[nn]") {
  Rng rng{1, 0};
  const Embedding<float> table({.vocab_size = 5, .embedding_dim = 3}, rng);
  auto ids = some_ids();
  ids(1, 2) = 5;
  CHECK_THROWS_WITH(table.forward(ids), "Embedding: ids(1, 2) is 5, wanted 0 to 4");
  ids(1, 2) = -1;
  CHECK_THROWS_AS(table.forward(ids), heed::Error);
  Tensor<float, 2> rows(6, 3);
  rows.setConstant(7);
  CHECK_THROWS_AS(table.forward_into(heed::flat(ids), heed::as_matrix(rows)), heed::Error);
  CHECK(rows(0, 0) == 7);
  auto grad = heed::zeros_like(table);
  CHECK_THROWS_AS(table.backward(random_tensor<float>(1, 2, 3, 3), {}, grad), heed::Error);  // without forward
  CHECK_THROWS_AS(Embedding<float>({.vocab_size = 5, .embedding_dim = 3, .padding_id = 5}, rng), heed::Error);
  CHECK_THROWS_AS(Embedding<float>({.vocab_size = 0, .embedding_dim = 3}, rng), heed::Error);
}
