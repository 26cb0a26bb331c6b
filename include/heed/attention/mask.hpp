#pragma once
// Mask: which key a query may see. One plain value; constraints are merged with & and all of them must allow a pair
// (SEMANTICS 5 to 12). It holds views of lengths and boolean masks and must not outlive them. bound_mask.hpp binds it
// to shapes, checks it and answers per row and per tile.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include <heed/attention/broadcast_view.hpp>
#include <heed/core/check.hpp>

namespace heed::inline HEED_ABI {

/// Where the causal diagonal ends when there are more keys than queries or the other way round (SEMANTICS 8).
enum class Corner {
  top_left,      // query i sees keys j <= i
  bottom_right,  // query i sees keys j <= i + key_length - query_length, per sample where lengths are given
};

/// What causal alignment a mask holds; square is the unnamed causal(), legal only where query_length == key_length.
enum class Causality { none, square, top_left, bottom_right, offset };

/// The neighbours that a query at position p sees: p - left <= key <= p + right. -1: unbounded.
struct Window {
  Index left = -1;
  Index right = -1;
  bool operator==(const Window&) const = default;
};

/// Which segment every token belongs to; a query sees the keys of its own.
struct Segments {
  View<const Index, 2> queries;  // (batch, query_length)
  View<const Index, 2> keys;     // (batch, key_length)
};

/// A conjunction of constraints; the default allows everything. Made by causal(), window(), key_lengths(),
/// query_lengths(), segment_ids() and boolean_mask(), merged by &.
struct Mask {
  Causality causality = Causality::none;
  Index offset = 0;                                          // of Causality::offset, where offsets is empty
  std::span<const Index> offsets = {};                       // (batch), one per sample, or empty
  std::optional<Window> window = {};                         // around p = query + causal offset
  std::optional<std::span<const Index>> key_lengths = {};    // (batch)
  std::optional<std::span<const Index>> query_lengths = {};  // (batch)
  std::optional<Segments> segments = {};
  BroadcastView<std::uint8_t> boolean = {};  // (batch, heads, query_length, key_length), axes of 1 broadcast

