#include <heed/kernels/flash_terms.hpp>

#include <vector>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;
using heed::Range;
using heed::ScoreTerms;
using heed::Tile;

namespace {

constexpr Index queries = 7, keys = 9;

/// Every tile of a 7 x 9 head: a full one holds visible pairs alone, an empty one none; mixed is always legal.
template <class T>
void check_tiles(const ScoreTerms<T>& terms) {
  for (Index i = 0; i < queries; ++i) {
    for (Index j = 0; j < keys; ++j) {
      for (const Index size : {1, 3}) {
        const Range rows{i, std::min(i + size, queries)}, cols{j, std::min(j + size, keys)};
        Index visible = 0;
        for (Index a = rows.first; a < rows.end; ++a) {
          for (Index b = cols.first; b < cols.end; ++b) visible += terms.visible(a, b);
        }
        const Tile tile = terms.visible_tile(rows, cols, Tile::full);
        if (tile == Tile::full) CHECK(visible == rows.size() * cols.size());
        if (tile == Tile::empty) CHECK(visible == 0);
        CHECK(terms.visible_tile(rows, cols, Tile::empty) == Tile::empty);
      }
    }
  }
}

}  // namespace

TEST_CASE("tiles of a boolean mask are exactly full, mixed or empty", "[kernels]") {
  std::vector<std::uint8_t> allowed(queries * keys);
  for (std::size_t i = 0; i < allowed.size(); ++i) allowed[i] = i % 9 < 5 || i > 40;
  ScoreTerms<float> terms{.allowed = allowed.data(), .allowed_query_step = keys, .allowed_key_step = 1};
  check_tiles(terms);
  CHECK(terms.visible_tile({0, 3}, {0, 5}, Tile::full) == Tile::full);
  CHECK(terms.visible_tile({0, 3}, {5, 9}, Tile::full) == Tile::empty);
  CHECK(terms.visible_tile({0, 3}, {4, 6}, Tile::full) == Tile::mixed);
  CHECK(terms.visible_tile({0, 3}, {0, 5}, Tile::mixed) == Tile::mixed);
  terms.allowed_query_step = 0;  // one row for all queries
  check_tiles(terms);
  CHECK(terms.visible_tile({0, 7}, {0, 5}, Tile::full) == Tile::full);
}

TEST_CASE("tiles of segments that follow each other are found full and empty", "[kernels]") {
  const std::vector<Index> of_queries = {0, 0, 0, 1, 1, 1, 2}, of_keys = {0, 0, 0, 1, 1, 1, 2, 2, 2};
  const ScoreTerms<double> terms{.query_segments = of_queries.data(), .key_segments = of_keys.data()};
  check_tiles(terms);
  CHECK(terms.visible_tile({0, 3}, {0, 3}, Tile::full) == Tile::full);
  CHECK(terms.visible_tile({0, 3}, {3, 9}, Tile::full) == Tile::empty);
  CHECK(terms.visible_tile({2, 4}, {0, 3}, Tile::full) == Tile::mixed);
  const std::vector<Index> scattered = {2, 0, 1, 2, 0, 1, 2};
  check_tiles(ScoreTerms<double>{.query_segments = scattered.data(), .key_segments = of_keys.data()});
}

TEST_CASE("a bias of minus infinity masks, and no tile with a bias counts as full", "[kernels]") {
  std::vector<float> bias(queries * keys, 0.5f);
  bias[3 * keys + 4] = -infinite<float>;
  const ScoreTerms<float> terms{.bias = bias.data(), .bias_query_step = keys, .bias_key_step = 1};
  CHECK_FALSE(terms.visible(3, 4));
  CHECK(terms.visible(3, 5));
  CHECK(terms.bias_at(2, 1) == 0.5f);
  CHECK(terms.visible_tile({0, 2}, {0, 2}, Tile::full) == Tile::mixed);
  CHECK(terms.change_scores());
  CHECK(ScoreTerms<float>{}.bias_at(0, 0) == 0);
}

TEST_CASE("ALiBi's distance counts from the query's position", "[kernels]") {
  const ScoreTerms<float> terms{.alibi_slope = 0.5f, .alibi_offset = 3};
  CHECK(terms.distance(0, 5) == 2);
  CHECK(terms.distance(4, 5) == 2);
  CHECK(terms.change_scores());
  CHECK_FALSE(terms.mask_pairs());
}

TEST_CASE("the scale is folded away or applied, and its sign goes into the queries", "[kernels]") {
  heed::FlashHead<double> head;
  head.scale = -0.25;
  const heed::flash_detail::ScoreScale<double> folded(head);
  CHECK_FALSE(folded.apply);
  CHECK(folded.packed == -1);
  CHECK(folded.exponent == 0.25 * std::numbers::log2e);
  head.terms.softcap = 2;
  const heed::flash_detail::ScoreScale<double> applied(head);
  CHECK(applied.apply);
  CHECK(applied.factor == 0.25);
  CHECK(applied.exponent == std::numbers::log2e);
  head.scale = 0;
  CHECK(heed::flash_detail::ScoreScale<double>(head).packed == 0);
}

TEST_CASE("a row without keys has its sink as logsumexp, or minus infinity", "[kernels]") {
  const float sink = 1.5f;
  heed::FlashHead<float> head;
  head.band = {.query_end = 2, .key_end = 0};
  CHECK_FALSE(head.sees_any(0));
  CHECK(head.empty_logsumexp() == -infinite<float>);
  head.sink = &sink;
  CHECK(head.empty_logsumexp() == 1.5f);
}
