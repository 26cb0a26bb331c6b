#pragma once
// BoundMask: a Mask with the shapes of one call, checked once, then asked per row and per tile. Causal, window and
// lengths leave each query one interval of keys whose ends never move left from one query to the next; a tile is full,
// mixed or empty by those intervals alone, and masks of single pairs make a tile that is not empty mixed.

#include <algorithm>
#include <string>

#include <heed/attention/check_view.hpp>
#include <heed/attention/mask.hpp>
#include <heed/kernels/flash_band.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Refuses a vector of lengths or offsets that does not hold one number per sample within [low, high].
inline void check_per_sample(const char* function, const char* argument, std::span<const Index> values, Index batch,
                             Range allowed) {
  check(static_cast<Index>(values.size()) == batch, [&] {
    return message({function, ": ", argument, " has ", static_cast<Index>(values.size()), " entries, wanted ", batch,
                    " (batch)"});
  });
  for (std::size_t b = 0; b < values.size(); ++b) {
    check(values[b] >= allowed.first && values[b] <= allowed.end, [&] {
      return message({function, ": ", argument, "[", static_cast<Index>(b), "] is ", values[b], ", wanted ",
                      allowed.first, " to ", allowed.end});
    });
  }
}

/// Far beyond any index, and sums of a few of them still fit.
inline constexpr Index far_away = ScoreBand::unbounded;

}  // namespace detail

/// Shape of the scores that a mask applies to.
struct ScoreShape {
  Index batch = 0;
  Index heads = 0;
  Index query_length = 0;
  Index key_length = 0;
  Extents<4> extents() const { return {batch, heads, query_length, key_length}; }
};

class BoundMask {
 public:
  /// Throws heed::Error naming `function` when the mask does not fit the shape (BAD_INPUT A29, B9, B13, B15). Keeps
  /// views of what the mask views.
  BoundMask(const char* function, const Mask& mask, const ScoreShape& shape) : mask_(mask), shape_(shape) {
    check_corner(function);
    check_window(function);
    const Range any{-detail::far_away, detail::far_away};
    if (mask.key_lengths) {
      detail::check_per_sample(function, "key_lengths", *mask.key_lengths, shape.batch, {0, shape.key_length});
    }
    if (mask.query_lengths) {
      detail::check_per_sample(function, "query_lengths", *mask.query_lengths, shape.batch, {0, shape.query_length});
    }
    if (!mask.offsets.empty()) {
      detail::check_per_sample(function, "causal_offset", mask.offsets, shape.batch, any);
    }
    if (mask.segments) {
      check_shape(function, "segment_ids of queries", mask.segments->queries.extents,
                  Extents<2>{shape.batch, shape.query_length});
      check_shape(function, "segment_ids of keys", mask.segments->keys.extents,
                  Extents<2>{shape.batch, shape.key_length});
      check_input(function, "segment_ids of queries", mask.segments->queries);
      check_input(function, "segment_ids of keys", mask.segments->keys);
    }
    mask.boolean.check_against(function, "boolean_mask", shape.extents());
    if (mask.boolean) check_input(function, "boolean_mask", mask.boolean.view);
  }

  /// Keys at or behind this are masked for the whole sample.
  Index key_end(Index batch) const {
    return mask_.key_lengths ? (*mask_.key_lengths)[static_cast<std::size_t>(batch)] : shape_.key_length;
  }
  /// Queries at or behind this give 0.
  Index query_end(Index batch) const {
    return mask_.query_lengths ? (*mask_.query_lengths)[static_cast<std::size_t>(batch)] : shape_.query_length;
  }

  /// What causal, window and lengths say of one sample, as kernels take it.
  ScoreBand band(Index batch) const {
    ScoreBand band{.query_end = query_end(batch), .key_end = key_end(batch)};
    const Index offset = causal_offset_of(batch);
    if (mask_.causality != Causality::none) band.ahead = offset;
    if (mask_.window) {
      const auto [left, right] = *mask_.window;
      if (left >= 0) band.behind = std::min(left, detail::far_away) - offset;
      if (right >= 0) band.ahead = std::min(band.ahead, offset + std::min(right, detail::far_away));
    }
    return band;
  }

