#pragma once
// Matrix products of layers: shapes checked, cut over an executor. Every element of c is one chain of fused
// multiply-adds over k ascending (kernels/gemm.hpp), so the cut changes no bit and may follow the number of workers.

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

#include <heed/attention/check_view.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/gemm.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

struct GemmScratch;
struct PackedScratch;

/// gemm with scratch of the calling thread.
template <Real T>
void gemm_here(Transpose ta, MatrixView<const T> a, Transpose tb, MatrixView<const T> b, MatrixView<T> c,
               Accumulate accumulate) {
  const Index k = ta == Transpose::yes ? a.rows : a.cols;
  gemm<T>(ta, a, tb, b, c, accumulate, thread_scratch<GemmScratch, T>(gemm_scratch_size<T>(c.rows, c.cols, k)));
}

/// Rows [first, first + count) of op(a).
template <class T>
MatrixView<T> operand_rows(Transpose ta, MatrixView<T> a, Index first, Index count) {
  return ta == Transpose::yes ? a.col_block(first, count) : a.row_block(first, count);
}
/// Columns [first, first + count) of op(b).
template <class T>
MatrixView<T> operand_cols(Transpose tb, MatrixView<T> b, Index first, Index count) {
  return tb == Transpose::yes ? b.row_block(first, count) : b.col_block(first, count);
}

/// [0, length) cut into parts whose sizes are multiples of `grain` (the last one's excepted).
struct Cut {
  Index length;
  Index part;
  Cut(Index whole, Index wanted_parts, Index grain) : length(whole) {
    const Index grains = (whole + grain - 1) / grain;
    const Index parts = std::clamp<Index>(wanted_parts, 1, std::max<Index>(grains, 1));
    part = std::max<Index>((grains + parts - 1) / parts, 1) * grain;
  }
  Index count() const { return (length + part - 1) / part; }
  Index first(Index i) const { return i * part; }
  Index size(Index i) const { return std::min(part, length - i * part); }
};

inline constexpr Index row_grain = 24;  // a multiple of every register tile's rows but one, so cuts leave few tails
inline constexpr Index col_grain = 64;  // a multiple of every register tile's columns and of a cache line
inline constexpr Index serial_work = Index{1} << 18;  // multiply-adds that take about as long as waking a thread

/// Many columns: each task packs and multiplies its own columns of op(b), so nothing is packed twice.
template <Real T>
void multiply_by_columns(Transpose ta, MatrixView<const T> a, Transpose tb, MatrixView<const T> b, MatrixView<T> c,
                         Accumulate accumulate, ExecutorRef executor) {
  const Cut cut(c.cols, executor.concurrency(), col_grain);
  for_each_task(executor, cut.count(), [&](Index task, Index) {
    const Index first = cut.first(task), count = cut.size(task);
    gemm_here<T>(ta, a, tb, operand_cols(tb, b, first, count), c.col_block(first, count), accumulate);
  });
}

/// Many rows: op(b) is packed once, by all workers, then every task multiplies its own rows of op(a) with it.
template <Real T>
void multiply_by_rows(Transpose ta, MatrixView<const T> a, Transpose tb, MatrixView<const T> b, MatrixView<T> c,
                      Accumulate accumulate, ExecutorRef executor) {
  const Index k = ta == Transpose::yes ? a.rows : a.cols;
  const Cut cols(c.cols, executor.concurrency(), col_grain);
  const Cut rows(c.rows, executor.concurrency(), row_grain);
  const Index panel = packed_size<T>(k, cols.part);
  T* const packed = thread_scratch<PackedScratch, T>(panel * cols.count());
  for_each_task(executor, cols.count(), [&](Index i, Index) {
    pack_b<T>(tb, operand_cols(tb, b, cols.first(i), cols.size(i)), packed + i * panel);
  });
  for_each_task(executor, rows.count(), [&](Index r, Index) {
    const auto a_rows = operand_rows(ta, a, rows.first(r), rows.size(r));
    const auto c_rows = c.row_block(rows.first(r), rows.size(r));
    for (Index i = 0; i < cols.count(); ++i) {
      gemm_packed<T>(ta, a_rows, packed + i * panel, c_rows.col_block(cols.first(i), cols.size(i)), k, accumulate);
    }
  });
}

