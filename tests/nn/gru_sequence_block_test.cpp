#include <heed/nn/gru_sequence_block.hpp>

#include "nn/gru_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using heed::Index;
using heed::MaskedOutput;
using heed::Tensor;
using heed_test::make_gru;
using heed_test::random_tensor;

}  // namespace

TEST_CASE("masked steps keep the state and put out what the option says", "[nn]") {
  const auto gru = make_gru<double>({.input_dim = 2, .hidden_dim = 3});
  const auto x = random_tensor<double>(9, 2, 4, 2);
  const std::vector<Index> lengths = {2, 0};
  const auto repeat = gru.forward(x, {.lengths = lengths});
  const auto zero = gru.forward(x, {.lengths = lengths, .masked_output = MaskedOutput::zero});
  for (Index u = 0; u < 3; ++u) {
    CHECK(repeat.output(0, 3, u) == repeat.output(0, 1, u));
    CHECK(repeat.output(1, 3, u) == 0);
    CHECK(zero.output(0, 3, u) == 0);
    CHECK(zero.state(0, 0, u) == repeat.output(0, 1, u));
    CHECK(zero.state(0, 1, u) == 0);
  }
}

TEST_CASE("a block sees its own samples of a step", "[nn]") {
  std::vector<float> sequence(4 * 3 * 2);  // (batch 4, steps 3, width 2)
  for (std::size_t i = 0; i < sequence.size(); ++i) sequence[i] = static_cast<float>(i);
  const heed::detail::SampleBlock block{1, 2, 3};
  const auto step = block.at(sequence.data(), 2, 2);
  CHECK(step.rows == 2);
  CHECK(step(0, 0) == 6 + 4);   // sample 1, step 2
  CHECK(step(1, 1) == 12 + 5);  // sample 2, step 2
  CHECK(block.at(static_cast<float*>(nullptr), 2, 2).data == nullptr);
  std::vector<Index> seen(5, 0);
  heed::ThreadPool pool(3);
  heed::detail::for_each_sample_block(5, 3, pool, [&](const heed::detail::SampleBlock& part) {
    for (Index i = 0; i < part.count; ++i) ++seen[static_cast<std::size_t>(part.first + i)];
  });
  CHECK(seen == std::vector<Index>(5, 1));
}
