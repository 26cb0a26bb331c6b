#include <heed/attention/broadcast_view.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("ranks 2 to 4 are read as the last axes and axes of 1 repeat", "[attention]") {
  const auto two = random_tensor<float, 2>({3, 4}, 1);
  const auto three = random_tensor<float, 3>({2, 1, 4}, 2);
  const auto four = random_tensor<float, 4>({5, 1, 3, 1}, 3);
  const BroadcastView<float> a(two), b(three), c(four);
  CHECK(a.row(4, 1, 2)[3 * a.step(3)] == two(2, 3));
  CHECK(b.row(4, 1, 2)[3 * b.step(3)] == three(1, 0, 3));
  CHECK(c.row(4, 1, 2)[3 * c.step(3)] == four(4, 0, 2, 0));
  for (const BroadcastView<float>& view : {a, b, c}) {
    CHECK(error_of([&] { view.check_against("f", "x", {5, 2, 3, 4}); }).empty());
  }
}

TEST_CASE("any layout and strides are read in place", "[attention]") {
  Eigen::Tensor<double, 2, Eigen::ColMajor, Index> columns(3, 4);
  columns.setRandom();
  const BroadcastView<double> a(columns);
  CHECK(a.row(0, 0, 2)[a.step(3)] == columns(2, 1));
  const auto backing = random_tensor<double, 2>({3, 4}, 1);
  const View<const double, 2> reversed(backing.data() + 11, {3, 4}, {-4, -1});
  const BroadcastView<double> b(reversed);
  CHECK(b.row(7, 7, 0)[0] == backing(2, 3));
  CHECK(b.row(7, 7, 2)[3 * b.step(3)] == backing(0, 0));
}

TEST_CASE("absent and present differ, also for an empty tensor", "[attention]") {
  const Tensor<float, 2> nothing(0, 4);
  CHECK_FALSE(bool(BroadcastView<float>()));
  CHECK(bool(BroadcastView<float>(nothing)));
  CHECK(error_of([] { BroadcastView<float>().check_against("f", "x", {1, 2, 3, 4}); }).empty());
  const Tensor<float, 2> other(3, 4);
  CHECK(BroadcastView<float>(other).same_as(BroadcastView<float>(other)));
  CHECK_FALSE(BroadcastView<float>(other).same_as(BroadcastView<float>(nothing)));
}

TEST_CASE("extents that are neither 1 nor the whole's are refused with both shapes", "[attention]") {
  const Tensor<float, 3> bias(2, 3, 5);
  CHECK(mentions(error_of([&] {
                   BroadcastView<float>(bias).check_against("attend", "bias", {7, 2, 3, 4});
                 }),
                 {"attend: bias has shape (1, 2, 3, 5)", "wanted (7, 2, 3, 4)", "or 1"}));
}

TEST_CASE("a tensor that is about to die is refused at compile time, a view of one is not", "[attention]") {
  STATIC_REQUIRE(BroadcastSource<Tensor<float, 2>&, float>);
  STATIC_REQUIRE_FALSE(BroadcastSource<Tensor<float, 2>, float>);
  STATIC_REQUIRE(BroadcastSource<View<const float, 3>, float>);
  STATIC_REQUIRE_FALSE(BroadcastSource<Tensor<double, 2>&, float>);
  STATIC_REQUIRE_FALSE(BroadcastSource<Tensor<float, 5>&, float>);
}
