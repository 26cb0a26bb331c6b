#include <heed/models/forced_score.hpp>

#include <cmath>
#include <vector>

#include "models/search_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

TEST_CASE("what a search found is rated as the search rated it", "[models]") {
  heed::GenerateOptions options = small_options();
  options.beam = options.n_best = 4;
  options.coverage_penalty = heed::CoveragePenalty::gnmt;
  options.sources.lengths = {3, 3, 3};
  options.rules = {.min_length = 3, .no_repeat_ngram = 2, .repetition_penalty = 1.3};
  TableDecoder decoder({1, 2, 3}, 6);
  const auto found = heed::beam_search(decoder, options);
  for (std::size_t n = 0; n < 4; ++n) {
    const std::vector<std::vector<Index>> targets = {found[0][n].tokens, found[1][n].tokens, found[2][n].tokens};
    TableDecoder again({1, 2, 3}, 6);
    const auto scores = heed::score_forced(again, targets, options);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(scores[i].hypothesis.tokens == targets[i]);
      CHECK(scores[i].hypothesis.log_prob == found[i][n].log_prob);
      CHECK(scores[i].hypothesis.score == found[i][n].score);
    }
  }
}

TEST_CASE("targets of any length are rated side by side by the textbook sum", "[models]") {
  const std::vector<std::vector<Index>> targets = {{4, 4, 5, 2}, {}, {2}, {5, 3}};
  TableDecoder decoder({1, 2, 3, 4}, 6);
  const auto scores = heed::score_forced(decoder, targets, small_options());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    Index before = 0, last = 1;
    double sum = 0;
    REQUIRE(scores[i].token_log_probs.size() == targets[i].size());
    for (std::size_t t = 0; t < targets[i].size(); ++t) {
      double all = 0;
      for (Index token = 2; token < 6; ++token)
        all += std::exp(TableDecoder::logit(static_cast<Index>(i) + 1, before, last, token));
      const double wanted = TableDecoder::logit(static_cast<Index>(i) + 1, before, last, targets[i][t]) - std::log(all);
      CHECK(scores[i].token_log_probs[t] == Approx(wanted).epsilon(1e-12));
      sum += wanted;
      before = last;
      last = targets[i][t];
    }
    CHECK(scores[i].hypothesis.log_prob == Approx(sum).epsilon(1e-12));
  }
  CHECK(decoder.steps == 4);
}

TEST_CASE("a suppressed token of a target has a probability", "[models]") {
  TableDecoder decoder({1}, 6);
  const std::vector<std::vector<Index>> target = {{0, 2}};
  CHECK(std::isfinite(heed::score_forced(decoder, target, small_options())[0].hypothesis.log_prob));
}

TEST_CASE("targets that are not one per row or outside the vocabulary are refused", "[models]") {
  TableDecoder decoder({1, 2}, 6);
  const std::vector<std::vector<Index>> one = {{2}}, outside = {{2}, {6}};
  CHECK_THROWS_WITH(heed::score_forced(decoder, one), "score_forced: targets has 1 entries, wanted one per row, 2");
  CHECK_THROWS_WITH(heed::score_forced(decoder, outside), "generate: a prefix's token is 6, wanted one of 0 to 5");
  CHECK(decoder.steps == 0);
}
