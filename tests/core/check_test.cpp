#include <heed/core/check.hpp>

#include <array>

#include "support/catch.hpp"

using Catch::Contains;
using heed::Index;

namespace {
using Shape = std::array<Index, 2>;
}

TEST_CASE("A broken contract throws heed::Error, which is a std::invalid_argument", "[core]") {
  CHECK_THROWS_AS(heed::fail("no"), heed::Error);
  CHECK_THROWS_AS(heed::fail("no"), std::invalid_argument);
  CHECK_THROWS_WITH(heed::check(false, [] { return std::string("why"); }), "why");
}

TEST_CASE("A kept contract makes no message", "[core]") {
  bool made = false;
  heed::check(true, [&] {
    made = true;
    return std::string();
  });
  CHECK(!made);
}

TEST_CASE("check_extent names the function, the argument, the axis and both sizes", "[core]") {
  CHECK_NOTHROW(heed::check_extent("attend", "key", "head_dim", 64, 64));
  CHECK_THROWS_WITH(heed::check_extent("attend", "key", "head_dim", 63, 64), "attend: key has head_dim 63, wanted 64");
}

TEST_CASE("check_shape accepts -1 as any extent and refuses another shape or rank", "[core]") {
  CHECK_NOTHROW(heed::check_shape("f", "x", Shape{2, 3}, Shape{2, 3}));
  CHECK_NOTHROW(heed::check_shape("f", "x", Shape{2, 3}, Shape{-1, 3}));
  CHECK_THROWS_WITH(heed::check_shape("f", "x", Shape{2, 3}, Shape{2, 4}), "f: x has shape (2, 3), wanted (2, 4)");
  CHECK_THROWS_WITH(heed::check_shape("f", "x", Shape{2, 3}, std::array<Index, 1>{2}), Contains("wanted (2)"));
}

TEST_CASE("check_extents refuses negative extents and products beyond 63 bits, hidden by a zero or not", "[core]") {
  CHECK_NOTHROW(heed::check_extents("f", "x", Shape{0, 5}));
  CHECK_THROWS_WITH(heed::check_extents("f", "x", Shape{-2, 5}), Contains("(-2, 5)"));
  const Index big = Index{1} << 40;
  CHECK_THROWS_AS(heed::check_extents("f", "x", Shape{big, big}), heed::Error);
  CHECK_THROWS_AS(heed::check_extents("f", "x", std::array<Index, 3>{0, PTRDIFF_MAX, PTRDIFF_MAX}), heed::Error);
}

TEST_CASE("checked_product is exact or refused", "[core]") {
  CHECK(heed::checked_product("f", "x", 1 << 20, 1 << 20) == Index{1} << 40);
  CHECK(heed::checked_product("f", "x", 0, PTRDIFF_MAX) == 0);
  CHECK_THROWS_WITH(heed::checked_product("f", "x", PTRDIFF_MAX, 2), Contains("does not fit 63 bits"));
}

TEST_CASE("message puts text and numbers one after another", "[core]") {
  const std::string owned = "x";
  CHECK(heed::message({"f", ": ", owned, std::string_view(" is "), Index{-3}, ", wanted ", 0.5}) ==
        "f: x is -3, wanted 0.500000");
  CHECK(heed::message({}).empty());
}

TEST_CASE("shape_text reads as a tuple", "[core]") {
  CHECK(heed::shape_text(std::array<Index, 3>{2, 3, 4}) == "(2, 3, 4)");
  CHECK(heed::shape_text({}) == "()");
}

TEST_CASE("A FormatError begins with the file and the place", "[core]") {
  const heed::FormatError error("a.tsv", "line 3", "no tab");
  CHECK(std::string(error.what()) == "a.tsv: line 3: no tab");
  CHECK(error.file() == "a.tsv");
  CHECK(error.place() == "line 3");
  CHECK(std::string(heed::FormatError("a", "", "empty").what()) == "a: empty");
}
