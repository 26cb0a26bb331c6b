#pragma once
// What a strided view must be before a call may read or write through it (BAD_INPUT part A). Checked once per call,
// before any allocation that depends on it and before any write.

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
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
  return message({function, ": ", argument});
}

/// A view of any elements and rank: checks of it are compiled once.
struct Layout {
  const void* data;
  std::span<const Index> extents, strides;
  Index element_size, alignment;

  template <class T, int Rank>
  explicit Layout(const View<T, Rank>& view)
      : data(view.data),
        extents(view.extents),
        strides(view.strides),
        element_size(static_cast<Index>(sizeof(T))),
        alignment(static_cast<Index>(alignof(T))) {}
};

/// Elements below and above data[0] that the view reaches; refuses strides whose reach leaves 63 bits.
inline std::array<Index, 2> reach(const char* function, const char* argument, const Layout& view) {
  std::array<Index, 2> elements{0, 0};
  const Index most = PTRDIFF_MAX / (2 * static_cast<Index>(view.extents.size()));
  for (std::size_t axis = 0; axis < view.extents.size(); ++axis) {
    const Index stride = view.strides[axis];
    check(stride != PTRDIFF_MIN, [&] { return message({function, ": ", argument, " has a stride of -2^63"}); });
    const Index size = stride < 0 ? -stride : stride;
    const Index step = checked_product(function, argument, std::max<Index>(view.extents[axis] - 1, 0), size);
    const Index bytes = checked_product(function, argument, step, view.element_size);
    Index& side = elements[stride < 0 ? 0 : 1];
    check(bytes <= most && step <= most, [&] {
      return message({function, ": ", argument, " has strides whose offsets do not fit 63 bits"});
    });
    side += step;
  }
  return elements;
}

/// What check_input says, of any view.
inline void check_layout(const char* function, const char* argument, const Layout& view) {
  check_extents(function, argument, view.extents);
  const bool empty = std::find(view.extents.begin(), view.extents.end(), Index{0}) != view.extents.end();
  check(view.data != nullptr || empty, [&] {
    return message({function, ": ", argument, " is a null pointer with shape ", shape_text(view.extents),
                    ", wanted memory"});
  });
  check(reinterpret_cast<std::uintptr_t>(view.data) % static_cast<std::uintptr_t>(view.alignment) == 0, [&] {
    return message({function, ": ", argument, " is not aligned to its elements of ", view.alignment, " bytes"});
  });
  reach(function, argument, view);
}

}  // namespace detail

template <class T, int Rank>
MemorySpan memory_span(const char* function, const char* argument, const View<T, Rank>& view) {
  const auto [below, above] = detail::reach(function, argument, detail::Layout(view));
  if (view.empty()) return {};
  const auto at = reinterpret_cast<std::uintptr_t>(view.data);
  return {at - static_cast<std::uintptr_t>(below) * sizeof(T),
          at + (static_cast<std::uintptr_t>(above) + 1) * sizeof(T)};
}

/// Extents, pointer and alignment that any view needs; strides may be 0 or negative (A10 to A14, A19, A22).
template <class T, int Rank>
void check_input(const char* function, const char* argument, const View<T, Rank>& view) {
  detail::check_layout(function, argument, detail::Layout(view));
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
      return message({function, ": ", argument, " has strides ", shape_text(view.strides), " for shape ",
                      shape_text(view.extents),
                      ", wanted positive strides under which no two elements share memory"});
    });
    reached += stride * (extent - 1);
  }
  check(view.dimension(Rank - 1) == 1 || view.stride(Rank - 1) == 1, [&] {
    return message({function, ": ", argument, " has stride ", view.stride(Rank - 1),
                    " on its last axis, wanted 1: outputs are row-major (a column-major tensor may be an input only)"});
  });
}

/// Refuses an output whose memory span meets another argument's.
template <class A, int RankA, class B, int RankB>
void check_apart(const char* function, const char* output_name, const View<A, RankA>& output, const char* other_name,
                 const View<B, RankB>& other) {
  const MemorySpan a = memory_span(function, output_name, output);
  const MemorySpan b = memory_span(function, other_name, other);
  check(!a.overlaps(b), [&] {
    return message({function, ": ", output_name, " overlaps ", other_name, ", wanted memory of its own"});
  });
}

}  // namespace heed::inline HEED_ABI
