#pragma once
// Operands of the matrix product, rearranged so that the innermost loop reads memory in order.

#include <algorithm>

#include <heed/kernels/gemm_tile.hpp>
#include <heed/simd/transpose.hpp>

namespace heed::inline HEED_ABI {

/// Whether an operand is used as it is or transposed.
enum class Transpose { no, yes };

namespace gemm_detail {

inline constexpr Index round_up(Index n, Index step) { return (n + step - 1) / step * step; }

/// The part of op(b) (k, n) in columns [first, first + cols) as one panel: row k at packed + k * width, width = cols
/// rounded up to registers. What the padding holds never reaches a result.
template <class T, class Arch>
void pack_rows(const T* b, Index stride, Index k, Index cols, T* packed) {
  constexpr Index width = lanes<T, Arch>;
  for (Index step = 0; step < k; ++step, b += stride) {
    Index j = 0;
    for (; j + width <= cols; j += width, packed += width) heed::store(packed, heed::load<T, Arch>(b + j));
    if (j < cols) heed::store(packed, heed::load_partial<T, Arch>(b + j, cols - j)), packed += width;
  }
}

/// Asks for column `step` of the next lanes<T, Arch> rows: over the steps of one cache line every row comes up once.
template <class T, class Arch>
inline void prefetch_rows(const T* next, Index stride, Index step) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T)), rows = lanes<T, Arch> * column_group<T> / line;
  const T* p = next + step + step % line / column_group<T> * rows * stride;
  for (Index i = 0; i < rows; ++i) prefetch(p + i * stride);
}

/// The same from b (n, k): one register of columns out of `b.rows` <= lanes rows of b (each k long). The rows `ahead`
/// elements behind b are brought into L1 meanwhile: hardware prefetchers do not follow so many short streams.
template <class T, class Arch>
void pack_columns(const MatrixView<const T>& b, T* packed, Index panel_width, Index ahead) {
  constexpr Index width = lanes<T, Arch>, group = column_group<T>;
  Index step = 0;
  if (b.rows == width)
    for (; step + group <= b.cols; step += group) {
      prefetch_rows<T, Arch>(b.data + ahead, b.stride, step);
      Batch<T, Arch> columns[group];
      load_columns<T, Arch>(b.data + step, b.stride, columns);
      unroll<static_cast<int>(group)>([&](int q) __attribute__((always_inline)) {
        heed::store(packed + (step + q) * panel_width, columns[q]);
      });
    }
  for (; step < b.cols; ++step) {
    T* out = packed + step * panel_width;
    for (Index i = 0; i < b.rows; ++i) out[i] = b.data[i * b.stride + step];
    for (Index i = b.rows; i < width; ++i) out[i] = T(0);
  }
}

/// op(b) (k, n) as panels of Blocks::cols columns, the last one rounded up to registers: panel p at packed + p *
/// Blocks::cols * k.
template <class T, class Arch>
void pack_panels(const Strided<T>& b, Index k, Index n, T* packed) {
  constexpr Index width = lanes<T, Arch>, panel = Blocks<T, Arch>::cols;
  for (Index j = 0; j < n; j += panel) {
    const Index cols = std::min(panel, n - j), padded = round_up(cols, width);
    T* out = packed + j * k;
    if (b.k_step != 1 || b.row_step == 1) {
      pack_rows<T, Arch>(b.data + j, b.k_step, k, cols, out);
    } else {
      for (Index i = 0; i < cols; i += width)
        pack_columns<T, Arch>({b.data + (j + i) * b.row_step, std::min(width, cols - i), k, b.row_step}, out + i,
                              padded, j + i + 2 * width <= n ? width * b.row_step : 0);
    }
  }
}

}  // namespace gemm_detail

}  // namespace heed::inline HEED_ABI
