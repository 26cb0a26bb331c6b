#include <heed/models/sampling.hpp>

#include <cmath>
#include <vector>

#include "models/search_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

namespace {

const std::vector<double> row = {0.5, 2.0, 1.0, -1.0, 2.0, 0.0, -inf, 1.5};

template <class T>
std::optional<Index> draw(const std::vector<double>& logits, const heed::SamplingOptions& options, double uniform) {
  std::vector<T> own(logits.begin(), logits.end());
  const heed::GenerateOptions plain;
  const heed::detail::NextTokens<T> next(own.data(), static_cast<Index>(own.size()), plain);
  return heed::detail::SampledRow<T>(next, options).draw(uniform);
}

/// The textbook: softmax(row / temperature), sorted, cut to top_k, renormalised, cut to the nucleus, renormalised.
std::map<std::vector<Index>, double> exact(const heed::SamplingOptions& options) {
  std::vector<std::pair<double, Index>> sorted;
  for (std::size_t i = 0; i < row.size(); ++i)
    sorted.push_back({std::exp(row[i] / options.temperature), static_cast<Index>(i)});
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  if (options.top_k > 0 && options.top_k < static_cast<Index>(sorted.size()))
    sorted.resize(static_cast<std::size_t>(options.top_k));
  const auto total = [&] {
    double sum = 0;
    for (const auto& [p, token] : sorted) sum += p;
    return sum;
  };
  const double all = total();
  double mass = 0;
  std::size_t kept = 0;
  while (kept < sorted.size() && mass < options.top_p * all - 1e-12) mass += sorted[kept++].first;
  sorted.resize(kept);
  const double rest = total();
  std::map<std::vector<Index>, double> probability;
  for (const auto& [p, token] : sorted) probability[{token}] = p / rest;
  return probability;
}

}  // namespace

TEMPLATE_TEST_CASE("draws have the probabilities of the definition", "[models]", float, double) {
  const double temperature = GENERATE(0.5, 1.0, 2.0), top_p = GENERATE(1.0, 0.8, 0.3);
  const Index top_k = GENERATE(0, 1, 3, 100);
  const heed::SamplingOptions options{.temperature = temperature, .top_k = top_k, .top_p = top_p};
  const auto probability = exact(options);
  std::map<std::vector<Index>, Index> counts;
  constexpr Index draws = 4000;
  for (Index i = 0; i < draws; ++i)
    ++counts[{draw<TestType>(row, options, heed::detail::sampling_uniform(3, 77, 0, i)).value()}];
  INFO("temperature " << temperature << " top_k " << top_k << " top_p " << top_p);
  CHECK(chi_square(probability, counts, draws) <
        26.0);  // at most 6 degrees of freedom: 2 in 10,000 are above, 72 are tried
}

TEST_CASE("a draw is the token at which the running sum passes the uniform number", "[models]") {
  const std::vector<double> quarters = {std::log(1.0), -inf, std::log(2.0), std::log(1.0)};
  CHECK(draw<double>(quarters, {}, 0.0) == 0);
  CHECK(draw<double>(quarters, {}, 0.2499) == 0);
  CHECK(draw<double>(quarters, {}, 0.2501) == 2);
  CHECK(draw<double>(quarters, {}, 0.7499) == 2);
  CHECK(draw<double>(quarters, {}, 0.7501) == 3);
  CHECK(draw<double>(quarters, {}, 1 - 0x1p-53) == 3);
  CHECK(draw<double>(quarters, {.top_k = 3}, 0.1) == 2);  // where the distribution is cut, from the likeliest down
}

TEST_CASE("of equal logits the lower id is kept", "[models]") {
  const std::vector<double> equal(8, 1.0);
  for (const double uniform : {0.0, 0.3, 0.6, 0.999}) {
    CHECK(draw<float>(equal, {.top_k = 2}, uniform).value() < 2);
    CHECK(draw<float>(equal, {.top_p = 0.25}, uniform).value() < 2);
  }
  CHECK(draw<float>(equal, {.top_k = 2}, 0.999) == 1);
}

TEST_CASE("a nucleus may hold hundreds of tokens", "[models]") {
  std::vector<double> wide(5000);
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = i % 2 == 0 ? 0.0 : -40.0;
  CHECK(draw<float>(wide, {.top_p = 0.5}, 0.999999) == 2498);  // half of 2500 equal ones
  CHECK(draw<float>(wide, {.top_p = 0.9999999}, 0.9999999) == 4998);
}

TEMPLATE_TEST_CASE("the lowest temperature takes the best token, the highest every possible one alike", "[models]",
                   float, double) {
  for (const double uniform : {0.0, 0.5, 0.999}) {
    CHECK(draw<TestType>({1, 3, 2, -5}, {.temperature = 5e-324}, uniform) == 1);
  }
  std::map<std::vector<Index>, double> even;
  std::map<std::vector<Index>, Index> counts;
  for (Index token = 0; token < 8; ++token) even[{token}] = token == 6 ? 0 : 1.0 / 7;
  for (Index i = 0; i < 7000; ++i)
    ++counts[{draw<TestType>(row, {.temperature = 1e308}, (static_cast<double>(i) + 0.5) / 7000).value()}];
  CHECK(chi_square(even, counts, 7000) < 0.01);
}

TEST_CASE("a row of NaN, infinity or nothing possible has no token", "[models]") {
  for (const double top_p : {1.0, 0.5}) {
    for (const Index top_k : {0, 2}) {
      const heed::SamplingOptions options{.top_k = top_k, .top_p = top_p};
      CHECK_FALSE(draw<float>({1, std::nan(""), 2}, options, 0.5).has_value());
      CHECK_FALSE(draw<float>({1, inf, 2}, options, 0.5).has_value());
      CHECK_FALSE(draw<float>({-inf, -inf, -inf}, options, 0.5).has_value());
    }
  }
}

TEST_CASE("uniform numbers differ by seed, key, sample and step, all 64 bits of a key counted", "[models]") {
  const double one = heed::detail::sampling_uniform(1, 2, 3, 4);
  CHECK((one >= 0 && one < 1));
  CHECK(heed::detail::sampling_uniform(1, 2, 3, 4) == one);
  CHECK(heed::detail::sampling_uniform(2, 2, 3, 4) != one);
  CHECK(heed::detail::sampling_uniform(1, 3, 3, 4) != one);
  CHECK(heed::detail::sampling_uniform(1, 2 + (std::uint64_t{1} << 40), 3, 4) != one);
  CHECK(heed::detail::sampling_uniform(1, 2, 4, 4) != one);
  CHECK(heed::detail::sampling_uniform(1, 2, 3, 5) != one);
}