  /// The keys that causal, window and lengths leave to a query.
  Range keys(Index batch, Index query) const {
    Range range{0, key_end(batch)};
    if (query >= query_end(batch)) return {0, 0};
    const Index position = query + causal_offset_of(batch);
    if (mask_.causality != Causality::none) range.end = std::min(range.end, position + 1);
    if (mask_.window) {
      const auto [left, right] = *mask_.window;
      if (left >= 0) range.first = std::max(range.first, position - std::min(left, detail::far_away));
      if (right >= 0) range.end = std::min(range.end, position + std::min(right, detail::far_away) + 1);
    }
    return range.empty() ? Range{0, 0} : range;
  }
  /// The keys that at least one of the queries sees, as one interval.
  Range keys(Index batch, Range queries) const {
    queries.end = std::min(queries.end, query_end(batch));
    Range all{shape_.key_length, 0};
    for (const Index query : {queries.first, queries.end - 1}) {
      if (queries.empty()) break;
      const Range one = keys(batch, query);
      if (!one.empty()) all = {std::min(all.first, one.first), std::max(all.end, one.end)};
    }
    return widen_over_gaps(batch, queries, all);
  }

  bool has_boolean() const { return bool(mask_.boolean); }
  const std::optional<Segments>& segments() const { return mask_.segments; }
  /// Pairs are masked one by one, besides by the interval of keys().
  bool has_pairs() const { return has_boolean() || mask_.segments; }
  bool pair_visible(Index batch, Index head, Index query, Index key) const {
    return (!mask_.boolean || mask_.boolean.row(batch, head, query)[key * mask_.boolean.step(3)] != 0) &&
           (!mask_.segments || mask_.segments->queries(batch, query) == mask_.segments->keys(batch, key));
  }
  bool visible(Index batch, Index head, Index query, Index key) const {
    const Range range = keys(batch, query);
    return key >= range.first && key < range.end && pair_visible(batch, head, query, key);
  }
  /// What is added to a query's index to give its position among the keys.
  Index position_offset(Index batch) const { return causal_offset_of(batch); }
  /// The boolean mask's bytes of one query: key j's is at j * boolean_step(). Only where has_boolean().
  const std::uint8_t* boolean_row(Index batch, Index head, Index query) const {
    return mask_.boolean.row(batch, head, query);
  }
  Index boolean_step() const { return mask_.boolean.step(3); }
  Index boolean_query_step() const { return mask_.boolean.step(2); }

  Tile classify(Index batch, Range queries, Range tile_keys) const {
    const Range any = keys(batch, queries);
    if (any.empty() || tile_keys.end <= any.first || tile_keys.first >= any.end) return Tile::empty;
    const Range first = keys(batch, queries.first);
    const Range last = keys(batch, queries.end - 1);
    const bool full = tile_keys.first >= std::max(first.first, last.first) &&
                      tile_keys.end <= std::min(first.end, last.end) && !has_pairs();
    return full ? Tile::full : Tile::mixed;
  }

 private:
  Index causal_offset_of(Index batch) const {
    switch (mask_.causality) {
      case Causality::bottom_right:
        return key_end(batch) - query_end(batch);
      case Causality::offset: {
        const Index offset = mask_.offsets.empty() ? mask_.offset : mask_.offsets[static_cast<std::size_t>(batch)];
        return std::clamp(offset, -detail::far_away, detail::far_away);
      }
      default:
        return 0;
    }
  }
  /// A query at an end may see nothing (its window lies outside the keys) while one in between sees some: then walk.
  Range widen_over_gaps(Index batch, Range queries, Range all) const {
    if (queries.empty() || (!keys(batch, queries.first).empty() && !keys(batch, queries.end - 1).empty())) return all;
    for (Index query = queries.first; query < queries.end; ++query) {
      const Range one = keys(batch, query);
      if (!one.empty()) all = {std::min(all.first, one.first), std::max(all.end, one.end)};
    }
    return all;
  }

  void check_corner(const char* function) const {
    check(mask_.causality != Causality::square || shape_.query_length == shape_.key_length, [&] {
      return message(
          {function, ": mask is a plain causal() with query_length ", shape_.query_length, " and key_length ",
           shape_.key_length,
           ", wanted a named corner: causal(Corner::top_left), causal(Corner::bottom_right) or causal_offset(o)"});
    });
  }
  void check_window(const char* function) const {
    check(!mask_.window || (mask_.window->left >= -1 && mask_.window->right >= -1), [&] {
      return message({function, ": window is (", mask_.window->left, ", ", mask_.window->right,
                      "), wanted sides of at least -1 (-1 is unbounded)"});
    });
  }

  Mask mask_;
  ScoreShape shape_;
};

}  // namespace heed::inline HEED_ABI
