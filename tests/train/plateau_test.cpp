#include <heed/train/plateau.hpp>

#include "support/catch.hpp"

using heed::Improvement;
using heed::PlateauSchedule;

TEST_CASE("the rate falls after more than `patience` epochs without progress, then cools down", "[train]") {
  PlateauSchedule plateau({.rate = 1, .factor = 0.5, .patience = 1, .cooldown = 2, .minimum = 0.2});
  CHECK(plateau(5) == 1);    // best
  CHECK(plateau(5) == 1);    // bad 1
  CHECK(plateau(5) == 0.5);  // bad 2: falls
  CHECK(plateau(5) == 0.5);  // cooling
  CHECK(plateau(5) == 0.5);  // cooling
  CHECK(plateau(5) == 0.5);  // bad 1
  CHECK(plateau(5) == 0.25);
  for (int i = 0; i < 10; ++i) plateau(5);
  CHECK(plateau.rate() == 0.2);
}

TEST_CASE("progress is measured against the best so far; NaN is none", "[train]") {
  PlateauSchedule plateau({.rate = 1, .factor = 0.5, .patience = 0, .improvement = {.threshold = 0.1}});
  CHECK(plateau(10) == 1);
  CHECK(plateau(9.5) == 0.5);  // not 10% better
  CHECK(plateau(8.9) == 0.5);
  CHECK(plateau(std::nan("")) == 0.25);
  PlateauSchedule rising({.rate = 1, .patience = 0, .improvement = {.direction = Improvement::Direction::higher}});
  CHECK(rising(1) == 1);
  CHECK(rising(2) == 1);
  CHECK(rising(1.5) == Approx(0.1));
}

TEST_CASE("a copied state goes on where the other stopped, and bad options are refused", "[train]") {
  PlateauSchedule first({.rate = 1, .factor = 0.5, .patience = 1}), second = first;
  first(3), first(3);
  heed::for_each_parameter([](std::string_view, heed::Role, auto& to, const auto& from) { to = from; }, second, first);
  CHECK(second(3) == first(3));
  CHECK(second.rate() == 0.5);
  CHECK_THROWS_AS(PlateauSchedule({.factor = 1}), heed::Error);
  CHECK_THROWS_AS(PlateauSchedule({.patience = -1}), heed::Error);
}
