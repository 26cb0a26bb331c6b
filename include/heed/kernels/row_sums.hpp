#pragma once
// Column sums of a matrix, added to what is there: the gradient of a bias. Every element is one chain of additions over
// the rows, from the first to the last, in T: grouping rows only saves trips of the sums to memory.

#include <heed/core/view.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

namespace row_sums_detail {

/// Rows that are added while a register of sums stays where it is: eight streams are what the prefetchers follow.
inline constexpr Index group = 8;

template <int Rows, class T, class Arch>
void add_group(const T* x, Index stride, T* sums, Index count) {
  simd_detail::update_row<T, Arch>(sums, count, [&](Batch<T, Arch> total, Index j, Index part) {
    for (Index r = 0; r < Rows; ++r) total += simd_detail::load_lanes<T, Arch>(x + r * stride + j, part, T(0));
    return total;
  });
}

}  // namespace row_sums_detail

/// sums (cols) += every row of x (rows, cols), in row order. sums overlaps no row.
template <Real T, class Arch = default_arch>
void add_row_sums(MatrixView<const T> x, T* sums) {
  using namespace row_sums_detail;
  Index i = 0;
  for (; i + group <= x.rows; i += group) add_group<int{group}, T, Arch>(x.row(i), x.stride, sums, x.cols);
  for (; i < x.rows; ++i) add_row<T, Arch>(sums, x.row(i), x.cols);
}

}  // namespace heed::inline HEED_ABI
