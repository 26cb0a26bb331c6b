#include <heed/attention/mask.hpp>

#include <vector>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class X>
concept GivesKeyLengths = requires(X&& x) {
  key_lengths(std::forward<X>(x));
};
template <class X>
concept GivesBooleanMask = requires(X&& x) {
  boolean_mask(std::forward<X>(x));
};

}  // namespace

TEST_CASE("the default mask has no constraint, each factory sets its own", "[attention]") {
  const std::vector<Index> lengths{1, 2};
  const Tensor<bool, 2> pattern(3, 4);
  CHECK(Mask().empty());
  CHECK(causal().causality == Causality::square);
  CHECK(causal(Corner::top_left).causality == Causality::top_left);
  CHECK(causal(Corner::bottom_right).causality == Causality::bottom_right);
  CHECK(causal_offset(3).offset == 3);
  CHECK(causal_offset(lengths).offsets.data() == lengths.data());
  CHECK(window(2, -1).window == Window{2, -1});
  CHECK(key_lengths(lengths).key_lengths->data() == lengths.data());
  CHECK(query_lengths(lengths).query_lengths->size() == 2);
  CHECK(bool(boolean_mask(pattern).boolean));
  for (const Mask& mask :
       {causal(), window(0, 0), key_lengths(lengths), query_lengths(lengths), boolean_mask(pattern)}) {
    CHECK_FALSE(mask.empty());
  }
}

TEST_CASE("a key mask is one row of keys per sample", "[attention]") {
  Tensor<bool, 2> keys(3, 4);
  keys.setConstant(true);
  keys(2, 1) = false;
  const Mask mask = key_mask(keys);
  CHECK(mask.boolean.view.extents == Extents<4>{3, 1, 1, 4});
  CHECK(mask.boolean.row(2, 5, 6)[1 * mask.boolean.step(3)] == 0);
  CHECK(mask.boolean.row(1, 5, 6)[1 * mask.boolean.step(3)] != 0);
}

TEST_CASE("& keeps every constraint of both sides, in either order", "[attention]") {
  const std::vector<Index> lengths{1, 2};
  const Tensor<bool, 2> pattern(3, 4);
  const Mask left = causal() & window(128, 0), right = key_lengths(lengths) & boolean_mask(pattern);
  for (const Mask& both : {left & right, right & left, left & right & left}) {
    CHECK(both.causality == Causality::square);
    CHECK(both.window == Window{128, 0});
    CHECK(both.key_lengths->data() == lengths.data());
    CHECK(bool(both.boolean));
    CHECK_FALSE(both.query_lengths.has_value());
  }
  CHECK((Mask() & Mask()).empty());
}

TEST_CASE("two constraints of a kind that differ are refused, equal ones are one", "[attention]") {
  const std::vector<Index> a{1, 2}, b{1, 2};
  const Tensor<bool, 2> p(3, 4), q(3, 4);
  CHECK(
      mentions(error_of([] { causal(Corner::top_left) & causal(Corner::bottom_right); }), {"causal corner", "differ"}));
  CHECK(mentions(error_of([] { causal_offset(1) & causal_offset(2); }), {"causal corner"}));
  CHECK(mentions(error_of([] { window(1, 0) & window(2, 0); }), {"window"}));
  CHECK(mentions(error_of([&] { key_lengths(a) & key_lengths(b); }), {"key_lengths"}));
  CHECK(mentions(error_of([&] { query_lengths(a) & query_lengths(b); }), {"query_lengths"}));
  CHECK(mentions(error_of([&] { boolean_mask(p) & boolean_mask(q); }), {"boolean mask"}));
  CHECK(error_of([&] { key_lengths(a) & key_lengths(a); }).empty());
  CHECK(error_of([] { causal_offset(1) & causal_offset(1); }).empty());
}

TEST_CASE("a window side below -1 is refused", "[attention]") {
  CHECK(mentions(error_of([] { window(0, -2); }), {"window", "-2", "at least -1"}));
  CHECK(error_of([] { window(-1, -1); }).empty());
}

TEST_CASE("masks of temporaries do not compile, masks of views and lasting containers do", "[attention]") {
  STATIC_REQUIRE(GivesKeyLengths<std::vector<Index>&>);
  STATIC_REQUIRE(GivesKeyLengths<const std::vector<Index>&>);
  STATIC_REQUIRE(GivesKeyLengths<std::span<const Index>>);
  STATIC_REQUIRE_FALSE(GivesKeyLengths<std::vector<Index>>);
  STATIC_REQUIRE(GivesBooleanMask<Tensor<bool, 4>&>);
  STATIC_REQUIRE(GivesBooleanMask<View<const bool, 4>>);
  STATIC_REQUIRE_FALSE(GivesBooleanMask<Tensor<bool, 4>>);
  STATIC_REQUIRE_FALSE(GivesBooleanMask<Tensor<float, 4>&>);
}
