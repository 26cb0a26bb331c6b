#include <heed/kernels/flash_decode_scores.hpp>

#include "kernels/flash_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using namespace heed_test;

TEMPLATE_TEST_CASE("products become scores in the order of the terms, masked ones -inf, with slopes of the soft cap",
                   "[kernels]", float, double) {
  FlashProblem<TestType> problem(1, 40, 3, 2);
  const auto bias = random_numbers<TestType>(40, 5, 2);
  std::vector<std::uint8_t> allowed(40, 1);
  allowed[13] = 0;
  problem.head.terms = {.softcap = 2, .bias = bias.data(), .bias_key_step = 1, .alibi_slope = TestType(0.5),
                        .alibi_offset = 20, .allowed = allowed.data(), .allowed_key_step = 1};
  const Range keys{5, 5 + GENERATE(1, 17, 35)};
  const auto products = random_numbers<TestType>(keys.size(), 6, 5);
  auto scores = products, slopes = filled<TestType>(keys.size(), TestType(42));
  flash_detail::change_decode_scores<TestType, default_arch>(
      problem.head, flash_detail::ScoreScale<TestType>(problem.head), keys, {.scores = scores.data(), .slopes = slopes.data()});
  for (Index j = 0; j < keys.size(); ++j) {
    const auto at = std::size_t(j);
    const double bounded = std::tanh(double(problem.head.scale) * double(products[at]) / 2);
    CHECK(close(slopes[at], 1 - bounded * bounded));
    const double score = 2 * bounded + double(bias[std::size_t(5 + j)]) - 0.5 * std::abs(20.0 - double(5 + j));
    if (5 + j == 13) CHECK(scores[at] == -std::numeric_limits<TestType>::infinity());
    else CHECK(close(scores[at], score));
  }
}

TEST_CASE("scores without terms are their products", "[kernels]") {
  FlashProblem<float> problem(1, 4, 3, 2);
  std::vector<float> scores{1, -2, 3, 4};
  flash_detail::change_decode_scores<float, default_arch>(
      problem.head, flash_detail::ScoreScale<float>(problem.head), {0, 4}, {.scores = scores.data()});
  CHECK(scores == std::vector<float>{1, -2, 3, 4});
}
