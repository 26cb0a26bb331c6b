#include <heed/models/score_rules.hpp>

#include <vector>

#include <heed/core/random.hpp>
#include "models/search_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

namespace {

/// The tokens of 0 to 5 that may follow `tokens`; bos is 0, eos 1.
std::vector<Index> possible(heed::GenerateOptions options, const std::vector<Index>& tokens) {
  options.bos = 0;
  options.eos = 1;
  std::vector<float> scores(6, 0.5f);
  heed::ScoreRules(options, 0).ban(scores.data(), 6, tokens);
  std::vector<Index> left;
  for (Index token = 0; token < 6; ++token) {
    if (scores[static_cast<std::size_t>(token)] == 0.5f) left.push_back(token);
  }
  return left;
}

heed::GenerateOptions with(heed::TokenRules rules) { return {.rules = std::move(rules)}; }

}  // namespace

TEST_CASE("without rules every token may follow", "[models]") {
  CHECK_FALSE(heed::ScoreRules::any({}));
  CHECK(possible({}, {3, 3, 3}) == std::vector<Index>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("length limits are the tighter of tokens and ratios, rounded up, and never cross", "[models]") {
  const auto limits = [](heed::TokenRules rules, Index source_length) {
    const heed::GenerateOptions options{
        .max_length = 20, .rules = std::move(rules), .sources = {.lengths = {9, source_length}}};
    const heed::ScoreRules found(options, 1);
    return std::pair{found.min_length(), found.max_length()};
  };
  CHECK(limits({}, 7) == std::pair<Index, Index>{0, 20});
  CHECK(limits({.min_length_ratio = 0.5, .max_length_ratio = 1.5}, 7) == std::pair<Index, Index>{4, 11});
  CHECK(limits({.min_length = 6, .min_length_ratio = 0.5, .max_length_ratio = 9}, 7) == std::pair<Index, Index>{6, 20});
  CHECK(limits({.min_length = 6, .max_length_ratio = 0.2}, 7) == std::pair<Index, Index>{2, 2});
  CHECK(limits({.max_length_ratio = 0.2}, 0) == std::pair<Index, Index>{0, 1});  // a result has one token at least
  CHECK(limits({.min_length_ratio = 1e300}, 7) == std::pair<Index, Index>{20, 20});
}

TEST_CASE("the end token waits for the minimum length", "[models]") {
  CHECK(possible(with({.min_length = 3}), {4}) == std::vector<Index>{0, 2, 3, 4, 5});
  CHECK(possible(with({.min_length = 3}), {4, 4}) == std::vector<Index>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("exactly the tokens that would repeat an n-gram are banned", "[models]") {
  heed::Rng rng{5, 0};
  for (int trial = 0; trial < 300; ++trial) {
    const Index n = 1 + rng.below(4);
    std::vector<Index> tokens;
    for (Index i = rng.below(12); i > 0; --i) tokens.push_back(2 + rng.below(3));
    const std::vector<Index> left = possible(with({.no_repeat_ngram = n}), tokens);
    for (Index token = 0; token < 6; ++token) {
      std::vector<Index> longer = tokens;
      longer.push_back(token);
      bool repeats = false;  // the textbook: is the last n-gram among the earlier ones
      const auto size = static_cast<Index>(longer.size());
      for (Index i = 0; i + n < size; ++i)
        repeats = repeats || std::equal(longer.end() - n, longer.end(), longer.begin() + i);
      const bool is_left = std::find(left.begin(), left.end(), token) != left.end();
      INFO("n " << n << " token " << token);
      CHECK(is_left == !repeats);
    }
  }
}

TEST_CASE("a banned sequence loses its last token where the others stand, a single one always", "[models]") {
  const heed::GenerateOptions options = with({.banned = {{4}, {2, 3, 5}, {3, 2}}});
  CHECK(possible(options, {}) == std::vector<Index>{0, 1, 2, 3, 5});
  CHECK(possible(options, {3}) == std::vector<Index>{0, 1, 3, 5});
  CHECK(possible(options, {2, 3}) == std::vector<Index>{0, 1, 3});
  CHECK(possible(options, {3, 3}) == std::vector<Index>{0, 1, 3, 5});
}

TEST_CASE("a prefix goes before forced tokens, and both before bans", "[models]") {
  heed::GenerateOptions options = with({.min_length = 9, .banned = {{4}}, .forced = {{0, 2}, {1, 4}, {2, 1}}});
  CHECK(possible(options, {}) == std::vector<Index>{2});
  CHECK(possible(options, {2}) == std::vector<Index>{4});
  CHECK(possible(options, {2, 4}) == std::vector<Index>{1});
  options.sources.prefixes = {{5}};
  CHECK(possible(options, {}) == std::vector<Index>{5});
  CHECK(possible(options, {5}) == std::vector<Index>{4});
  CHECK(possible(options, {5, 4, 3}) == std::vector<Index>{0, 2, 3, 5});
}

TEST_CASE("where the rules leave nothing the end token is left", "[models]") {
  CHECK(possible(with({.min_length = 20, .no_repeat_ngram = 1}), {0, 2, 3, 4, 5}) == std::vector<Index>{1});
}

TEST_CASE("the repetition penalty divides positive logits and multiplies others, once per token", "[models]") {
  std::vector<float> logits = {3, -2, 0, 8, 1};
  const heed::GenerateOptions options{.rules = {.repetition_penalty = 1.25}};
  heed::ScoreRules(options, 0).penalise(logits.data(), std::vector<Index>{3, 1, 3, 2});
  CHECK(logits == std::vector<float>{3, -2.5f, 0, 6.4f, 1});
}
