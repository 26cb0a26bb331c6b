#pragma once
// A block of queries as Q^T, the packed operand of S^T = K Q^T: element (d, i) at packed[d * FlashBlocks::queries + i].

#include <heed/kernels/flash_tile.hpp>
#include <heed/simd/transpose.hpp>

namespace heed::inline HEED_ABI {

/// One head's matrix with any strides: element (i, j) is data[i * row_step + j * column_step]. Or, for keys and values
/// of a paged cache, rows in pages of page_rows: then row i is row i % page_rows of pages[i / page_rows], and data is not
/// read.
template <class T>
struct StridedMatrix {
  const T* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index row_step = 0;
  Index column_step = 1;
  const T* const* pages = nullptr;
  Index page_rows = 0;

  const T* at(Index i, Index j) const {
    const T* const row = pages ? pages[i / page_rows] + i % page_rows * row_step : data + i * row_step;
    return row + j * column_step;
  }
  /// Whether rows [first, first + count) are row_step apart.
  bool even(Index first, Index count) const { return !pages || first / page_rows == (first + count - 1) / page_rows; }
};

namespace flash_detail {

/// rows [first, first + count) of x, times factor, transposed; lanes behind `count` up to a whole register are zero.
template <class T, class Arch>
void pack_transposed(const StridedMatrix<T>& x, Index first, Index count, T factor, T* packed) {
  constexpr Index width = lanes<T, Arch>, group = column_group<T>, step = FlashBlocks<T, Arch>::queries;
  const Batch<T, Arch> factors(factor);
  for (Index i = 0; i < count; i += width) {
    const Index rows = std::min(width, count - i);
    Index d = 0;
    if (rows == width && x.column_step == 1)
      for (; d + group <= x.cols; d += group) {
        Batch<T, Arch> columns[group];
        load_columns<T, Arch>(x.at(first + i, d), x.row_step, columns);
        T* const out = packed + d * step + i;
        unroll<static_cast<int>(group)>([&](int q) __attribute__((always_inline)) {
          heed::store(out + q * step, columns[q] * factors);
        });
      }
    for (; d < x.cols; ++d) {
      T* const out = packed + d * step + i;
      for (Index r = 0; r < rows; ++r) out[r] = *x.at(first + i + r, d) * factor;
      for (Index r = rows; r < width; ++r) out[r] = T(0);
    }
  }
}

/// Rows [first, first + count) of x as rows of contiguous elements: in place where they are, else copied.
template <class T>
MatrixView<const T> contiguous_rows(const StridedMatrix<T>& x, Index first, Index count, T* copy) {
  if ((x.column_step == 1 || x.cols == 1) && x.even(first, count)) return {x.at(first, 0), count, x.cols, x.row_step};
  for (Index i = 0; i < count; ++i) {
    const T* const row = x.at(first + i, 0);
    for (Index j = 0; j < x.cols; ++j) copy[i * x.cols + j] = row[j * x.column_step];
  }
  return {copy, count, x.cols};
}

}  // namespace flash_detail

}  // namespace heed::inline HEED_ABI
