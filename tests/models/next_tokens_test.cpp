#include <heed/models/next_tokens.hpp>

#include <cmath>
#include <vector>

#include "support/catch.hpp"

using heed::Index;

TEST_CASE("the best next tokens come in order, lower ids first among equals, impossible ones never", "[models]") {
  std::vector<float> logits = {3, 1, 3, 9, 2, 3};
  const heed::detail::NextTokens<float> next(logits.data(), 6, heed::GenerateOptions{.suppressed = {3}});
  CHECK(next.best() == 0);
  CHECK(next.best(3) == std::vector<Index>{0, 2, 5});
  CHECK(next.best(10) == std::vector<Index>{0, 2, 5, 4, 1});
  double total = 0;
  for (const Index token : next.best(10)) total += std::exp(next.log_prob(token));
  CHECK(total == Approx(1).epsilon(1e-6));
}

TEST_CASE("a ban leaves the other tokens' log-probabilities, a suppressed token does not", "[models]") {
  const heed::GenerateOptions banned{.eos = 5, .rules = {.banned = {{3}}}}, suppressed{.eos = 5, .suppressed = {3}};
  std::vector<double> first = {3, 1, 3, 9, 2, 3}, second = first;
  const double all = std::log(3 * std::exp(3.0) + std::exp(1.0) + std::exp(9.0) + std::exp(2.0));
  const double rest = std::log(3 * std::exp(3.0) + std::exp(1.0) + std::exp(2.0));
  const heed::ScoreRules rules(banned, 0), no_rules(suppressed, 0);
  const heed::detail::NextTokens<double> one(first.data(), 6, banned, rules, {}),
      two(second.data(), 6, suppressed, no_rules, {});
  CHECK(one.log_prob(2) == Approx(3 - all).epsilon(1e-14));
  CHECK(two.log_prob(2) == Approx(3 - rest).epsilon(1e-14));
  CHECK(one.best(10) == two.best(10));
}

TEST_CASE("a forced token is possible although it is suppressed, and the only one", "[models]") {
  const heed::GenerateOptions options{.suppressed = {3}, .rules = {.forced = {{0, 3}}}};
  std::vector<double> logits = {3, 1, 3, 9, 2, 3};
  const heed::ScoreRules rules(options, 0);
  const heed::detail::NextTokens<double> next(logits.data(), 6, options, rules, {});
  CHECK(next.best(6) == std::vector<Index>{3});
  const double all = std::log(3 * std::exp(3.0) + std::exp(1.0) + std::exp(9.0) + std::exp(2.0));
  CHECK(next.log_prob(3) == Approx(9 - all).epsilon(1e-14));
}

TEST_CASE("the repetition penalty comes before the normalisation", "[models]") {
  const heed::GenerateOptions options{.rules = {.repetition_penalty = 2}};
  std::vector<double> logits = {1, -1, 4, 0};
  const std::vector<Index> tokens = {2, 1, 2};
  const heed::ScoreRules rules(options, 0);
  const heed::detail::NextTokens<double> next(logits.data(), 4, options, rules, tokens);
  const double sum = std::log(std::exp(1.0) + std::exp(-2.0) + std::exp(2.0) + 1);  // 4 / 2 once, -1 * 2
  CHECK(next.log_prob(2) == Approx(2 - sum).epsilon(1e-14));
  CHECK(next.log_prob(1) == Approx(-2 - sum).epsilon(1e-14));
}
