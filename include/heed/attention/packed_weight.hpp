#pragma once
// PackedWeight: the right-hand side of many products, packed once. For weights that every time step multiplies with.

#include <heed/attention/matmul.hpp>

namespace heed::inline HEED_ABI {

/// op(weight) (K, N) in gemm's packed form. Packing again reuses the memory when it is large enough. Const calls may
/// run in several threads at once.
template <Real T>
class PackedWeight {
 public:
  PackedWeight() = default;
  PackedWeight(Transpose transpose, const std::type_identity_t<View<const T, 2>>& weight) { pack(transpose, weight); }

  /// Replaces what is held; the weight may change or go away afterwards.
  void pack(Transpose transpose, const std::type_identity_t<View<const T, 2>>& weight) {
    check_input("PackedWeight", "weight", weight);
    const MatrixView<const T> operand = detail::as_operand("weight", weight, transpose);
    in_ = transpose == Transpose::yes ? operand.cols : operand.rows;
    out_ = transpose == Transpose::yes ? operand.rows : operand.cols;
    storage_.reserve(Workspace::rounded<T>(packed_size<T>(in_, out_)));
    storage_.reset();
    packed_ = storage_.template take<T>(packed_size<T>(in_, out_));
    pack_b<T>(transpose, operand, packed_);
  }

  Index in_features() const { return in_; }    // K
  Index out_features() const { return out_; }  // N

  /// c (M, N) = [c +] a (M, K) op(weight), in the calling thread; the same bits as matmul. No heap. Throws
  /// heed::Error on shapes that do not fit.
  void multiply(MatrixView<const T> a, MatrixView<T> c, Accumulate accumulate = Accumulate::no) const {
    check_shape("PackedWeight::multiply", "a", Extents<2>{a.rows, a.cols}, Extents<2>{c.rows, in_});
    check_shape("PackedWeight::multiply", "c", Extents<2>{c.rows, c.cols}, Extents<2>{a.rows, out_});
    if (c.empty()) return;
    gemm_packed<T>(Transpose::no, a, packed_, c, in_, accumulate);
  }

  /// The same, rows of a shared out among the executor's workers.
  void multiply(MatrixView<const T> a, MatrixView<T> c, Accumulate accumulate, ExecutorRef executor) const {
    const detail::Cut cut(c.rows, executor.concurrency(), detail::row_grain);
    for_each_task(executor, cut.count(), [&](Index task, Index) {
      const Index first = cut.first(task), count = cut.size(task);
      multiply(a.row_block(first, count), c.row_block(first, count), accumulate);
    });
  }

 private:
  Workspace storage_;
  T* packed_ = nullptr;
  Index in_ = 0;
  Index out_ = 0;
};

}  // namespace heed::inline HEED_ABI
