#pragma once
// Matrix product c = [c +] op(a) op(b) on one thread without heap. After K. Goto and R. van de Geijn, Anatomy of
// High-Performance Matrix Multiplication (ACM TOMS 34, 2008): b is packed into column panels that stay in L2, rows of a
// stay in L1, a tile of c stays in registers. Every element is one chain of fma's over k ascending, accumulated in T,
// that starts from c's value or 0 and is carried through c between blocks of k; its error is at most k roundings of the
// running sum. So a row has the same bits in a product of one row and of a thousand, packed or not (SEMANTICS 27).

#include <heed/kernels/gemm_rows.hpp>

namespace heed::inline HEED_ABI {

namespace gemm_detail {

/// Blocks of k, and of columns: a packed block of b takes at most half of a 1 MiB L2.
template <class T, class Arch>
constexpr Index depth_block(Index k) {
  return std::min(k, Blocks<T, Arch>::depth);
}
template <class T, class Arch>
constexpr Index column_block(Index k, Index n) {
  constexpr Index panel = Blocks<T, Arch>::cols, elements = 512 * 1024 / static_cast<Index>(sizeof(T));
  const Index fitting = elements / std::max<Index>(1, depth_block<T, Arch>(k)) / panel * panel;
  return std::min(round_up(n, lanes<T, Arch>), std::max(panel, fitting));
}
template <class T>
constexpr Strided<T> left_operand(Transpose ta, const MatrixView<const T>& a) {
  return ta == Transpose::no ? Strided<T>{a.data, a.stride, 1} : Strided<T>{a.data, 1, a.stride};
}
/// Columns of op(b) take the place of rows.
template <class T>
constexpr Strided<T> right_operand(Transpose tb, const MatrixView<const T>& b) {
  return tb == Transpose::no ? Strided<T>{b.data, 1, b.stride} : Strided<T>{b.data, b.stride, 1};
}

/// multiply_tile with run-time columns: Vectors registers at a time, what is left with half as many.
template <class T, class Arch, int Rows, int Vectors>
void dispatch_cols(Index k, const Strided<T>& a, const T* b, Index b_step, const Target<T>& c, Index cols) {
  constexpr Index width = lanes<T, Arch>;
  Index j = 0;
  for (; j + (Vectors - 1) * width < cols; j += Vectors * width)
    multiply_tile<T, Arch, Rows, Vectors>(k, a, b + j, b_step, {c.data + j, c.stride, c.accumulate},
                                          std::min(Vectors * width, cols - j));
  if constexpr (Vectors > 1)
    if (j < cols)
      dispatch_cols<T, Arch, Rows, Vectors / 2>(k, a, b + j, b_step, {c.data + j, c.stride, c.accumulate}, cols - j);
}
/// and run-time rows.
template <class T, class Arch, int Rows>
void dispatch_tile(Index rows, Index k, const Strided<T>& a, const T* b, Index b_step, const Target<T>& c, Index cols) {
  if constexpr (Rows > 1)
    if (rows < Rows) return dispatch_tile<T, Arch, Rows - 1>(rows, k, a, b, b_step, c, cols);
  dispatch_cols<T, Arch, Rows, static_cast<int>(Blocks<T, Arch>::vectors)>(k, a, b, b_step, c, cols);
}

/// The panels of a packed b, each `depth` rows long, from their row `first` on.
template <class T>
struct Panels {
  const T* data;
  Index depth, first;
};

/// Asks for the lines of a tile of c before its turn: they may lie in L3 or beyond, and a tile begins by reading them.
template <class T>
void prefetch_tile(Index rows, const Target<T>& c, Index cols) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; j += line) prefetch(c.data + i * c.stride + j);
}

/// c (rows, n) = [c +] a (rows, k) times rows [first, first + k) of the panels.
template <class T, class Arch>
void multiply_panels(Index rows, Index k, const Strided<T>& a, const Panels<T>& b, const Target<T>& c, Index n) {
  constexpr Index panel = Blocks<T, Arch>::cols;
  for (Index j = 0; j < n; j += panel) {
    const Index cols = std::min(panel, n - j), step = round_up(cols, lanes<T, Arch>);
    prefetch_tile<T>(rows, {c.data + j + cols, c.stride, c.accumulate}, std::min(panel, n - j - cols));
    dispatch_tile<T, Arch, static_cast<int>(Blocks<T, Arch>::rows)>(rows, k, a, b.data + j * b.depth + b.first * step,
                                                                    step, {c.data + j, c.stride, c.accumulate}, cols);
  }
}

/// c (m, n) = [c +] a (m, k) times panels. A tile reads a where it lies, transposed or not: packing it was no faster.
template <class T, class Arch>
void multiply_block(Index m, Index k, const Strided<T>& a, const Panels<T>& b, const Target<T>& c, Index n) {
  constexpr Index tile = Blocks<T, Arch>::rows;
  for (Index i = 0; i < m; i += tile) {
    const Index rows = std::min(tile, m - i);
    const Target<T> target{c.data + i * c.stride, c.stride, c.accumulate};
    prefetch_tile<T>(std::min(tile, m - i - rows), {target.data + rows * c.stride, c.stride, c.accumulate},
                     std::min(Blocks<T, Arch>::cols, n));
    multiply_panels<T, Arch>(rows, k, a.rows_from(i), b, target, n);
  }
}

