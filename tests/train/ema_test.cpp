#include <heed/train/ema.hpp>

#include "train/train_testing.hpp"

using heed::Ema;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("the average follows its definition, with and without warm-up", "[train]", float, double) {
  using T = TestType;
  const double warmup = GENERATE(0.0, 10.0), decay = 0.4;
  TwoTensors<T> model(1);
  Ema average(model, {.decay = decay, .warmup = warmup});
  const auto start = heed_test::all_elements(model);
  std::vector<double> wanted(start.begin(), start.end());
  for (int n = 0; n < 9; ++n) {
    model = TwoTensors<T>(static_cast<std::uint64_t>(10 + n));
    const double kept = warmup == 0 ? decay : std::min(decay, (1.0 + n) / (warmup + n));
    CHECK(average.next_decay() == Approx(kept));
    const auto values = heed_test::all_elements(model);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      wanted[i] = i + 3 < wanted.size() ? kept * wanted[i] + (1 - kept) * double(values[i]) : double(values[i]);
    }
    average.update(model);
    CHECK(heed_test::all_close(heed_test::all_elements(average.average), wanted));
  }
}

TEST_CASE("the average stands in the model for a scope, and both come back with their bits", "[train]") {
  TwoTensors<float> model(1);
  Ema average(model, {.decay = 0.5, .warmup = 0});
  model = TwoTensors<float>(2);
  average.update(model);
  const auto values = heed_test::all_elements(model), means = heed_test::all_elements(average.average);
  {
    const auto averaged = average.swapped_into(model);
    CHECK(heed_test::all_same_bits(heed_test::all_elements(model), means));
    CHECK(heed_test::all_same_bits(heed_test::all_elements(average.average), values));
  }
  CHECK(heed_test::all_same_bits(heed_test::all_elements(model), values));
  CHECK(heed_test::all_same_bits(heed_test::all_elements(average.average), means));
}

TEST_CASE("an average of decay 1 never moves, one of decay 0 is the model", "[train]") {
  const TwoTensors<double> first(1), second(2);
  Ema still(first, {.decay = 1, .warmup = 0}), copy(first, {.decay = 0});
  still.update(second);
  copy.update(second);
  CHECK(still.average.weight(3, 4) == first.weight(3, 4));
  CHECK(copy.average.weight(3, 4) == Approx(second.weight(3, 4)));
}

TEST_CASE("the average has the same bits for any number of threads", "[train]") {
  const TwoTensors<float> first(1, 400, 70), second(2, 400, 70);
  Ema one(first), three(first);
  heed::Serial serial;
  heed::ThreadPool pool(3);
  one.update(second, serial);
  three.update(second, pool);
  CHECK(heed_test::all_same_bits(heed::flat(one.average.weight), heed::flat(three.average.weight)));
}

TEST_CASE("the average refuses a decay outside 0 to 1 and another model's structure", "[train]") {
  TwoTensors<float> model(1), other(1, 3, 4);
  CHECK_THROWS_AS(Ema(model, {.decay = 1.5}), heed::Error);
  CHECK_THROWS_AS(Ema(model, {.decay = std::nan("")}), heed::Error);
  CHECK_THROWS_AS(Ema(model, {.warmup = -1}), heed::Error);
  Ema average(model);
  CHECK_THROWS_AS(average.update(other), heed::Error);
  CHECK_THROWS_AS(average.swap(other), heed::Error);
  CHECK(average.progress(0) == 0);
}
