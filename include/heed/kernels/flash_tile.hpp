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
  // Queries of one block: whole tiles, 64 floats of AVX-512. Their scores against one block of keys (64 x 96 floats:
  // 24 KiB) are written and read back within L1 or L2, next to Q^T (64 x 64: 16 KiB) and the rows of V in use.
  static constexpr Index queries = width * query_vectors * std::max<Index>(1, 64 / (width * query_vectors));
};

/// Keys of one block, counted from the sequence's first key: sums over keys are kept per block and then joined.
inline constexpr Index flash_keys = 96;

/// Calls f(rows, first) for groups of Rows rows, what is left with fewer (a power of two).
template <int Rows, class F>
[[gnu::always_inline]] inline void for_row_groups(Index rows, const F& f) {
  Index i = 0;
  for (; i + Rows <= rows; i += Rows) f(std::integral_constant<int, Rows>(), i);
  if constexpr (Rows > 4)
    if (i + 4 <= rows) f(std::integral_constant<int, 4>(), i), i += 4;
  if constexpr (Rows > 2)
    if (i + 2 <= rows) f(std::integral_constant<int, 2>(), i), i += 2;
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
  unroll<Rows>([&](auto i) { unroll<Vectors>([&](auto v) { sum[i][v] = B(T(0)); }); });
  const T* row[Rows];
  unroll<Rows>([&](auto i) { row[i] = a.data + i * a.row_step; });
  Index offset = 0;
  for (Index k = 0; k < depth; ++k, offset += a.k_step, b += b_step) {
    B right[Vectors];
    unroll<Vectors>([&](auto v) {
      if constexpr (Tail && v == Vectors - 1)
        right[v] = heed::load_partial<T, Arch>(b + v * width, last);
      else
        right[v] = heed::load<T, Arch>(b + v * width);
      keep_in_register(right[v]);
    });
    unroll<Rows>([&](auto i) {
      B left(row[i][offset]);
      keep_in_register(left);
      unroll<Vectors>([&](auto v) { sum[i][v] = heed::fma(left, right[v], sum[i][v]); });
    });
  }
  finish(sum);
}

/// scores (Rows, Vectors registers) = key (Rows, depth) query (depth, Vectors registers); row_max = the larger of
/// itself and the column's scores. Rows of query and of scores are a block of queries apart.
template <class T, class Arch, int Rows, int Vectors>
void score_tile(Index depth, const Strided<T>& key, const T* query, T* scores, T* row_max) {
  using B = Batch<T, Arch>;
  constexpr Index width = lanes<T, Arch>, step = FlashBlocks<T, Arch>::queries;
  multiply<T, Arch, Rows, Vectors, false>(depth, key, query, step, 0, [=](const B(&sum)[Rows][Vectors]) {
    unroll<Vectors>([&](auto v) {
      B largest = heed::load<T, Arch>(row_max + v * width);
      unroll<Rows>([&](auto i) {
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

/// output (Rows, columns) = factor[i] output + weights^T value: weights (depth, Rows) with rows a block of queries
/// apart, value (depth, columns). The block's sum is complete before it is joined with what earlier blocks left.
template <class T, class Arch, int Rows, int Vectors, bool Tail>
void value_tile(const T* weights, const MatrixView<const T>& value, Index last, const T* factor, T* output,
                Index output_step) {
  using B = Batch<T, Arch>;
  constexpr Index width = lanes<T, Arch>;
  const auto join = [=](const B(&sum)[Rows][Vectors]) {
    unroll<Rows>([&](auto i) {
      const B row_factor(factor[i]);
      unroll<Vectors>([&](auto v) {
        T* const out = output + i * output_step + v * width;
        if constexpr (Tail && v == Vectors - 1)
          heed::store_partial(out, heed::fma(heed::load_partial<T, Arch>(out, last), row_factor, sum[i][v]), last);
        else
          heed::store(out, heed::fma(heed::load<T, Arch>(out), row_factor, sum[i][v]));
      });
    });
  };
  multiply<T, Arch, Rows, Vectors, Tail>(value.rows, {weights, 1, FlashBlocks<T, Arch>::queries}, value.data,
                                         value.stride, last, join);
}

/// The same for all columns of value.
template <class T, class Arch, int Rows>
void value_rows(const T* weights, MatrixView<const T> value, const T* factor, T* output, Index output_step) {
  constexpr int vectors = FlashBlocks<T, Arch>::value_vectors;
  constexpr Index width = lanes<T, Arch>;
  Index left = value.cols;
  const auto advance = [&](Index by) { value.data += by, output += by, left -= by; };
  for (; left >= vectors * width; advance(vectors * width))
    value_tile<T, Arch, Rows, vectors, false>(weights, value, 0, factor, output, output_step);
  if constexpr (vectors > 2)
    if (left >= 2 * width) {
      value_tile<T, Arch, Rows, 2, false>(weights, value, 0, factor, output, output_step);
      advance(2 * width);
    }
  if (left >= width) {
    value_tile<T, Arch, Rows, 1, false>(weights, value, 0, factor, output, output_step);
    advance(width);
  }
  if (left > 0) value_tile<T, Arch, Rows, 1, true>(weights, value, left, factor, output, output_step);
}

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
