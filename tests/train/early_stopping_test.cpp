#include <heed/train/early_stopping.hpp>

#include "support/catch.hpp"

using heed::EarlyStopping;
using heed::Improvement;

TEST_CASE("early stopping knows the best epoch and waits `patience` epochs", "[train]") {
  EarlyStopping stopping({.patience = 1});
  CHECK(stopping.best_epoch() == -1);
  CHECK(stopping.update(3.0));
  CHECK(stopping.update(2.0));
  CHECK_FALSE(stopping.update(2.0));
  CHECK_FALSE(stopping.finished());
  CHECK_FALSE(stopping.update(std::nan("")));
  CHECK(stopping.finished());
  CHECK(stopping.best() == 2.0);
  CHECK(stopping.best_epoch() == 1);
}

TEST_CASE("higher can be better, and an improvement can need a margin", "[train]") {
  EarlyStopping stopping(
      {.patience = 0,
       .improvement = {
           .direction = Improvement::Direction::higher, .threshold = 0.5, .kind = Improvement::Threshold::absolute}});
  CHECK(stopping.update(20));
  CHECK_FALSE(stopping.update(20.4));
  CHECK(stopping.finished());
  CHECK(stopping.update(20.6));
  CHECK_FALSE(stopping.finished());
  CHECK_THROWS_AS(EarlyStopping({.patience = -1}), heed::Error);
}

TEST_CASE("a relative threshold is a share of the best", "[train]") {
  const Improvement improvement{.threshold = 0.1};
  CHECK(improvement.better(8.9, 10));
  CHECK_FALSE(improvement.better(9.1, 10));
  CHECK(improvement.better(1e300, improvement.worst()));
}
