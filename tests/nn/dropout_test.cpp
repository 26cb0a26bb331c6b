#include <heed/nn/dropout.hpp>

#include <limits>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Dropout;
using heed::Index;
using heed::Rng;
using heed::SequenceAxes;
using heed::Tensor;
using heed_test::random_tensor;

TEMPLATE_TEST_CASE("dropout drops its share and scales the rest; backward uses the same bits", "[nn]", float, double) {
  using T = TestType;
  const double rate = GENERATE(0.1, 0.5, 0.9);
  const Dropout<T> dropout(rate);
  const auto x = random_tensor<T>(1, 40, 30, 50);
  Rng rng{9, 4};
  typename Dropout<T>::Cache cache;
  const auto y = dropout.forward(x, &rng, &cache);
  const auto d_x = dropout.backward(x, cache);
  CHECK(heed_test::all_same_bits(heed::flat(d_x), heed::flat(y)));
  Index dropped = 0;
  for (Index i = 0; i < x.size(); ++i) {
    if (y.data()[i] == 0)
      ++dropped;
    else
      REQUIRE(heed_test::close(y.data()[i], double(x.data()[i]) / (1 - rate)));
  }
  CHECK(double(dropped) / double(x.size()) == Approx(rate).margin(0.01));
}

TEST_CASE("every element's bit is Philox at (sample, step, feature)", "[nn]") {
  const Dropout<float> dropout(0.3);
  const auto x = random_tensor<float>(1, 3, 4, 7);
  Rng rng{9, 4};
  const auto y = dropout.forward(x, &rng);
  CHECK(rng.seed == 9);
  CHECK(rng.offset == 5);
  const heed::CoordinateBits bits(Rng{9, 4});
  for (Index b = 0; b < 3; ++b)
    for (Index t = 0; t < 4; ++t)
      for (Index i = 0; i < 7; ++i) CHECK((y(b, t, i) == 0) == (bits(b, t, 0, i) < heed::probability_threshold(0.3)));
}

TEST_CASE("padding, batch size, layout and threads change no sample's bits", "[nn]") {
  const Dropout<float> dropout(0.5);
  Tensor<float, 3> x(6, 9, 101), shorter(4, 5, 101), turned(9, 6, 101);
  x.setConstant(1), shorter.setConstant(1), turned.setConstant(1);
  heed::ThreadPool pool(3);
  heed::Serial serial;
  Rng a{1, 0}, b{1, 0}, c{1, 0}, d{1, 0};
  const auto whole = dropout.forward(x, &a, nullptr, SequenceAxes::batch_step, serial);
  const auto shared = dropout.forward(x, &b, nullptr, SequenceAxes::batch_step, pool);
  const auto small = dropout.forward(shorter, &c);
  const auto steps_first = dropout.forward(turned, &d, nullptr, SequenceAxes::step_batch);
  CHECK(heed_test::all_same_bits(heed::flat(whole), heed::flat(shared)));
  Index different = 0;
  for (Index s = 0; s < 4; ++s)
    for (Index t = 0; t < 5; ++t)
      for (Index i = 0; i < 101; ++i)
        different += whole(s, t, i) != small(s, t, i) || whole(s, t, i) != steps_first(t, s, i);
  CHECK(different == 0);
  const auto next = dropout.forward(x, &a);  // another offset, other bits
  CHECK_FALSE(heed_test::all_same_bits(heed::flat(whole), heed::flat(next)));
}

TEST_CASE("without an rng nothing happens; with rate 0 only the offset moves", "[nn]") {
  const auto x = random_tensor<float>(1, 3, 7);
  Dropout<float>::Cache cache{{1, 2, 3}, 3};
  CHECK(heed_test::all_same_bits(heed::flat(Dropout<float>(0.5).forward(x, nullptr, &cache)), heed::flat(x)));
  CHECK(heed_test::all_same_bits(heed::flat(Dropout<float>(0.5).backward(x, cache)), heed::flat(x)));
  Rng rng{1, 7};
  CHECK(heed_test::all_same_bits(heed::flat(Dropout<float>(0).forward(x, &rng, &cache)), heed::flat(x)));
  CHECK(rng.offset == 8);
}

TEST_CASE("rate 1 gives zeros, and a dropped element is zero even where x is not finite", "[nn]") {
  Tensor<float, 2> x(2, 9);
  x.setConstant(std::numeric_limits<float>::quiet_NaN());
  Rng rng{1, 0};
  Dropout<float>::Cache cache;
  const auto zero = Dropout<float>(1).forward(x, &rng, &cache), d_zero = Dropout<float>(1).backward(x, cache);
  for (Index i = 0; i < 18; ++i) CHECK((zero.data()[i] == 0 && d_zero.data()[i] == 0));
}

TEST_CASE("rates outside [0, 1] and gradients of another size are refused", "[nn]") {
  CHECK_THROWS_AS(Dropout<float>(-0.1), heed::Error);
  CHECK_THROWS_AS(Dropout<float>(1.1), heed::Error);
  CHECK_THROWS_AS(Dropout<float>(std::nan("")), heed::Error);
  Dropout<float> dropout(0.5);
  const auto x = random_tensor<float>(1, 3, 7);
  Rng rng{1, 0};
  Dropout<float>::Cache cache;
  dropout.forward(x, &rng, &cache);
  CHECK_THROWS_AS(dropout.backward(random_tensor<float>(1, 3, 8), cache), heed::Error);
  CHECK_THROWS_AS(dropout.backward(x, {}), heed::Error);  // without forward
  dropout.rate = 2;
  CHECK_THROWS_AS(dropout.forward(x, &rng), heed::Error);
  CHECK(rng.offset == 1);
}
