#pragma once
// The part of Transformer-XL's scores that depends on distance alone: (q_i + v) . W_r R_d for every query and distance, and
// its backward. Distances descend along the rows of R, so that the score of key j is one element behind that of key j - 1.

#include <algorithm>
#include <string>
#include <utility>

#include <heed/attention/matmul.hpp>
#include <heed/attention/position.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/head_projections.hpp>

namespace heed::inline HEED_ABI {

/// Which keys a query may see: those up to its own place, or all.
enum class RelativeKeys { past, all };

namespace detail {

/// memory and x along the steps; an empty memory is none.
template <class T>
Tensor<T, 3> joined_segments(const char* function, const Tensor<T, 3>& memory, const Tensor<T, 3>& x) {
  if (memory.size() == 0) return x;
  check_shape(function, "memory", extents(memory), Extents<3>{x.dimension(0), -1, x.dimension(2)});
  return memory.concatenate(x, 1);
}

/// scale (x + bias) for x (batch, length, heads * dim) and bias (heads, dim).
template <class T>
Tensor<T, 3> with_head_bias(const Tensor<T, 3>& x, const Tensor<T, 2>& bias, T scale) {
  Tensor<T, 3> y = x;
  const MatrixView<T> rows = as_matrix(y);
  for (Index i = 0; i < rows.rows; ++i) {
    add_row(rows.row(i), bias.data(), rows.cols);
    if (scale != T(1)) scale_row(rows.row(i), rows.cols, scale);
  }
  return y;
}
/// d_bias += the rows of d_x, in their order.
template <class T>
void add_head_bias_gradient(const Tensor<T, 3>& d_x, Tensor<T, 2>& d_bias) {
  add_rows<T>(as_matrix(d_x), d_bias.data());
}

/// One head's columns of rows (rows, heads * dim).
template <class T>
MatrixView<T> head_columns(const MatrixView<T>& rows, Index head, Index heads) {
  const Index dim = rows.cols / heads;
  return rows.col_block(head * dim, dim);
}

template <class T>
struct RelativeScores {
  Tensor<T, 2> encoding;   // R: (distances, model_dim), from key_length - 1 down to 0 or 1 - length
  Tensor<T, 2> projected;  // W_r R: (distances, heads * head_dim)
  Tensor<T, 3> scores;     // (batch * heads, length, distances)
  Index keys = 0;

  void encode(RelativeKeys direction, Index length, Index key_length, Index model_dim) {
    keys = key_length;
    const Index last = direction == RelativeKeys::past ? 0 : 1 - std::max<Index>(length, 1);
    const Tensor<T, 2> ascending = sinusoidal_encoding<T>(
        std::max<Index>(key_length - last, 1), model_dim, {.layout = SinusoidLayout::concatenated, .offset = last});
    encoding = ascending.reverse(Eigen::array<bool, 2>{true, false});
  }
  void project(const Dense<T>& projection, ExecutorRef executor) { projected = projection.forward(encoding, nullptr, executor); }

  /// query (batch, length, heads * head_dim), biased and scaled.
  void score(const Tensor<T, 3>& query, Index heads, ExecutorRef executor) {
    const Index batch = query.dimension(0), length = query.dimension(1);
    scores.resize(batch * heads, length, distances());
    for_each_task(executor, batch * heads, [&](Index task, Index) {
      gemm_here<T>(Transpose::no, head_of(query, task, heads), Transpose::yes, relative(task % heads, heads), rows(scores, task),
                   Accumulate::no);
    });
  }
  /// As attention adds them: (batch, heads, length, keys). Row i begins length - 1 - i distances in. Where only the past is
  /// encoded, a key behind the query reads a number of the next row, which the causal mask hides.
  View<const T, 4> bias(Index heads) const {
    const Index length = scores.dimension(1), row = distances();
    return {scores.data() + std::max<Index>(length - 1, 0),
            {scores.dimension(0) / heads, heads, length, keys},
            {heads * length * row, length * row, row - 1, 1}};
  }

  /// d_bias (batch, heads, length, keys) and score's query -> the gradient of query; adds to the projection's gradient.
  Tensor<T, 3> backward(const Tensor<T, 4>& d_bias, const Tensor<T, 3>& query, const Dense<T>& projection,
                        Dense<T>& projection_grad, ExecutorRef executor) const {
    const Index heads = d_bias.dimension(1), tasks = d_bias.dimension(0) * heads;
    Tensor<T, 3> d_scores = zeros<T, 3>(extents(scores)), d_query(extents(query));
    for_each_task(executor, tasks, [&](Index task, Index) {
      unshift(d_bias.data() + task * d_bias.dimension(2) * keys, rows(d_scores, task));
      gemm_here<T>(Transpose::no, rows(std::as_const(d_scores), task), Transpose::no, relative(task % heads, heads),
                   head_of(d_query, task, heads), Accumulate::no);
    });
    Tensor<T, 2> d_projected = zeros<T, 2>(extents(projected));
    for_each_task(executor, heads, [&](Index head, Index) {  // samples in their order
      for (Index task = head; task < tasks; task += heads) {
        Tensor<T, 2> storage;
        const MatrixView<const T> d = rows(std::as_const(d_scores), task);
        gemm_here<T>(Transpose::yes, d, Transpose::no, read_rows<T>(head_of(query, task, heads), d, storage),
                     head_columns(as_matrix(d_projected), head, heads), Accumulate::yes);
      }
    });
    projection.backward_into(as_matrix(std::as_const(d_projected)), as_matrix(encoding), projection_grad, {}, executor);
    return d_query;
  }

 private:
  Index distances() const { return projected.dimension(0); }
  MatrixView<const T> relative(Index head, Index heads) const { return head_columns(as_matrix(projected), head, heads); }
  static auto rows(auto& x, Index task) { return as_matrix(x).row_block(task * x.dimension(1), x.dimension(1)); }
  /// Head task % heads of sample task / heads in x (batch, length, heads * dim).
  static auto head_of(auto& x, Index task, Index heads) { return head_columns(rows(x, task / heads), task % heads, heads); }
  /// Rows of a gradient by key to rows by distance; keys behind the last distance have none.
  void unshift(const T* d_bias, const MatrixView<T>& d_scores) const {
    for (Index i = 0; i < d_scores.rows; ++i) {
      const Index first = d_scores.rows - 1 - i;
      std::copy_n(d_bias + i * keys, std::min(keys, d_scores.cols - first), d_scores.row(i) + first);
    }
  }
};

}  // namespace detail

}  // namespace heed::inline HEED_ABI
