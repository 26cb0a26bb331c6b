#include <heed/train/cyclic_schedule.hpp>

#include "support/catch.hpp"

TEST_CASE("the cosine restarts after periods that grow, from peaks that shrink", "[train]") {
  const heed::CosineRestartSchedule restarts{
      .rate = 1, .first_steps = 4, .step_factor = 2, .peak_factor = 0.5, .minimum = 0.1};
  CHECK(restarts(0) == Approx(1));
  CHECK(restarts(2) == Approx(0.1 + 0.9 / 2));
  CHECK(restarts(4) == Approx(0.1 + 0.9 * 0.5));
  CHECK(restarts(8) == Approx(0.1 + 0.9 * 0.5 / 2));
  CHECK(restarts(12) == Approx(0.1 + 0.9 * 0.25));
  CHECK_THROWS_AS((heed::CosineRestartSchedule{.first_steps = 0}(1)), heed::Error);
  CHECK_THROWS_AS((heed::CosineRestartSchedule{.step_factor = 0.5}(1)), heed::Error);
}

TEST_CASE("one cycle rises to its peak and falls below its start", "[train]") {
  const heed::OneCycleSchedule cycle{.peak = 1, .steps = 100};
  CHECK(cycle(0) == Approx(1.0 / 25));
  CHECK(cycle(29) == Approx(1));
  CHECK(cycle(64) == Approx((1 + 1 / 25e4) / 2));
  CHECK(cycle(99) == Approx(1 / 25e4));
  CHECK(cycle(500) == Approx(1 / 25e4));
  CHECK_THROWS_AS((heed::OneCycleSchedule{.steps = 1}(0)), heed::Error);
}
