#pragma once
// The innermost loop of the matrix product: a few rows of c times a few registers of columns, held in registers while k
// runs. Each element is one chain c = fma(a[k], b[k], c) with k ascending, the same for every tile shape, so where an
// element falls (full tile, tail, one row or a thousand) cannot change its bits (SEMANTICS 27).

#include <cassert>
#include <cstddef>
#include <utility>

#include <heed/simd/batch.hpp>

namespace heed::inline HEED_ABI {

/// Whether a product is added to what c holds or replaces it.
enum class Accumulate { no, yes };

namespace gemm_detail {

/// Register tile and cache blocks of one instruction set.
/// Tile: rows * vectors sums, vectors of b and a broadcast of a fit the register file: 6 * 4 + 4 + 1 = 29 of the 32 of
/// AVX-512 and NEON, 6 * 2 + 2 + 1 = 15 of the 16 of AVX2 and SSE. 12 or more independent chains hide the latency of an
/// fma (4 or 5 cycles, one or two per cycle); per k the tile loads rows + vectors values for rows * vectors fmas.
template <class T, class Arch>
struct Blocks {
  static constexpr Index width = lanes<T, Arch>;
  static constexpr Index rows = 6, vectors = simd_detail::registers<Arch> == 32 ? 4 : 2;
  static constexpr Index cols = vectors * width;  // of one packed panel
  // Rows of a (rows * depth elements: 6 * 512 * 4 bytes = 12 KiB) stay in L1 while packed panels of b stream from L2. More
  // depth means fewer passes over c.
  static constexpr Index depth = 512 * 4 / static_cast<Index>(sizeof(T));
};

/// An operand read one element at a time: element (i, k) is data[i * row_step + k * k_step].
template <class T>
struct Strided {
  const T* data;
  Index row_step, k_step;
  Strided rows_from(Index i) const { return {data + i * row_step, row_step, k_step}; }
  Strided depth_from(Index k) const { return {data + k * k_step, row_step, k_step}; }
};

/// A block of c.
template <class T>
struct Target {
  T* data;
  Index stride;
  Accumulate accumulate;
};

/// The accumulators of Rows x Vectors registers.
template <class T, class Arch, int Rows, int Vectors>
struct Sums {
  using B = Batch<T, Arch>;
  static constexpr Index width = lanes<T, Arch>;
  B sum[Rows][Vectors];

  // Calls f(accumulator, its place in c, columns in use) for every register; only the last one of a row may be partial.
  template <class F>
  [[gnu::always_inline]] void each(const Target<T>& c, Index cols, const F& f) {
    unroll<Rows>([&](int i) __attribute__((always_inline)) {
      T* row = c.data + i * c.stride;
      unroll<Vectors - 1>([&](int v) __attribute__((always_inline)) { f(sum[i][v], row + v * width, width); });
      f(sum[i][Vectors - 1], row + (Vectors - 1) * width, cols - (Vectors - 1) * width);
    });
  }
  [[gnu::always_inline]] void start(const Target<T>& c, Index cols) {
    if (c.accumulate == Accumulate::no)
      each(c, cols, [](B& x, const T*, Index) { x = B(T(0)); });
    else if (cols == Vectors * width)
      each(c, cols, [](B& x, const T* p, Index) { x = heed::load<T, Arch>(p); });
    else
      each(c, cols, [](B& x, const T* p, Index n) { x = heed::load_partial<T, Arch>(p, n); });
  }
  [[gnu::always_inline]] void finish(const Target<T>& c, Index cols) {
    if (cols == Vectors * width)
      each(c, cols, [](const B& x, T* p, Index) { heed::store(p, x); });
    else
      each(c, cols, [](const B& x, T* p, Index n) { heed::store_partial(p, x, n); });
  }
};

/// sum += a (Rows, depth) b (depth, Vectors registers): the loop of every tile. Rows of b are b_step apart; load(p, v) is
/// register v of the one at p.
template <class T, class Arch, int Rows, int Vectors, class Load>
[[gnu::always_inline]] inline void accumulate(Index depth, const Strided<T>& a, const T* b, Index b_step,
                                              Batch<T, Arch> (&sum)[Rows][Vectors], const Load& load) {
  using B = Batch<T, Arch>;
  const T* row[Rows];
  unroll<Rows>([&](int i) __attribute__((always_inline)) { row[i] = a.data + i * a.row_step; });
  Index offset = 0;
  for (Index step = 0; step < depth; ++step, offset += a.k_step, b += b_step) {
    B right[Vectors];
    unroll<Vectors>([&](int v) __attribute__((always_inline)) {
      right[v] = load(b, v);
      keep_in_register(right[v]);
    });
    unroll<Rows>([&](int i) __attribute__((always_inline)) {
      B left(row[i][offset]);
      keep_in_register(left);
      unroll<Vectors>([&](int v) __attribute__((always_inline)) {
        sum[i][v] = heed::fma(left, right[v], sum[i][v]);
      });
    });
  }
}

/// c (Rows, cols) = [c +] a (Rows, k) b (k, cols), where cols ends in the last of Vectors registers; row k of b is at
/// b + k * b_step and Vectors registers wide, all readable.
template <class T, class Arch, int Rows, int Vectors>
[[HEED_HOT_LOOP]] void multiply_tile(Index k, const Strided<T>& a, const T* b, Index b_step, const Target<T>& c,
                                     Index cols) {
  Sums<T, Arch, Rows, Vectors> sums;
  sums.start(c, cols);
  accumulate<T, Arch>(k, a, b, b_step, sums.sum,
                      [](const T* p, int v) { return heed::load<T, Arch>(p + v * lanes<T, Arch>); });
  sums.finish(c, cols);
}

}  // namespace gemm_detail

}  // namespace heed::inline HEED_ABI
