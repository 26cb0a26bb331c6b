#include <heed/train/schedule.hpp>

#include <functional>

#include "support/catch.hpp"

using heed::Index;

TEST_CASE("the constant schedule is constant, and any schedule fits a function", "[train]") {
  const std::function<double(Index)> schedule = heed::ConstantSchedule{0.25};
  CHECK(schedule(0) == 0.25);
  CHECK(schedule(1000000) == 0.25);
}

TEST_CASE("Noam's rate rises for warmup steps and falls with the root afterwards", "[train]") {
  const heed::NoamSchedule noam{.model_dim = 256, .warmup = 20, .factor = 2};
  CHECK(noam(0) == noam(1));
  CHECK(noam(10) == Approx(2.0 / 16 * 10 * std::pow(20, -1.5)));
  CHECK(noam(20) == Approx(2.0 / 16 / std::sqrt(20)));
  CHECK(noam(80) == Approx(noam(20) / 2));
  CHECK_THROWS_AS((heed::NoamSchedule{.model_dim = 0}(1)), heed::Error);
}

TEST_CASE("the cosine warms up, falls, and holds or goes on", "[train]") {
  heed::CosineSchedule cosine{.rate = 1, .steps = 10, .minimum = 0.2, .warmup = 5};
  CHECK(cosine(0) == 0);
  CHECK(cosine(3) == Approx(0.6));
  CHECK(cosine(5) == Approx(1));
  CHECK(cosine(10) == Approx(0.6));
  CHECK(cosine(15) == Approx(0.2));
  CHECK(cosine(40) == Approx(0.2));
  cosine.after = heed::AfterEnd::go_on;
  CHECK(cosine(25) == Approx(1));
  cosine.warmup_count = heed::WarmupCount::from_one;
  cosine.warmup_rate = 0.5;
  CHECK(cosine(0) == Approx(0.6));
  CHECK(cosine(4) == Approx(1));
  cosine.cycles = 1;
  CHECK(cosine(10) == Approx(0.2));
  CHECK_THROWS_AS((heed::CosineSchedule{.steps = 0}(1)), heed::Error);
  CHECK_THROWS_AS((heed::CosineSchedule{.warmup = -1}(1)), heed::Error);
}

TEST_CASE("the polynomial falls to its end, and cycles stretch", "[train]") {
  const heed::PolynomialSchedule line{.rate = 1, .steps = 10, .end = 0.5};
  CHECK(line(0) == 1);
  CHECK(line(5) == Approx(0.75));
  CHECK(line(99) == 0.5);
  const heed::PolynomialSchedule curve{.rate = 1, .steps = 10, .power = 2, .warmup = 4};
  CHECK(curve(2) == 0.5);
  CHECK(curve(9) == Approx(0.25));
  const heed::PolynomialSchedule cycle{.rate = 1, .steps = 10, .repeat = heed::PolynomialSchedule::Repeat::stretched};
  CHECK(cycle(10) == 0);
  CHECK(cycle(11) == Approx(1 - 11.0 / 20));
  CHECK(cycle(25) == Approx(1 - 25.0 / 30));
}

TEST_CASE("inverse root, stairs, milestones, exponential, inverse time", "[train]") {
  CHECK(heed::InverseSqrtSchedule{1, 4}(2) == 0.5);
  CHECK(heed::InverseSqrtSchedule{1, 4}(16) == 0.5);
  CHECK(heed::StepSchedule{1, 3, 0.5}(2) == 1);
  CHECK(heed::StepSchedule{1, 3, 0.5}(3) == 0.5);
  CHECK(heed::StepSchedule{1, 3, 0.5}(8) == 0.25);
  const heed::MultiStepSchedule milestones{1, {3, 7, 7}, 0.5};
  CHECK(milestones(2) == 1);
  CHECK(milestones(3) == 0.5);
  CHECK(milestones(7) == 0.125);
  CHECK(heed::ExponentialSchedule{1, 0.25, 2}(1) == Approx(0.5));
  CHECK(heed::InverseTimeSchedule{1, 0.5, 2}(4) == Approx(0.5));
  CHECK_THROWS_AS((heed::StepSchedule{1, 0, 0.5}(2)), heed::Error);
  CHECK_THROWS_AS((heed::InverseSqrtSchedule{1, 0}(2)), heed::Error);
}

TEST_CASE("piecewise rates hold up to and including their boundaries", "[train]") {
  const heed::PiecewiseSchedule piecewise{{5, 8}, {1, 0.5, 0.1}};
  CHECK(piecewise(5) == 1);
  CHECK(piecewise(6) == 0.5);
  CHECK(piecewise(8) == 0.5);
  CHECK(piecewise(9) == 0.1);
  CHECK_THROWS_AS((heed::PiecewiseSchedule{{5}, {1}}(0)), heed::Error);
  CHECK_THROWS_AS((heed::PiecewiseSchedule{{5, 3}, {1, 2, 3}}(0)), heed::Error);
}
