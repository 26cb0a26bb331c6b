#pragma once
// The register tiles of fused attention. Scores are computed transposed, S^T = K Q^T, so that the lanes of a register
// are queries: only the queries are packed (as Q^T), keys are broadcast from their rows, the softmax needs no
// horizontal step, and a column of P^T is what the product with V broadcasts. Every element of a product is one chain
// of fma's over its depth, ascending, from 0, whatever the tile it falls in (SEMANTICS 27).

#include <algorithm>

#include <heed/kernels/gemm_tile.hpp>

namespace heed::inline HEED_ABI {

namespace flash_detail {

using gemm_detail::Strided;

/// Tiles of one instruction set.
/// 32 registers: 6 keys x 4 registers of queries are 24 sums, with 4 of Q^T and a broadcast 29; the product with V is
/// 6 queries x 4 registers of V's columns. 16 registers: 4 x 3 + 3 + 1 = 16 and 6 x 2 + 2 + 1 = 15.
template <class T, class Arch>
struct FlashBlocks {
  static constexpr bool wide = simd_detail::registers<Arch> == 32;
  static constexpr int key_rows = wide ? 6 : 4, query_vectors = wide ? 4 : 3;
  static constexpr int value_rows = 6, value_vectors = wide ? 4 : 2;
  static constexpr Index width = lanes<T, Arch>;
  // Queries of one block: whole tiles, 64 floats of AVX-512. Their scores against one block of keys (64 x 128 floats:
  // 32 KiB) are written and read back within L1 or L2, next to Q^T (64 x 64: 16 KiB) and the rows of V in use.
  static constexpr Index queries = width * query_vectors * std::max<Index>(1, 64 / (width * query_vectors));
};

/// Keys of one block, counted from the sequence's first key: sums over keys are kept per block and then joined.
inline constexpr Index flash_keys = 128;

/// Calls f(rows, first) for groups of Rows rows, what is left by twos and one: fewer tiles to compile, hardly slower.
template <int Rows, class F>
[[gnu::always_inline]] inline void for_row_groups(Index rows, const F& f) {
  Index i = 0;
  for (; i + Rows <= rows; i += Rows) f(std::integral_constant<int, Rows>(), i);
  for (; i + 2 <= rows; i += 2) f(std::integral_constant<int, 2>(), i);
  if (i < rows) f(std::integral_constant<int, 1>(), i);
}

/// finish(sum) with sum[Rows][Vectors] = a (Rows, depth) b (depth, Vectors registers), rows of b `b_step` apart. Tail:
/// the last register of b has `last` columns.
template <class T, class Arch, int Rows, int Vectors, bool Tail, class Finish>
[[HEED_HOT_LOOP]] void multiply(Index depth, const Strided<T>& a, const T* b, Index b_step, Index last,
                                const Finish& finish) {
  using B = Batch<T, Arch>;
  constexpr Index width = lanes<T, Arch>;
  B sum[Rows][Vectors];
  unroll<Rows * Vectors>([&](int i) __attribute__((always_inline)) { sum[i / Vectors][i % Vectors] = B(T(0)); });
  gemm_detail::accumulate<T, Arch>(depth, a, b, b_step, sum, [=](const T* p, int v) {
    return Tail && v == Vectors - 1 ? heed::load_partial<T, Arch>(p + v * width, last)
                                    : heed::load<T, Arch>(p + v * width);
  });
  finish(sum);
}

/// scores (Rows, Vectors registers) = key (Rows, depth) query (depth, Vectors registers); row_max = the larger of
/// itself and the column's scores. Rows of query and of scores are a block of queries apart.
template <class T, class Arch, int Rows, int Vectors>
void score_tile(Index depth, const Strided<T>& key, const T* query, T* scores, T* row_max) {
  using B = Batch<T, Arch>;
  constexpr Index width = lanes<T, Arch>, step = FlashBlocks<T, Arch>::queries;
  multiply<T, Arch, Rows, Vectors, false>(depth, key, query, step, 0, [=](const B(&sum)[Rows][Vectors]) {
    unroll<Vectors>([&](int v) __attribute__((always_inline)) {
      B largest = heed::load<T, Arch>(row_max + v * width);
      unroll<Rows>([&](int i) __attribute__((always_inline)) {
        largest = larger(sum[i][v], largest);
        heed::store(scores + i * step + v * width, sum[i][v]);
      });
      heed::store(row_max + v * width, largest);
    });
  });
}

/// `keys` rows of key against registers [first, end) of a block of queries.
template <class T, class Arch, int Rows>
void score_rows(Index depth, const Strided<T>& key, const T* query, Index first, Index end, T* scores, T* row_max) {
  using Blocks = FlashBlocks<T, Arch>;
  constexpr Index width = lanes<T, Arch>;
  Index v = first;
  const auto run = [&](auto vectors) {
    score_tile<T, Arch, Rows, vectors>(depth, key, query + v * width, scores + v * width, row_max + v * width);
    v += vectors;
  };
  while (v + Blocks::query_vectors <= end) run(std::integral_constant<int, Blocks::query_vectors>());
  if constexpr (Blocks::query_vectors > 3)
    if (v + 3 == end) run(std::integral_constant<int, 3>());
  if (v + 2 <= end) run(std::integral_constant<int, 2>());
  if (v < end) run(std::integral_constant<int, 1>());
}

/// How a block's sums enter what earlier blocks left: row i times factor[i] first, or as it is. The sums are complete
/// before they are joined, so their error does not grow with what came before.
template <class T>
struct Rescale {
  const T* factor;
  template <class B>
  B join(const B& old, const B& sum, int row) const {
    return heed::fma(old, B(factor[row]), sum);
  }
};
struct Add {
  template <class B>
  B join(const B& old, const B& sum, int) const {
    return old + sum;
  }
};

/// c (Rows, columns) joined with a (Rows, depth) b (depth, columns).
template <class T, class Arch, int Rows, int Vectors, bool Tail, class Join>
void product_tile(const Strided<T>& a, const MatrixView<const T>& b, Index last, T* c, Index c_step, const Join& join) {
  using B = Batch<T, Arch>;
  constexpr Index width = lanes<T, Arch>;
  multiply<T, Arch, Rows, Vectors, Tail>(b.rows, a, b.data, b.stride, last, [=](const B(&sum)[Rows][Vectors]) {
    unroll<Rows>([&](int i) __attribute__((always_inline)) {
      unroll<Vectors>([&](int v) __attribute__((always_inline)) {
        T* const out = c + i * c_step + v * width;
        if (Tail && v == Vectors - 1)
          heed::store_partial(out, join.join(heed::load_partial<T, Arch>(out, last), sum[i][v], i), last);
        else
          heed::store(out, join.join(heed::load<T, Arch>(out), sum[i][v], i));
      });
    });
  });
}

/// The same for all columns of b.
template <class T, class Arch, int Rows, class Join>
void product_rows(const Strided<T>& a, MatrixView<const T> b, T* c, Index c_step, const Join& join) {
  constexpr int vectors = FlashBlocks<T, Arch>::value_vectors;
  constexpr Index width = lanes<T, Arch>;
  const auto advance = [&](Index by) { b = b.col_block(by, b.cols - by), c += by; };
  for (; b.cols >= vectors * width; advance(vectors * width))
    product_tile<T, Arch, Rows, vectors, false>(a, b, 0, c, c_step, join);
  if constexpr (vectors > 2)
    if (b.cols >= 2 * width) product_tile<T, Arch, Rows, 2, false>(a, b, 0, c, c_step, join), advance(2 * width);
  if (b.cols >= width) product_tile<T, Arch, Rows, 1, false>(a, b, 0, c, c_step, join), advance(width);
  if (b.cols > 0) product_tile<T, Arch, Rows, 1, true>(a, b, b.cols, c, c_step, join);
}

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