inline void check_product(Transpose ta, Extents<2> a, Transpose tb, Extents<2> b, const Extents<2>& c) {
  if (ta == Transpose::yes) std::swap(a[0], a[1]);
  if (tb == Transpose::yes) std::swap(b[0], b[1]);
  check(a[1] == b[0], [&] {
    return "matmul: op(a) has shape " + shape_text(a) + " and op(b) " + shape_text(b) +
           ", wanted as many columns of a as rows of b";
  });
  check_shape("matmul", "c", c, Extents<2>{a[0], b[1]});
}

/// A view as gemm takes it: rows contiguous. A column-major one becomes its transpose; other strides are refused.
template <class T>
MatrixView<T> as_operand(const char* name, const View<T, 2>& view, Transpose& transpose) {
  const auto& [rows, cols] = view.extents;
  const auto& [row_step, col_step] = view.strides;
  if (cols <= 1 || col_step == 1) return {view.data, rows, cols, row_step};
  check(rows <= 1 || row_step == 1, [&] {
    return std::string("matmul: ") + name + " has strides " + shape_text(view.strides) +
           ", wanted contiguous rows or columns";
  });
  transpose = transpose == Transpose::yes ? Transpose::no : Transpose::yes;
  return {view.data, cols, rows, col_step};
}

}  // namespace detail

/// c (M, N) = [c +] op(a) op(b), where op(a) is (M, K) and op(b) is (K, N). K = 0 gives zeros (or leaves c). c's rows
/// are contiguous and it overlaps neither input. Throws heed::Error on shapes that do not fit. Bits: SEMANTICS 27.
template <Real T>
void matmul(Transpose ta, std::type_identity_t<MatrixView<const T>> a, Transpose tb,
            std::type_identity_t<MatrixView<const T>> b, MatrixView<T> c, Accumulate accumulate,
            ExecutorRef executor = default_executor()) {
  detail::check_product(ta, {a.rows, a.cols}, tb, {b.rows, b.cols}, {c.rows, c.cols});
  const Index k = ta == Transpose::yes ? a.rows : a.cols;
  if (c.empty()) return;
  if (executor.concurrency() == 1 || c.rows * c.cols * std::max<Index>(k, 1) < detail::serial_work) {
    detail::gemm_here<T>(ta, a, tb, b, c, accumulate);
  } else if (c.cols >= c.rows || c.rows < 2 * detail::row_grain) {
    detail::multiply_by_columns<T>(ta, a, tb, b, c, accumulate, executor);
  } else {
    detail::multiply_by_rows<T>(ta, a, tb, b, c, accumulate, executor);
  }
}

/// The same for tensors and views of rank 2; a and b may have any layout whose rows or columns are contiguous.
template <TensorLike<2> C>
void matmul(Transpose ta, const std::type_identity_t<View<const scalar_t<C>, 2>>& a, Transpose tb,
            const std::type_identity_t<View<const scalar_t<C>, 2>>& b, C&& c, Accumulate accumulate,
            ExecutorRef executor = default_executor()) {
  using T = scalar_t<C>;
  const View<T, 2> result(c);
  detail::check_product(ta, a.extents, tb, b.extents, result.extents);
  check_input("matmul", "a", a);
  check_input("matmul", "b", b);
  check_output("matmul", "c", result);
  check_apart("matmul", "c", result, "a", a);
  check_apart("matmul", "c", result, "b", b);
  const MatrixView<const T> left = detail::as_operand("a", a, ta);
  const MatrixView<const T> right = detail::as_operand("b", b, tb);
  matmul<T>(ta, left, tb, right, MatrixView<T>(result.data, result.extents[0], result.extents[1], result.strides[0]),
            accumulate, executor);
}

}  // namespace heed::inline HEED_ABI
