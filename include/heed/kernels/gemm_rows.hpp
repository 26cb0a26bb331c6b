#pragma once
// Products of a few rows, where packing b would cost more than multiplying by it: b is read once, in memory order, and
// the time is what that takes. The chains over k are those of multiply_tile, so the bits are too.

#include <heed/kernels/gemm_pack.hpp>

namespace heed::inline HEED_ABI {

namespace gemm_detail {

/// Rows of b (k, n) that are read side by side: c passes through registers once per so many, and so many streams are
/// what the hardware's prefetchers follow.
inline constexpr Index streams = 16;

/// Rows of c up to which multiply_few_rows is used: for b (k, n) one register tile, which reads b once, as packing
/// does; for b (n, k), where a register of columns takes 16-byte loads and shuffles either way, until packing wins.
template <class T, class Arch>
constexpr Index few_rows(Transpose tb) {
  return tb == Transpose::no ? Blocks<T, Arch>::rows : 4;
}

/// column[i] = b[i * stride]. One function: inlined, every Rows of multiply_columns has its elements one by one.
template <Index count, class T>
[[gnu::noinline]] void copy_column(const T* b, Index stride, T* column) {
  for (Index i = 0; i < count; ++i) column[i] = b[i * stride];
}

/// c (Rows, lanes) = [c +] a (Rows, k) b^T, b (lanes, k): columns of b are made in registers. The rows that are
/// multiplied next, `ahead` elements behind b, are brought into L1 meanwhile.
template <class T, class Arch, int Rows>
[[HEED_HOT_LOOP]] void multiply_columns(Index k, const Strided<T>& a, const T* b, Index stride, const Target<T>& c,
                                        Index ahead) {
  using B = Batch<T, Arch>;
  constexpr Index width = lanes<T, Arch>, group = column_group<T>;
  Sums<T, Arch, Rows, 1> sums;
  sums.start(c, width);
  const T* row[Rows];
  unroll<Rows>([&](int i) __attribute__((always_inline)) { row[i] = a.data + i * a.row_step; });
  const auto add = [&](const B& column, Index at) {
    unroll<Rows>([&](int i) __attribute__((always_inline)) {
      sums.sum[i][0] = heed::fma(B(row[i][at]), column, sums.sum[i][0]);
    });
  };
  Index step = 0, at = 0;
  for (; step + group <= k; step += group, at += group * a.k_step) {
    keep_in_register(at);
    prefetch_rows<T, Arch>(b + ahead, stride, step);
    B columns[group];
    load_columns<T, Arch>(b + step, stride, columns);
    unroll<static_cast<int>(group)>([&](int q) __attribute__((always_inline)) { add(columns[q], at + q * a.k_step); });
  }
  for (; step < k; ++step, at += a.k_step) {
    alignas(64) T column[width];
    copy_column<width>(b + step, stride, column);
    add(heed::load<T, Arch>(column), at);
  }
  sums.finish(c, width);
}

/// multiply_columns over all columns of c; the last ones, fewer than a register, are packed into scratch (k * lanes).
template <class T, class Arch, int Rows>
void multiply_few_rows_transposed(Index k, const Strided<T>& a, const T* b, Index stride, const Target<T>& c, Index n,
                                  T* scratch) {
  constexpr Index width = lanes<T, Arch>;
  Index j = 0;
  for (; j + width <= n; j += width)
    multiply_columns<T, Arch, Rows>(k, a, b + j * stride, stride, {c.data + j, c.stride, c.accumulate},
                                    j + 2 * width <= n ? width * stride : 0);
  if (j < n) {
    pack_columns<T, Arch>({b + j * stride, n - j, k, stride}, scratch, width, 0);
    multiply_tile<T, Arch, Rows, 1>(k, a, scratch, width, {c.data + j, c.stride, c.accumulate}, n - j);
  }
}

/// c (Rows, n) = [c +] a (Rows, k) b, b (k, n): whole registers straight from b's rows, the tail through scratch (k *
/// lanes).
template <class T, class Arch, int Rows>
void multiply_few_rows_plain(Index k, const Strided<T>& a, const T* b, Index stride, const Target<T>& c, Index n,
                             T* scratch) {
  constexpr Index width = lanes<T, Arch>, panel = Blocks<T, Arch>::cols;
  constexpr int vectors = static_cast<int>(Blocks<T, Arch>::vectors);
  for (Index first = 0; first == 0 || first < k; first += streams) {
    const Index depth = std::min(streams, k - first);
    const Strided<T> left = a.depth_from(first);
    const T* right = b + first * stride;
    const Accumulate mode = first == 0 ? c.accumulate : Accumulate::yes;
    Index j = 0;
    for (; j + panel <= n; j += panel)
      multiply_tile<T, Arch, Rows, vectors>(depth, left, right + j, stride, {c.data + j, c.stride, mode}, panel);
    for (; j + width <= n; j += width)
      multiply_tile<T, Arch, Rows, 1>(depth, left, right + j, stride, {c.data + j, c.stride, mode}, width);
    if (j < n) {
      pack_rows<T, Arch>(right + j, stride, depth, n - j, scratch);
      multiply_tile<T, Arch, Rows, 1>(depth, left, scratch, width, {c.data + j, c.stride, mode}, n - j);
    }
  }
}

/// c (rows, n) = [c +] a op(b) for rows <= few_rows(tb).
template <class T, class Arch, int Rows = static_cast<int>(Blocks<T, Arch>::rows)>
void multiply_few_rows(Index rows, Index k, const Strided<T>& a, Transpose tb, const MatrixView<const T>& b,
                       const Target<T>& c, Index n, T* scratch) {
  if constexpr (Rows > 1)
    if (rows < Rows) return multiply_few_rows<T, Arch, Rows - 1>(rows, k, a, tb, b, c, n, scratch);
  if (tb == Transpose::no) return multiply_few_rows_plain<T, Arch, Rows>(k, a, b.data, b.stride, c, n, scratch);
  if constexpr (Rows <= few_rows<T, Arch>(Transpose::yes))
    multiply_few_rows_transposed<T, Arch, Rows>(k, a, b.data, b.stride, c, n, scratch);
}

}  // namespace gemm_detail

}  // namespace heed::inline HEED_ABI