/// c = [c +] left right, with right packed block by block.
template <class T, class Arch>
void multiply_blocks(Index k, const Strided<T>& left, const Strided<T>& right, const MatrixView<T>& c,
                     Accumulate accumulate, T* scratch) {
  const Index columns = column_block<T, Arch>(k, c.cols);
  Index first = 0;
  do {  // also once for k = 0, which clears c
    const Index depth = depth_block<T, Arch>(k - first);
    const Accumulate mode = first == 0 ? accumulate : Accumulate::yes;
    for (Index j = 0; j < c.cols; j += columns) {
      const Index cols = std::min(columns, c.cols - j);
      pack_panels<T, Arch>(right.rows_from(j).depth_from(first), depth, cols, scratch);
      multiply_block<T, Arch>(c.rows, depth, left.depth_from(first), {scratch, depth, 0}, {c.data + j, c.stride, mode},
                              cols);
    }
    first += depth;
  } while (first < k);
}

}  // namespace gemm_detail

/// Elements of T that gemm needs as scratch, 64-byte aligned, for op(a) (m, k) and op(b) (k, n).
template <class T, class Arch = default_arch>
constexpr Index gemm_scratch_size(Index m, Index n, Index k) {
  using namespace gemm_detail;
  const Index blocks = depth_block<T, Arch>(k) * column_block<T, Arch>(k, n);
  return m == 0 || n == 0 ? 0 : std::max(k * lanes<T, Arch>, blocks);  // the first is a tail of multiply_few_rows
}

/// Elements of T, 64-byte aligned, of a packed op(b) (k, n).
template <class T, class Arch = default_arch>
constexpr Index packed_size(Index k, Index n) {
  return k * gemm_detail::round_up(n, lanes<T, Arch>);
}

/// packed = op(b) (k, n) in the order that gemm_packed reads: for weights that are multiplied many times.
template <class T, class Arch = default_arch>
void pack_b(Transpose tb, MatrixView<const T> b, T* packed) {
  const Index k = tb == Transpose::no ? b.rows : b.cols, n = tb == Transpose::no ? b.cols : b.rows;
  gemm_detail::pack_panels<T, Arch>(gemm_detail::right_operand<T>(tb, b), k, n, packed);
}

/// c (m, n) = [c +] op(a) (m, k) op(b) (k, n), op(b) packed by pack_b<T, Arch>. Needs no scratch.
template <class T, class Arch = default_arch>
void gemm_packed(Transpose ta, MatrixView<const T> a, const T* packed, MatrixView<T> c, Index k,
                 Accumulate accumulate) {
  using namespace gemm_detail;
  assert((ta == Transpose::no ? a.rows : a.cols) == c.rows && (ta == Transpose::no ? a.cols : a.rows) == k);
  const Strided<T> left = left_operand<T>(ta, a);
  const Index columns = column_block<T, Arch>(k, c.cols);  // whole panels, but for the last
  Index first = 0;
  do {  // also once for k = 0, which clears c
    const Index depth = depth_block<T, Arch>(k - first);
    const Accumulate mode = first == 0 ? accumulate : Accumulate::yes;
    for (Index j = 0; j < c.cols; j += columns)
      multiply_block<T, Arch>(c.rows, depth, left.depth_from(first), {packed + j * k, k, first},
                              {c.data + j, c.stride, mode}, std::min(columns, c.cols - j));
    first += depth;
  } while (first < k);
}

/// c (m, n) = [c +] op(a) (m, k) op(b) (k, n). c must not overlap a or b. scratch: gemm_scratch_size(m, n, k).
template <class T, class Arch = default_arch>
void gemm(Transpose ta, MatrixView<const T> a, Transpose tb, MatrixView<const T> b, MatrixView<T> c,
          Accumulate accumulate, T* scratch) {
  using namespace gemm_detail;
  [[maybe_unused]] const Index k = ta == Transpose::no ? a.cols : a.rows;
  assert((ta == Transpose::no ? a.rows : a.cols) == c.rows);
  assert((tb == Transpose::no ? b.rows : b.cols) == k && (tb == Transpose::no ? b.cols : b.rows) == c.cols);
  const Strided<T> left = left_operand<T>(ta, a), right = right_operand<T>(tb, b);
  const Transpose flipped = ta == Transpose::no ? Transpose::yes : Transpose::no;
  if (c.empty()) return;
  if (c.rows <= few_rows<T, Arch>(tb))
    multiply_few_rows<T, Arch>(c.rows, k, left, tb, b, {c.data, c.stride, accumulate}, c.cols, scratch);
  else if (c.cols == 1 && c.stride == 1)  // a column is one row of the transposed product
    multiply_few_rows<T, Arch>(1, k, right, flipped, a, {c.data, c.rows, accumulate}, c.rows, scratch);
  else
    multiply_blocks<T, Arch>(k, left, right, c, accumulate, scratch);
}

/// Elements from one matrix of a batch to the next; 0 where all share one.
struct BatchSteps {
  Index a, b, c;
};

/// `batch` products, each as gemm, of matrices that follow the given ones at fixed steps.
template <class T, class Arch = default_arch>
void gemm_batched(Index batch, BatchSteps steps, Transpose ta, MatrixView<const T> a, Transpose tb,
                  MatrixView<const T> b, MatrixView<T> c, Accumulate accumulate, T* scratch) {
  for (Index i = 0; i < batch; ++i) {
    gemm<T, Arch>(ta, a, tb, b, c, accumulate, scratch);
    a.data += steps.a, b.data += steps.b, c.data += steps.c;
  }
}

}  // namespace heed::inline HEED_ABI