  bool empty() const {
    return causality == Causality::none && !window && !key_lengths && !query_lengths && !segments && !boolean;
  }
};

/// Query i sees keys j <= i. Refused where query_length != key_length: name the corner there.
inline Mask causal() { return {.causality = Causality::square}; }
/// Causal with a named corner.
inline Mask causal(Corner corner) {
  return {.causality = corner == Corner::top_left ? Causality::top_left : Causality::bottom_right};
}
/// Query i sees keys j <= i + offset. With a cache: the number of keys cached before this call's first query.
inline Mask causal_offset(Index offset) { return {.causality = Causality::offset, .offset = offset}; }
/// Sliding window: p - left <= j <= p + right with p = i + the causal offset; -1 is unbounded, less is refused.
/// It counts neighbours besides the current key: Keras' sliding_window = w is window(w - 1, w - 1).
inline Mask window(Index left, Index right) {
  check(left >= -1 && right >= -1, [&] {
    return "window: left and right are " + std::to_string(left) + " and " + std::to_string(right) +
           ", wanted at least -1 (-1 is unbounded)";
  });
  return {.window = Window{left, right}};
}

template <class X>
concept IndexSpan = std::is_convertible_v<X, std::span<const Index>>;
/// Owns its numbers and is about to die: a view of it would dangle.
template <class X>
concept DyingContainer =
    !std::is_lvalue_reference_v<X> && !std::ranges::enable_borrowed_range<std::remove_cvref_t<X>> && IndexSpan<X>;

/// A container or span of lengths that will outlive the call.
template <class X>
concept LastingLengths = IndexSpan<X> && !DyingContainer<X>;

/// Causal with one offset per sample; the span must outlive the mask.
inline Mask causal_offset(std::span<const Index> offsets) {
  return {.causality = Causality::offset, .offsets = offsets};
}
/// Keys j >= lengths[b] are masked. lengths (batch), each in [0, key_length]; the span must outlive the mask.
inline Mask key_lengths(std::span<const Index> lengths) { return {.key_lengths = lengths}; }
/// Queries i >= lengths[b] give 0. lengths (batch), each in [0, query_length]; the span must outlive the mask.
inline Mask query_lengths(std::span<const Index> lengths) { return {.query_lengths = lengths}; }
template <DyingContainer X>
Mask causal_offset(X&&) = delete;
template <DyingContainer X>
Mask key_lengths(X&&) = delete;
template <DyingContainer X>
Mask query_lengths(X&&) = delete;

/// true (any non-zero byte) = may attend. Rank 2 to 4, read as the last axes of (batch, heads, query_length,
/// key_length); axes of 1 broadcast; any strides. The tensor must outlive the mask, so one that is about to die is
/// refused to compile.
template <BooleanSource X>
Mask boolean_mask(X&& mask) {
  return {.boolean = BroadcastView<std::uint8_t>(mask)};
}

/// Ids of the tokens' segments that will outlive the call.
template <class X>
concept LastingSegments = TensorLike<X, 2> && Lasting<X> && std::same_as<scalar_t<X>, Index>;

/// Query i of sample b sees key j where query_ids(b, i) == key_ids(b, j): documents packed into one sequence, in any
/// order (fastest where a segment's tokens follow each other). query_ids (batch, query_length), key_ids (batch,
/// key_length), elements heed::Index; they must outlive the mask.
template <LastingSegments Q, LastingSegments K>
Mask segment_ids(Q&& query_ids, K&& key_ids) {
  return {.segments = Segments{View<const Index, 2>(query_ids), View<const Index, 2>(key_ids)}};
}
/// The same of a sequence that attends to itself.
template <LastingSegments X>
Mask segment_ids(X&& ids) {
  return segment_ids(ids, ids);
}

/// A boolean mask over the keys alone: (batch, key_length), the same for every head and query of a sample.
template <BooleanSource X>
Mask key_mask(X&& mask) {
  static_assert(TensorLike<X, 2>, "a key mask is (batch, key_length)");
  const View<const scalar_t<X>, 2> rows(mask);
  return boolean_mask(View<const scalar_t<X>, 4>(rows.data, {rows.dimension(0), 1, 1, rows.dimension(1)},
                                                 {rows.stride(0), 0, 0, rows.stride(1)}));
}

namespace detail {

/// The one that is set; refuses two that differ, since neither could be dropped.
template <class Constraint>
Constraint merge(const char* what, const Constraint& a, const Constraint& b, bool a_set, bool b_set, bool same) {
  check(!(a_set && b_set) || same, [&] {
    return std::string("Mask operator&: both masks have a ") + what + " and the two differ, wanted at most one";
  });
  return a_set ? a : b;
}

inline bool same_view(const View<const Index, 2>& a, const View<const Index, 2>& b) {
  return a.data == b.data && a.extents == b.extents && a.strides == b.strides;
}
inline bool same_span(std::span<const Index> a, std::span<const Index> b) {
  return a.data() == b.data() && a.size() == b.size();
}

inline std::optional<std::span<const Index>> merge_lengths(const char* what,
                                                           const std::optional<std::span<const Index>>& a,
                                                           const std::optional<std::span<const Index>>& b) {
  return merge(what, a, b, a.has_value(), b.has_value(), a && b && same_span(*a, *b));
}

}  // namespace detail

/// Both constraints hold. Two different causal corners, windows, length vectors or boolean masks are an error.
inline Mask operator&(const Mask& a, const Mask& b) {
  const bool same_causality =
      a.causality == b.causality && a.offset == b.offset && detail::same_span(a.offsets, b.offsets);
  Mask both = detail::merge("causal corner", a, b, a.causality != Causality::none, b.causality != Causality::none,
                            same_causality);
  both.window =
      detail::merge("window", a.window, b.window, a.window.has_value(), b.window.has_value(), a.window == b.window);
  both.key_lengths = detail::merge_lengths("key_lengths", a.key_lengths, b.key_lengths);
  both.query_lengths = detail::merge_lengths("query_lengths", a.query_lengths, b.query_lengths);
  both.segments =
      detail::merge("segment_ids", a.segments, b.segments, a.segments.has_value(), b.segments.has_value(),
                    a.segments && b.segments && detail::same_view(a.segments->queries, b.segments->queries) &&
                        detail::same_view(a.segments->keys, b.segments->keys));
  both.boolean = detail::merge("boolean mask", a.boolean, b.boolean, bool(a.boolean), bool(b.boolean),
                               a.boolean.same_as(b.boolean));
  return both;
}

}  // namespace heed::inline HEED_ABI
