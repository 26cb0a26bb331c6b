#include <heed/kernels/flash_scores.hpp>

#include "kernels/flash_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::flash_detail;

namespace {

/// One tile of a problem.
template <class T>
struct TileOf {
  static constexpr Index step = FlashBlocks<T, default_arch>::queries;
  ScoreScale<T> scale;
  Workspace workspace{std::size_t{1} << 18};
  T* packed = workspace.take<T>(64 * step);
  T* scores = workspace.take<T>(flash_keys * step);
  std::vector<T> row_max = filled<T>(step, -infinite<T>);
  ScoreTile<T, default_arch> tile;

  TileOf(const FlashHead<T>& head, const TilePlace& place) : scale(head), tile(head, scale, scores) {
    pack_transposed<T, default_arch>(head.query, place.queries.first, place.queries.size(), scale.packed, packed);
    tile.compute(place, packed, row_max.data());
  }
  T score(Index i, Index j) const { return scores[j * step + i]; }
};

}  // namespace

TEMPLATE_TEST_CASE("a tile holds scaled, biased scores, -inf where the mask or the bias says so", "[kernels]", float,
                   double) {
  FlashProblem<TestType> problem(40, 90, 6, 1);
  const Index bias_key_step = GENERATE(1, 0), bias_query_step = GENERATE(90, 0);
  auto bias = random_numbers<TestType>(40 * 90, 5);
  bias[4 * 90 + 5] = -infinite<TestType>;
  std::vector<std::uint8_t> allowed(40 * 90, 1);
  allowed[10 * 90 + 50] = 0;
  problem.head.scale = TestType(-2);
  problem.head.band.ahead = 50;
  problem.head.terms = {.bias = bias.data(),
                        .bias_query_step = bias_query_step,
                        .bias_key_step = bias_key_step,
                        .allowed = allowed.data(),
                        .allowed_query_step = 90,
                        .allowed_key_step = 1};
  const Index last = std::min<Index>(38, 3 + flash_query_block<TestType>);
  const TilePlace place{{3, last}, {4, 87}, Tile::mixed};
  const TileOf<TestType> found(problem.head, place);
  for (Index i = 3; i < last; ++i) {
    double wanted_max = -infinite<double>;
    const Range seen = found.tile.row_keys(i - 3, 1);
    for (Index j = 4; j < 87; ++j) {
      const bool visible = problem.head.visible(i, j);
      if (j - 4 < seen.first || j - 4 >= seen.end) {
        CHECK_FALSE(visible);
        continue;
      }
      double sum = 0;
      for (Index d = 0; d < 6; ++d)
        sum += double(problem.query[std::size_t(i * 6 + d)]) * double(problem.key[std::size_t(j * 6 + d)]);
      const double wanted = -2 * sum + double(bias[std::size_t(i * bias_query_step + j * bias_key_step)]);
      CHECK(close(found.score(i - 3, j - 4), visible ? wanted : -infinite<double>));
      if (visible) wanted_max = std::max(wanted_max, wanted);
    }
    CHECK(close(found.row_max[std::size_t(i - 3)], wanted_max));
  }
}

TEST_CASE("a boolean mask makes a tile full, mixed or empty by what it holds there", "[kernels]") {
  std::vector<std::uint8_t> allowed(10 * 20, 1);
  ScoreTerms<float> terms{.allowed = allowed.data(), .allowed_query_step = 20, .allowed_key_step = 1};
  CHECK(terms.visible_tile({0, 10}, {0, 20}, Tile::full) == Tile::full);
  CHECK(terms.visible_tile({0, 10}, {0, 20}, Tile::mixed) == Tile::mixed);
  CHECK(terms.visible_tile({0, 10}, {0, 20}, Tile::empty) == Tile::empty);
  allowed[9 * 20 + 3] = 0;
  CHECK(terms.visible_tile({0, 10}, {0, 20}, Tile::full) == Tile::mixed);
  CHECK(terms.visible_tile({0, 9}, {0, 20}, Tile::full) == Tile::full);
  CHECK(terms.visible_tile({9, 10}, {3, 4}, Tile::full) == Tile::empty);
  terms.allowed_query_step = 0;  // one row for all queries
  CHECK(terms.visible_tile({0, 10}, {0, 20}, Tile::full) == Tile::full);
}

TEST_CASE("dropout is what the coordinates say, wherever the tile begins", "[kernels]") {
  FlashProblem<float> problem(30, 90, 4, 1);
  problem.head.dropout = {CoordinateBits(Rng{4, 2}), 1, 2, probability_threshold(0.5), 2.f};
  TileOf<float> found(problem.head, {{5, 9}, {6, 83}, Tile::full});
  std::fill_n(found.scores, flash_keys * TileOf<float>::step, 3.f);
  found.tile.apply_dropout(found.scores);
  for (Index i = 5; i < 9; ++i)
    for (Index j = 6; j < 83; ++j) {
      const bool dropped = CoordinateBits(Rng{4, 2})(1, 2, i, j) < probability_threshold(0.5);
      CHECK(found.score(i - 5, j - 6) == (dropped ? 0.f : 6.f));
      CHECK(problem.head.dropout.factor(i, j) == (dropped ? 0.f : 2.f));
    }
}
