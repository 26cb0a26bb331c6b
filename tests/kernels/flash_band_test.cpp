#include <heed/kernels/flash_band.hpp>

#include "support/catch.hpp"

using namespace heed;

TEST_CASE("a band's keys, queries and tiles are what its pairs say", "[kernels]") {
  const Index behind = GENERATE(0, 3, 50, ScoreBand::unbounded), ahead = GENERATE(-4, 0, 2, ScoreBand::unbounded);
  const Index key_end = GENERATE(0, 9, 14);
  const ScoreBand band{.query_end = 11, .key_end = key_end, .behind = behind, .ahead = ahead};
  const Index queries = 13, keys = 14;
  for (Index j = 0; j < key_end; ++j)
    for (Index i = 0; i < queries; ++i) {
      const Range seen = band.queries(j);
      CHECK(band.visible(i, j) == (i >= seen.first && i < seen.end));
    }
  for (Index first = 0; first < queries; ++first)
    for (Index end = first + 1; end <= queries; ++end) {
      const Range seen = band.keys({first, end});
      for (Index from = 0; from < keys; from += 3) {
        const Range tile{from, std::min(from + 4, keys)};
        Index visible = 0;
        for (Index i = first; i < end; ++i)
          for (Index j = tile.first; j < tile.end; ++j) {
            visible += band.visible(i, j);
            if (band.visible(i, j)) CHECK((j >= seen.first && j < seen.end));
          }
        const Tile kind = band.classify({first, end}, tile);
        CHECK((kind == Tile::full) == (visible == (end - first) * tile.size()));
        if (visible > 0) CHECK(kind != Tile::empty);
        if (behind + ahead >= 0 && visible == 0) CHECK(kind == Tile::empty);
      }
    }
}
