#include <heed/models/ensemble.hpp>

#include <cmath>
#include <vector>

#include <heed/models/generate.hpp>
#include "models/search_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

TEST_CASE("an ensemble's probabilities are the mean of its members'", "[models]") {
  TableDecoder one({1, 2}, 6), two({3, 4}, 6), alone_one({1, 2}, 6), alone_two({3, 4}, 6);
  heed::Ensemble<TableDecoder> ensemble({&one, &two});
  ensemble.keep_weights();
  CHECK(ensemble.vocab_size() == 6);
  CHECK(ensemble.rows() == 2);
  std::vector<Index> tokens = {1, 1};
  const std::vector<Index> parents = {1, 0, 1};
  for (int step = 0; step < 3; ++step) {
    const auto mean = ensemble.step(tokens);
    const auto first = alone_one.step(tokens), second = alone_two.step(tokens);
    for (Index r = 0; r < mean.rows; ++r) {
      double first_sum = 0, second_sum = 0;
      for (Index token = 0; token < 6; ++token)
        first_sum += std::exp(first(r, token)), second_sum += std::exp(second(r, token));
      for (Index token = 0; token < 6; ++token) {
        const double wanted = (std::exp(first(r, token)) / first_sum + std::exp(second(r, token)) / second_sum) / 2;
        CHECK(std::exp(mean(r, token)) == Approx(wanted).epsilon(1e-12));
      }
      for (Index j = 0; j < 3; ++j)
        CHECK(ensemble.weights()(r, j) ==
              Approx((alone_one.weights()(r, j) + alone_two.weights()(r, j)) / 2).epsilon(1e-12));
    }
    if (step > 0) continue;
    for (TableDecoder* each : {&alone_one, &alone_two}) each->reorder(parents);
    ensemble.reorder(parents);
    tokens = {4, 5, 3};
  }
}

TEST_CASE("an ensemble of one searches as its member does", "[models]") {
  heed::GenerateOptions options = small_options();
  options.n_best = 3;
  options.coverage_penalty = heed::CoveragePenalty::gnmt;
  options.sources.lengths = {3, 3};
  TableDecoder member({1, 2}, 6), alone({1, 2}, 6);
  heed::Ensemble<TableDecoder> ensemble({&member});
  const auto found = heed::beam_search(ensemble, options), wanted = heed::beam_search(alone, options);
  for (std::size_t i = 0; i < 2; ++i) {
    REQUIRE(found[i].size() == 3);
    for (std::size_t n = 0; n < 3; ++n) CHECK(found[i][n].score == Approx(wanted[i][n].score).epsilon(1e-12));
  }
}

TEST_CASE("members that differ in rows or vocabulary are refused", "[models]") {
  TableDecoder one({1, 2}, 6), fewer({3}, 6), larger({3, 4}, 7);
  using Pair = heed::Ensemble<TableDecoder>;
  CHECK_THROWS_WITH(Pair({&one, &fewer}), "Ensemble: a member's rows is 1, wanted the first one's 2");
  CHECK_THROWS_WITH(Pair({&one, &larger}), "Ensemble: a member's vocab_size is 7, wanted the first one's 6");
  CHECK_THROWS_WITH(Pair(std::vector<TableDecoder*>{}), "Ensemble: members is empty, wanted at least one");
}
