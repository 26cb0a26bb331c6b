#include <heed/kernels/flash_decode_state.hpp>

#include "kernels/flash_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
using State = flash_detail::DecodeState<T, default_arch>;

}  // namespace

TEMPLATE_TEST_CASE("joined states weigh both sides' sums from the larger maximum", "[kernels]", float, double) {
  FlashProblem<TestType> problem(1, 1, 1, 1);
  problem.head.terms.softcap = GENERATE(TestType(0), TestType(2));
  const flash_detail::ScoreScale<TestType> scale(problem.head);
  const double unit = scale.apply ? 1 : double(scale.factor);
  State<TestType> a{.row_max = 3, .row_sum = 2};
  const State<TestType> b{.row_max = 5, .row_sum = 7};
  const auto [old_factor, factor] = a.join(b, scale);
  CHECK(close(old_factor, std::exp(-2 * unit)));
  CHECK(factor == 1);
  CHECK(a.row_max == 5);
  CHECK(close(a.row_sum, 2 * std::exp(-2 * unit) + 7));
}

TEMPLATE_TEST_CASE("a state that saw nothing joins without changing a bit, from either side", "[kernels]", float,
                   double) {
  FlashProblem<TestType> problem(1, 1, 1, 1);
  const flash_detail::ScoreScale<TestType> scale(problem.head);
  const State<TestType> some{.row_max = TestType(-3.3), .row_sum = TestType(2.7)};
  State<TestType> left = some, right;
  CHECK(left.join({}, scale) == std::pair<TestType, TestType>(1, 0));
  CHECK(right.join(some, scale) == std::pair<TestType, TestType>(0, 1));
  for (const auto& joined : {left, right}) {
    CHECK(same_bits(joined.row_max, some.row_max));
    CHECK(same_bits(joined.row_sum, some.row_sum));
  }
  State<TestType> nothing;
  nothing.join({}, scale);
  CHECK(nothing.row_sum == 0);
  CHECK(nothing.row_max == -std::numeric_limits<TestType>::infinity());
}
