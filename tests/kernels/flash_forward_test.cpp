#include <heed/kernels/flash_forward.hpp>

#include "kernels/flash_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using namespace heed_test;

TEMPLATE_TEST_CASE("flash_forward matches the textbook over a grid with tails", "[kernels]", float, double) {
  const Index queries = GENERATE(1, 7, 64, 65, 130), keys = GENERATE(1, 127, 129, 200);
  const Index head_dim = GENERATE(1, 21), value_dim = GENERATE(1, 17, 64);
  FlashProblem<TestType> problem(queries, keys, head_dim, value_dim);
  problem.run();
  CHECK(problem.matches_textbook());
}

TEMPLATE_TEST_CASE("flash_forward matches the textbook in every band", "[kernels]", float, double) {
  FlashProblem<TestType> problem(140, 205, 8, 6);
  problem.weights = filled<TestType>(140 * 205, TestType(42));
  problem.head.band.ahead = GENERATE(ScoreBand::unbounded, -7, 0, 40);
  problem.head.band.behind = GENERATE(ScoreBand::unbounded, 0, 3, 100);
  problem.head.band.key_end = GENERATE(0, 150, 205);
  problem.head.band.query_end = GENERATE(0, 133);
  problem.run();
  CHECK(problem.matches_textbook());
}

TEMPLATE_TEST_CASE("negative, zero, tiny and huge scales are plain arithmetic", "[kernels]", float, double) {
  FlashProblem<TestType> problem(9, 120, 3, 4);
  for (const double scale : {-0.7, 0.0, 1e-30, -3.0}) {
    problem.head.scale = static_cast<TestType>(scale);
    problem.run();
    CHECK(problem.matches_textbook());
  }
  for (TestType& x : problem.query) x = x > 0 ? TestType(1) : TestType(-1);
  for (TestType& x : problem.key) x *= TestType(1e-20);
  problem.head.scale = static_cast<TestType>(1e20);
  problem.run();
  CHECK(problem.matches_textbook());
}

TEMPLATE_TEST_CASE("a query's bits do not depend on the block that it is computed in", "[kernels]", float, double) {
  FlashProblem<TestType> whole(90, 300, 8, 5), parts(90, 300, 8, 5);
  for (FlashProblem<TestType>* p : {&whole, &parts}) p->head.band.ahead = 200, p->head.band.behind = 150;
  whole.run();
  const Index most = flash_query_block<TestType>;
  std::vector<Range> blocks{{0, 1}, {1, 7}};
  for (Index i = 7; i < 90; i += most - 1) blocks.push_back({i, std::min(i + most - 1, Index{90})});
  parts.run(blocks);
  CHECK(all_same_bits(whole.output, parts.output));
  CHECK(all_same_bits(whole.logsumexp, parts.logsumexp));
}

TEST_CASE("only the rows of the block are written", "[kernels]") {
  FlashProblem<float> problem(60, 100, 8, 5);
  problem.head.band.query_end = 15;
  problem.run({{10, 20}});
  CHECK(problem.output[9 * 5 + 4] == 42);
  CHECK(problem.output[10 * 5] != 42);
  CHECK(problem.output[19 * 5 + 4] == 0);
  CHECK(problem.output[20 * 5] == 42);
  CHECK(problem.logsumexp[9] == 42);
  CHECK(problem.logsumexp[19] == -infinite<float>);
  CHECK(problem.logsumexp[20] == 42);
}

TEMPLATE_TEST_CASE("a padded sequence has the bits of the short one, whatever the padding holds", "[kernels]", float,
                   double) {
  const Index length = GENERATE(1, 63, 64, 65, 127, 128, 129);
  const auto poison = GENERATE(TestType(7), not_a_number<TestType>, infinite<TestType>);
  FlashProblem<TestType> padded(200, 200, 9, 20), alone(length, length, 9, 20);
  for (auto [x, y] :
       {std::pair{&padded.query, &alone.query}, {&padded.key, &alone.key}, {&padded.value, &alone.value}}) {
    std::fill(std::copy(y->begin(), y->end(), x->begin()), x->end(), poison);
  }
  for (FlashProblem<TestType>* p : {&padded, &alone}) p->head.band = {length, length, ScoreBand::unbounded, 0};
  padded.run();
  alone.run();
  padded.output.resize(alone.output.size());
  padded.logsumexp.resize(alone.logsumexp.size());
  CHECK(all_same_bits(padded.output, alone.output));
  CHECK(all_same_bits(padded.logsumexp, alone.logsumexp));
}

TEST_CASE("biases at the end of the range act as masks where another score is larger, and as nothing where all hold it",
          "[kernels]") {
  FlashProblem<float> problem(5, 110, 4, 3);
  std::vector<float> bias = filled<float>(5 * 110, 0.f);
  for (Index i = 0; i < 2; ++i)
    for (Index j = i == 0 ? 0 : 7; j < 110; ++j)
      bias[static_cast<std::size_t>(i * 110 + j)] = std::numeric_limits<float>::lowest();
  problem.head.terms = {.bias = bias.data(), .bias_query_step = 110, .bias_key_step = 1};
  problem.weights = filled<float>(5 * 110, 42.f);
  problem.run();
  CHECK(problem.weights[3] == Approx(1 / 110.0));  // the scores are lost in a bias of 3e38: all keys count alike
  double sum = 0;
  for (std::size_t j = 0; j < 7; ++j) sum += double(problem.weights[110 + j]);
  CHECK(sum == Approx(1));
  CHECK(problem.weights[110 + 7] == 0);
}
