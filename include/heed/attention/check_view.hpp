#pragma once
// What a strided view must be before a call may read or write through it (BAD_INPUT part A). Checked once per call,
// before any allocation that depends on it and before any write.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include <heed/core/check.hpp>
#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// The bytes between the lowest and the highest element of a view; empty for an empty view.
struct MemorySpan {
  std::uintptr_t first = 0;
  std::uintptr_t end = 0;
  bool overlaps(const MemorySpan& other) const { return first < other.end && other.first < end; }
};

namespace detail {

inline std::string argument_text(const char* function, const char* argument) {
  return std::string(function) + ": " + argument;
}

/// Elements below and above data[0] that the view reaches; refuses strides whose reach leaves 63 bits.
template <class T, int Rank>
std::array<Index, 2> reach(const char* function, const char* argument, const View<T, Rank>& view) {
  std::array<Index, 2> elements{0, 0};
  for (int axis = 0; axis < Rank; ++axis) {
    const Index stride = view.stride(axis);
    check(stride != PTRDIFF_MIN, [&] { return argument_text(function, argument) + " has a stride of -2^63"; });
    const Index size = stride < 0 ? -stride : stride;
    const Index step = checked_product(function, argument, std::max<Index>(view.dimension(axis) - 1, 0), size);
    const Index bytes = checked_product(function, argument, step, static_cast<Index>(sizeof(T)));
    Index& side = elements[stride < 0 ? 0 : 1];
    check(bytes <= PTRDIFF_MAX / (2 * Rank) && step <= PTRDIFF_MAX / (2 * Rank),
          [&] { return argument_text(function, argument) + " has strides whose offsets do not fit 63 bits"; });
    side += step;
  }
  return elements;
}

}  // namespace detail

template <class T, int Rank>
MemorySpan memory_span(const char* function, const char* argument, const View<T, Rank>& view) {
  const auto [below, above] = detail::reach(function, argument, view);
  if (view.empty()) return {};
  const auto at = reinterpret_cast<std::uintptr_t>(view.data);
  return {at - static_cast<std::uintptr_t>(below) * sizeof(T),
          at + (static_cast<std::uintptr_t>(above) + 1) * sizeof(T)};
}

/// Extents, pointer and alignment that any view needs; strides may be 0 or negative (A10 to A14, A19, A22).
template <class T, int Rank>
void check_input(const char* function, const char* argument, const View<T, Rank>& view) {
  check_extents(function, argument, view.extents);
  check(view.data != nullptr || view.empty(), [&] {
    return detail::argument_text(function, argument) + " is a null pointer with shape " + shape_text(view.extents) +
           ", wanted memory";
  });
  check(reinterpret_cast<std::uintptr_t>(view.data) % alignof(T) == 0, [&] {
    return detail::argument_text(function, argument) + " is not aligned to its elements of " +
           std::to_string(alignof(T)) + " bytes";
  });
  detail::reach(function, argument, view);
}

/// An output besides: its last axis is contiguous, its strides are positive and no two elements share memory (A16, A17,
/// A23).
template <class T, int Rank>
void check_output(const char* function, const char* argument, const View<T, Rank>& view) {
  check_input(function, argument, view);
  if (view.empty()) return;
  std::array<std::array<Index, 2>, static_cast<std::size_t>(Rank)> axes;  // (stride, extent), by stride
  for (std::size_t axis = 0; axis < axes.size(); ++axis) axes[axis] = {view.strides[axis], view.extents[axis]};
  std::sort(axes.begin(), axes.end());
  Index reached = 0;
  for (const auto& [stride, extent] : axes) {
    if (extent == 1) continue;
    check(stride > reached, [&] {
      return detail::argument_text(function, argument) + " has strides " + shape_text(view.strides) + " for shape " +
             shape_text(view.extents) + ", wanted positive strides under which no two elements share memory";
    });
    reached += stride * (extent - 1);
  }
  check(view.dimension(Rank - 1) == 1 || view.stride(Rank - 1) == 1, [&] {
    return detail::argument_text(function, argument) + " has stride " + std::to_string(view.stride(Rank - 1)) +
           " on its last axis, wanted 1: outputs are row-major (a column-major tensor may be an input only)";
  });
}

/// Refuses an output whose memory span meets another argument's.
template <class A, int RankA, class B, int RankB>
void check_apart(const char* function, const char* output_name, const View<A, RankA>& output, const char* other_name,
                 const View<B, RankB>& other) {
  const MemorySpan a = memory_span(function, output_name, output);
  const MemorySpan b = memory_span(function, other_name, other);
  check(!a.overlaps(b), [&] {
    return detail::argument_text(function, output_name) + " overlaps " + other_name + ", wanted memory of its own";
  });
}

}  // namespace heed::inline HEED_ABI
