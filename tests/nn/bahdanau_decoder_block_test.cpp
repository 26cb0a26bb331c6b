#include <heed/nn/bahdanau_decoder_block.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Index;
using heed::Tensor;
using heed_test::random_tensor;

TEST_CASE("a reader gives what BahdanauAttention gives", "[nn]") {
  heed::Rng rng{1, 0};
  const heed::BahdanauAttention<double> attention({.units = 7, .query_dim = 3, .key_dim = 4}, rng);
  const Tensor<double, 3> values = random_tensor<double>(2, 2, 5, 4);
  const std::vector<Index> lengths = {5, 2};
  const heed::RecurrentMemory<double> memory{values, attention.project(values), lengths};
  const Tensor<double, 2> state = random_tensor<double>(3, 2, 3);
  const auto expected = attention.forward(state, memory.keys, memory.values, heed::key_lengths(std::span<const Index>(lengths)));
  Tensor<double, 2> query(2, 7), weights(2, 5), context(2, 4);
  heed::Dense<double> projection;
  projection.weight = attention.query.weight;
  projection.bias = attention.query.bias;
  projection.forward_into(heed::as_matrix(state), heed::as_matrix(query));
  const heed::detail::BahdanauReader<double> reader(attention, memory);
  for (Index b = 0; b < 2; ++b) reader.read(b, &query(b, 0), &weights(b, 0), &context(b, 0));
  CHECK(heed_test::all_same_bits(heed::flat(weights), heed::flat(expected.weights)));
  CHECK(heed_test::all_same_bits(heed::flat(context), heed::flat(expected.context)));
  CHECK(memory.length(1) == 2);
}
