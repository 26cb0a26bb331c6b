#include <heed/attention/bound_mask.hpp>

#include <vector>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// SEMANTICS 7 to 12 as one predicate.
struct Definition {
  Index causal_offset;  // the position p is query + offset
  bool causal;
  Index left, right;  // -1: unbounded
  Index key_end, query_end;
  bool operator()(Index i, Index j) const {
    const Index p = i + causal_offset;
    return j < key_end && i < query_end && (!causal || j <= p) && (left < 0 || j >= p - left) &&
           (right < 0 || j <= p + right);
  }
};

void check_mask(const Mask& mask, const Definition& wanted, Index query_length, Index key_length) {
  const BoundMask bound("f", mask, {1, 1, query_length, key_length});
  for (Index i = 0; i < query_length; ++i) {
    const Range range = bound.keys(0, i);
    for (Index j = 0; j < key_length; ++j) {
      REQUIRE(bound.visible(0, 0, i, j) == wanted(i, j));
      REQUIRE((j >= range.first && j < range.end) == wanted(i, j));
    }
  }
  for (Index q = 0; q < query_length; q += 3) {
    for (Index k = 0; k < key_length; k += 2) {
      const Range queries{q, std::min(q + 3, query_length)}, keys{k, std::min(k + 2, key_length)};
      Index seen = 0;
      for (Index i = queries.first; i < queries.end; ++i)
        for (Index j = keys.first; j < keys.end; ++j) seen += wanted(i, j);
      const Tile tile = bound.classify(0, queries, keys);
      if (tile == Tile::full) REQUIRE(seen == queries.size() * keys.size());
      if (tile == Tile::empty) REQUIRE(seen == 0);
      if (seen == queries.size() * keys.size()) REQUIRE(tile == Tile::full);
    }
  }
}

}  // namespace

TEST_CASE("rows and tiles agree with the definition of every interval constraint", "[attention]") {
  const Index query_length = GENERATE(1, 5, 9), key_length = GENERATE(1, 6, 11);
  const Index left = GENERATE(-1, 0, 2), right = GENERATE(-1, 0, 3);
  const Index key_end = GENERATE(0, 1) * key_length / 2 + key_length / 2, query_end = (query_length + 1) / 2;
  const std::vector<Index> keys{key_end}, queries{query_end}, offsets{-2};
  const Mask sides = window(left, right);
  check_mask(sides, {0, false, left, right, key_length, query_length}, query_length, key_length);
  check_mask(sides & causal(Corner::top_left) & key_lengths(keys), {0, true, left, right, key_end, query_length},
             query_length, key_length);
  check_mask(sides & causal(Corner::bottom_right),
             {key_length - query_length, true, left, right, key_length, query_length}, query_length, key_length);
  check_mask(sides & causal(Corner::bottom_right) & key_lengths(keys) & query_lengths(queries),
             {key_end - query_end, true, left, right, key_end, query_end}, query_length, key_length);
  check_mask(sides & causal_offset(4), {4, true, left, right, key_length, query_length}, query_length, key_length);
  check_mask(sides & causal_offset(offsets), {-2, true, left, right, key_length, query_length}, query_length,
             key_length);
}

TEST_CASE("the union over a block of queries holds every key that one of them sees", "[attention]") {
  const std::vector<Index> keys{4};
  const BoundMask bound("f", window(1, 1) & key_lengths(keys), {1, 1, 12, 10});
  CHECK(bound.keys(0, Range{0, 12}) == Range{0, 4});
  CHECK(bound.keys(0, Range{4, 12}) == Range{3, 4});  // the last ones see nothing
  CHECK(bound.keys(0, Range{6, 12}).empty());
  CHECK(bound.classify(0, {6, 12}, {0, 10}) == Tile::empty);
  const BoundMask late("f", causal_offset(-3), {1, 1, 8, 8});
  CHECK(late.keys(0, Range{0, 8}) == Range{0, 5});
}

TEST_CASE("offsets and windows near the end of the number range do not overflow", "[attention]") {
  constexpr Index huge = std::numeric_limits<Index>::max();
  const ScoreShape shape{1, 1, 3, 4};
  CHECK(BoundMask("f", causal_offset(huge), shape).keys(0, 2) == Range{0, 4});
  CHECK(BoundMask("f", causal_offset(-huge), shape).keys(0, 2).empty());
  CHECK(BoundMask("f", window(huge, huge), shape).keys(0, 2) == Range{0, 4});
  CHECK(BoundMask("f", window(huge, 0), shape).keys(0, 2) == Range{0, 3});
}

TEST_CASE("a boolean mask is read per head and makes every visited tile mixed", "[attention]") {
  Tensor<std::uint8_t, 4> bytes(2, 1, 1, 4);
  bytes.setConstant(255);
  bytes(1, 0, 0, 2) = 0;
  const BoundMask bound("f", boolean_mask(bytes), {2, 3, 5, 4});
  CHECK(bound.visible(0, 2, 4, 2));
  CHECK_FALSE(bound.visible(1, 2, 4, 2));
  CHECK(bound.classify(0, {0, 5}, {0, 4}) == Tile::mixed);
  CHECK(bound.boolean_row(1, 0, 3)[2 * bound.boolean_step()] == 0);
}

TEST_CASE("a mask that does not fit the scores is refused by name", "[attention]") {
  const ScoreShape shape{2, 1, 3, 4};
  const std::vector<Index> negative{0, -1}, long_one{0, 5}, few{1};
  const auto refused = [&](const Mask& mask) { return error_of([&] { BoundMask("attend", mask, shape); }); };
  CHECK(mentions(refused(causal()), {"attend", "causal()", "query_length 3", "key_length 4"}));
  CHECK(mentions(refused(key_lengths(negative)), {"key_lengths[1] is -1"}));
  CHECK(mentions(refused(key_lengths(long_one)), {"key_lengths[1] is 5", "0 to 4"}));
  CHECK(mentions(refused(query_lengths(few)), {"query_lengths has 1 entries", "2 (batch)"}));
  CHECK(mentions(refused(causal_offset(few)), {"causal_offset has 1 entries"}));
  CHECK(mentions(refused(Mask{.window = Window{-2, 0}}), {"window is (-2, 0)"}));
}
