#pragma once
// Which pairs of one head's scores are visible, as far as positions alone say so: lengths, causal corners and windows
// are all one band along a diagonal. Rows of the band begin and end ever further right, so a tile is full, mixed or
// empty by its corners, and a mixed one can be cut from both sides: the keys that a group of queries may see, and the
// lanes that a key may be seen by, are intervals.

#include <algorithm>

#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// Indices first <= i < end.
struct Range {
  Index first = 0;
  Index end = 0;
  constexpr Index size() const { return end - first; }
  constexpr bool empty() const { return end <= first; }
  constexpr bool operator==(const Range&) const = default;
};

/// Full tiles run unmasked, empty ones are not visited, mixed ones ask per pair.
enum class Tile { full, mixed, empty };

/// Query i sees key j where i < query_end, j < key_end and i - behind <= j <= i + ahead.
struct ScoreBand {
  static constexpr Index unbounded = Index{1} << 60;  // further than any index; sums of a few still fit

  Index query_end = 0;
  Index key_end = 0;
  Index behind = unbounded;
  Index ahead = unbounded;

  constexpr bool visible(Index query, Index key) const {
    return query < query_end && key < key_end && key >= query - behind && key <= query + ahead;
  }
  /// The keys that at least one of the queries sees, and maybe some that none of them does (of a band of width 0).
  constexpr Range keys(Range queries) const {
    queries.end = std::min(queries.end, query_end);
    if (queries.empty()) return {};
    const Range all{std::max<Index>(0, queries.first - behind), std::min(key_end, queries.end + ahead)};
    return all.empty() ? Range{} : all;
  }
  /// The queries that see a key.
  constexpr Range queries(Index key) const {
    return {std::max<Index>(0, key - ahead), std::min(query_end, key + behind + 1)};
  }
  constexpr Tile classify(Range queries, Range tile_keys) const {
    const Range any = keys(queries);
    if (any.empty() || tile_keys.end <= any.first || tile_keys.first >= any.end) return Tile::empty;
    const bool full = queries.end <= query_end && tile_keys.end <= key_end &&
                      tile_keys.first >= queries.end - 1 - behind && tile_keys.end - 1 <= queries.first + ahead;
    return full ? Tile::full : Tile::mixed;
  }
};

}  // namespace heed::inline HEED_ABI
