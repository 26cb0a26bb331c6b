#pragma once
// How kernels walk along a contiguous row: groups of four registers, the last one masked, never past the end. An
// element's register, lane and turn follow from its place in the row, so its part of a sum is the same however far the
// row is padded.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <heed/simd/batch.hpp>

namespace heed::inline HEED_ABI {

/// Full registers of a row: visited with this, loads and stores are plain.
template <class T, class Arch>
struct FullRegister {
  static constexpr Index count = lanes<T, Arch>;
  Batch<T, Arch> load(const T* x, T = T(0)) const { return heed::load<T, Arch>(x); }
  void store(T* y, const Batch<T, Arch>& value) const { heed::store(y, value); }
  /// value; in the tail: value in the lanes of the row, 0 behind its end.
  Batch<T, Arch> inside(const Batch<T, Arch>& value) const { return value; }
};

/// A register of the last, incomplete group; `fill` stands in the lanes behind the end of the row.
template <class T, class Arch>
struct TailRegister {
  Index count;  // 1 to lanes
  Batch<T, Arch> load(const T* x, T fill = T(0)) const { return load_partial<T, Arch>(x, count, fill); }
  void store(T* y, const Batch<T, Arch>& value) const { store_partial(y, value, count); }
  Batch<T, Arch> inside(const Batch<T, Arch>& value) const {
    return select(first_lanes<T, Arch>(count), value, Batch<T, Arch>(T(0)));
  }
};

/// Calls visit(first, part, turn) for every register of a row of `size`, four at a time: part is a FullRegister or, in
/// the last group if it is incomplete, a TailRegister. turn is 0, 1, 2, 3, 0, ...: which of four sums a reduction adds
/// to. It is a constant where `visit` is inlined: mark larger ones always_inline.
template <class T, class Arch = default_arch, class Visit>
inline void for_each_register(Index size, Visit&& visit) {
  constexpr Index width = lanes<T, Arch>;
  constexpr FullRegister<T, Arch> full{};
  Index j = 0;
  for (; j + 4 * width <= size; j += 4 * width) {
    visit(j, full, 0);
    visit(j + width, full, 1);
    visit(j + 2 * width, full, 2);
    visit(j + 3 * width, full, 3);
  }
  const auto tail = [&](Index first) { return TailRegister<T, Arch>{std::min(width, size - first)}; };
  if (j < size) visit(j, tail(j), 0);
  if (j + width < size) visit(j + width, tail(j + width), 1);
  if (j + 2 * width < size) visit(j + 2 * width, tail(j + 2 * width), 2);
  if (j + 3 * width < size) visit(j + 3 * width, tail(j + 3 * width), 3);
}

/// The walk for what is not a sum: visit(first, part) for one register after the other.
template <class T, class Arch = default_arch, class Visit>
inline void map_registers(Index size, Visit&& visit) {
  constexpr Index width = lanes<T, Arch>;
  Index j = 0;
  for (; j + width <= size; j += width) visit(j, FullRegister<T, Arch>{});
  if (j < size) visit(j, TailRegister<T, Arch>{size - j});
}

/// map_registers whose full registers begin where `destination` is aligned, after a masked head: rows of odd sizes
/// start anywhere, and a store that crosses a cache line costs several that do not.
template <class T, class Arch = default_arch, class Visit>
inline void map_aligned_registers(const T* destination, Index size, Visit&& visit) {
  constexpr auto bytes = static_cast<std::uintptr_t>(lanes<T, Arch>) * sizeof(T);
  const auto behind = static_cast<Index>(reinterpret_cast<std::uintptr_t>(destination) % bytes / sizeof(T));
  const Index head = behind == 0 ? 0 : std::min(size, lanes<T, Arch> - behind);
  if (head > 0) visit(Index{0}, TailRegister<T, Arch>{head});
  map_registers<T, Arch>(
      size - head, [&](Index j, auto part) __attribute__((always_inline)) { visit(head + j, part); });
}

/// Four registers that take turns in summing a row, so that additions do not wait for each other.
template <class T, class Arch = default_arch>
struct TurnSum {
  Batch<T, Arch> sums[4] = {Batch<T, Arch>(T(0)), Batch<T, Arch>(T(0)), Batch<T, Arch>(T(0)), Batch<T, Arch>(T(0))};

  /// Adds x, rounded once: no compiler merges the addition into a product that x may be.
  void add(int turn, const Batch<T, Arch>& x) { sums[turn] = fma(x, Batch<T, Arch>(T(1)), sums[turn]); }
  /// Adds a * b.
  void add_product(int turn, const Batch<T, Arch>& a, const Batch<T, Arch>& b) { sums[turn] = fma(a, b, sums[turn]); }
  T total() const { return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3])); }
};

}  // namespace heed::inline HEED_ABI
