#pragma once
// Projecting a source's keys once, and its backward once for all reads: rows that no read saw never reach a gradient,
// NaN or not (SEMANTICS 11).

#include <heed/attention/memory_read.hpp>
#include <heed/attention/projection.hpp>
#include <heed/kernels/finite.hpp>

namespace heed::inline HEED_ABI {

/// A gradient of zeros for reads of this memory and these values.
template <class T>
MemoryGradient<T> zero_memory_gradient(const Tensor<T, 3>& memory, const Tensor<T, 3>& values) {
  MemoryGradient<T> grad{zeros<T, 3>(extents(memory)), zeros<T, 3>(extents(values)),
                         Tensor<bool, 2>(memory.dimension(0), memory.dimension(1))};
  grad.seen.setConstant(false);
  return grad;
}

namespace detail {

/// The rows of x (batch, length, width) as one matrix; a copy in `storage` where they do not follow each other.
template <class T>
MatrixView<const T> folded_rows(const View<const T, 3>& x, Tensor<T, 3>& storage) {
  const Index rows = x.dimension(0) * x.dimension(1), width = x.dimension(2);
  if (x.contiguous()) return {x.data, rows, width};
  storage.resize(x.extents);
  for (Index b = 0; b < x.dimension(0); ++b) {
    for (Index j = 0; j < x.dimension(1); ++j) {
      std::copy_n(sample(x, b).row(j), width, storage.data() + (b * x.dimension(1) + j) * width);
    }
  }
  return {storage.data(), rows, width};
}

/// The same with zeros in rows that were not seen, where any number is not finite.
template <class T>
MatrixView<const T> seen_rows(const View<const T, 3>& x, const Tensor<bool, 2>& seen, Tensor<T, 3>& storage) {
  const MatrixView<const T> rows = folded_rows(x, storage);
  if (all_finite(rows)) return rows;
  if (storage.size() == 0) {
    storage.resize(x.extents);
    std::copy_n(x.data, x.size(), storage.data());
  }
  for (Index r = 0; r < rows.rows; ++r) {
    if (!seen.data()[r]) std::fill_n(storage.data() + r * rows.cols, rows.cols, T(0));
  }
  return {storage.data(), rows.rows, rows.cols};
}

/// Steps (batch, query_length, width) with zeros in those of no visible key, where any number is not finite.
template <class T>
MatrixView<const T> seen_steps(const View<const T, 3>& steps, const BoundMask& mask, Index key_length,
                               Tensor<T, 3>& storage) {
  const MatrixView<const T> rows = folded_rows(steps, storage);
  if (all_finite(rows)) return rows;
  Tensor<bool, 2> seen(steps.dimension(0), steps.dimension(1));
  Tensor<bool, 1> visible(key_length);
  for (Index b = 0; b < steps.dimension(0); ++b) {
    for (Index i = 0; i < steps.dimension(1); ++i) {
      bool any = false;
      visible_keys(mask, b, i, key_length, visible.data()).for_each([&](Index) { any = true; });
      seen(b, i) = any;
    }
  }
  return seen_rows(steps, seen, storage);
}

/// memory (batch, key_length, out) = keys (batch, key_length, in) weight^T + bias.
template <class T>
Tensor<T, 3> project_memory(const char* function, const Projection<T>& projection, const View<const T, 3>& keys,
                            ExecutorRef executor) {
  check_rows(function, "keys", keys, {-1, -1, projection.in_features()});
  Tensor<T, 3> memory(keys.dimension(0), keys.dimension(1), projection.out_features());
  Tensor<T, 3> storage;
  projection.forward_into(folded_rows(keys, storage), as_matrix(memory), executor);
  return memory;
}

/// grad.memory -> d_keys; adds to the projection's gradient.
template <class T>
Tensor<T, 3> project_memory_backward(const char* function, const Projection<T>& projection,
                                     const View<const T, 3>& keys, const MemoryGradient<T>& grad,
                                     Projection<T>& projection_grad, ExecutorRef executor) {
  check_rows(function, "keys", keys, {-1, -1, projection.in_features()});
  check_shape(function, "grad.memory", extents(grad.memory),
              Extents<3>{keys.dimension(0), keys.dimension(1), projection.out_features()});
  check_shape(function, "grad.seen", extents(grad.seen), Extents<2>{keys.dimension(0), keys.dimension(1)});
  Tensor<T, 3> d_keys(keys.extents), storage;
  projection.backward_into(as_matrix(grad.memory), seen_rows(keys, grad.seen, storage), projection_grad,
                           as_matrix(d_keys), executor);
  return d_keys;
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
