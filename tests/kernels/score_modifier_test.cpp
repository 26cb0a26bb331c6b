#include <heed/kernels/score_modifier.hpp>

#include <cmath>
#include <vector>

#include "simd/simd_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Depends on everything that a callable is told.
struct Score {
  auto operator()(auto s, auto at) const {
    return s * s * 0.5f + at.query * 3 - at.key + distance(at) + static_cast<float>(at.batch * 100 + at.head);
  }
};
struct Visible {
  auto operator()(auto at) const { return at.key + 2 <= at.position; }
};
const HeadPlace place{.batch = 2, .head = 5, .first_query = 7, .offset = 1};

/// The same for query i and key j of the kernel's.
template <class T>
T wanted_score(T s, Index i, Index j) {
  const T query = static_cast<T>(i + 7), key = static_cast<T>(j);
  return s * s / 2 + query * 3 - key + std::abs(query + 1 - key) + 205;
}
bool wanted_visible(Index i, Index j) { return j + 2 <= i + 8; }

template <class T>
std::vector<T> numbers(Index count) {
  std::vector<T> x;
  for (Index i = 0; i < count; ++i) x.push_back(static_cast<T>(i % 13) / 4 - 1);
  return x;
}

}  // namespace

TEMPLATE_TEST_CASE("a column of scores is changed and masked lane by lane", "[kernels]", float, double) {
  using T = TestType;
  constexpr Index width = lanes<T>, keys = 5, step = width + 3;
  ScoreModifier<T> modifier;
  modifier_detail::set_score<T>(modifier, Score());
  modifier_detail::set_mask<T>(modifier, Visible());
  const auto before = numbers<T>(keys * step);
  auto scores = before, slopes = std::vector<T>(scores.size(), T(2)), inputs = std::vector<T>(scores.size());
  ScorePart<T> part{.scores = scores.data(), .step = step, .query = 3, .queries = width, .key = 9, .keys = keys};
  part.slopes = slopes.data(), part.inputs = inputs.data();
  modifier.change_column(modifier.score, place, part);
  for (Index j = 0; j < keys; ++j)
    for (Index i = 0; i < width; ++i) {
      const auto at = static_cast<std::size_t>(j * step + i);
      CHECK(scores[at] == wanted_score(before[at], 3 + i, 9 + j));
      CHECK(slopes[at] == 2 * before[at]);  // what was there, times the derivative
      CHECK(inputs[at] == before[at]);
    }
  modifier.mask_column(modifier.mask, place, part);
  for (Index j = 0; j < keys; ++j)
    for (Index i = 0; i < width; ++i) {
      CHECK((scores[static_cast<std::size_t>(j * step + i)] > T(-1e30)) == wanted_visible(3 + i, 9 + j));
      CHECK(modifier.visible(modifier.mask, place, 3 + i, 9 + j) == wanted_visible(3 + i, 9 + j));
    }
}

TEMPLATE_TEST_CASE("a row of scores is changed and masked, and nothing behind it", "[kernels]", float, double) {
  using T = TestType;
  constexpr Index keys = 2 * lanes<T> + 3;
  ScoreModifier<T> modifier;
  modifier_detail::set_score<T>(modifier, Score());
  modifier_detail::set_mask<T>(modifier, Visible());
  const auto before = numbers<T>(keys + 1);
  auto scores = before, slopes = std::vector<T>(scores.size(), T(3));
  ScorePart<T> part{.scores = scores.data(), .step = 1, .query = 4, .queries = 1, .key = 2, .keys = keys};
  part.slopes = slopes.data();
  modifier.change_row(modifier.score, place, part);
  for (Index j = 0; j < keys; ++j) {
    const auto at = static_cast<std::size_t>(j);
    CHECK(scores[at] == wanted_score(before[at], 4, 2 + j));
    CHECK(slopes[at] == 3 * before[at]);
  }
  modifier.mask_row(modifier.mask, place, part);
  for (Index j = 0; j < keys; ++j)
    CHECK((scores[static_cast<std::size_t>(j)] > T(-1e30)) == wanted_visible(4, 2 + j));
  CHECK(scores.back() == before.back());
  CHECK(slopes.back() == 3);
}

TEST_CASE("a mask that gives one answer for all lanes hides all or nothing", "[kernels]") {
  ScoreModifier<float> modifier;
  modifier_detail::set_mask<float>(modifier, [](auto at) { return at.head == 5; });
  std::vector<float> scores(static_cast<std::size_t>(lanes<float>), 1.0f);
  const ScorePart<float> part{.scores = scores.data(), .step = 1, .query = 0, .queries = 1, .key = 0, .keys = 4};
  modifier.mask_row(modifier.mask, place, part);
  CHECK(scores[2] == 1);
  modifier.mask_row(modifier.mask, {.head = 4}, part);
  CHECK(scores[2] < -1e30f);
}

TEST_CASE("lookup reads the nearest entry for an index outside the table", "[kernels]") {
  const std::vector<float> table{10, 20, 30};
  CHECK(lookup(table, 1.0f) == 20);
  CHECK(lookup(table, -4.0f) == 10);
  CHECK(lookup(table, 1e30f) == 30);
  CHECK(lookup(table, std::nanf("")) == 10);
  const auto found = lanes_of(lookup(table, iota<float>() - Batch<float>(1.0f)));
  CHECK(found[0] == 10);
  CHECK(found[2] == 20);
  CHECK(found[3] == 30);
  CHECK(lookup(std::vector<double>{7}, iota<double>()).get(1) == 7);
}

TEST_CASE("a mask without classify makes every tile mixed", "[kernels]") {
  struct Tiles : Visible {
    Tile classify(Range queries, Range keys) const { return keys.end <= queries.first ? Tile::full : Tile::empty; }
  };
  struct PerHead : Visible {
    Tile classify(Range, Range, Index batch, Index head) const { return batch == 2 && head == 5 ? Tile::full : Tile::empty; }
  };
  const auto kind = [](const auto& mask) {
    ScoreModifier<float> modifier;
    modifier_detail::set_mask<float>(modifier, mask);
    return modifier.classify(modifier.mask, place, {0, 4}, {0, 7});
  };
  CHECK(kind(Visible()) == Tile::mixed);
  CHECK(kind(Tiles()) == Tile::full);  // queries are counted from the sample's first: 7
  CHECK(kind(PerHead()) == Tile::full);
}
