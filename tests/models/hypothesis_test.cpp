#include <heed/models/hypothesis.hpp>

#include <cmath>
#include <vector>

#include "support/catch.hpp"

TEST_CASE("scores go by the length as their formulas say", "[models]") {
  heed::GenerateOptions options{.alpha = 0.7};
  options.length_penalty = heed::LengthPenalty::none;
  CHECK(heed::length_penalty(options, 9) == 1);
  options.length_penalty = heed::LengthPenalty::power;
  CHECK(heed::length_penalty(options, 9) == Approx(std::pow(9.0, 0.7)));
  options.length_penalty = heed::LengthPenalty::gnmt;
  CHECK(heed::length_penalty(options, 9) == Approx(std::pow(14.0 / 6, 0.7)));
  CHECK(heed::hypothesis_score(options, -3, 9) == Approx(-3 / std::pow(14.0 / 6, 0.7)));
  options.length_penalty = heed::LengthPenalty::word_reward;
  CHECK(heed::length_penalty(options, 9) == 1);
  CHECK(heed::hypothesis_score(options, -3, 9) == Approx(-3 + 0.7 * 9));
}

TEST_CASE("coverage penalties are those of their formulas and never above zero", "[models]") {
  const std::vector<double> coverage = {0.5, 1.0, 2.5, 0.25};
  heed::GenerateOptions options{.coverage_penalty = heed::CoveragePenalty::gnmt, .beta = 0.3};
  CHECK(heed::coverage_penalty(options, coverage) == Approx(0.3 * (std::log(0.5) + std::log(0.25))));
  CHECK(heed::hypothesis_score(options, -4, 8, coverage) ==
        Approx(-4 / std::pow(8.0, 0.6) + 0.3 * (std::log(0.5) + std::log(0.25))));
  options.coverage_penalty = heed::CoveragePenalty::summary;
  CHECK(heed::coverage_penalty(options, coverage) == Approx(-0.3 * 1.5));
  options.coverage_penalty = heed::CoveragePenalty::none;
  CHECK(heed::coverage_penalty(options, coverage) == 0);
}

TEST_CASE("a source position that nothing looked at keeps the score finite", "[models]") {
  const heed::GenerateOptions options{.coverage_penalty = heed::CoveragePenalty::gnmt, .beta = 1};
  const std::vector<double> none = {0}, little = {1e-60}, more = {1e-10};
  CHECK(std::isfinite(heed::coverage_penalty(options, none)));
  CHECK(heed::coverage_penalty(options, none) == heed::coverage_penalty(options, little));
  CHECK(heed::coverage_penalty(options, none) < heed::coverage_penalty(options, more));
}
