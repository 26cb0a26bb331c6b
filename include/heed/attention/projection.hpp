#pragma once
// The linear maps inside attention layers: y = x weight^T [+ bias].

#include <algorithm>
#include <string>

#include <heed/attention/packed_weight.hpp>
#include <heed/attention/parameter_fill.hpp>
#include <heed/core/role.hpp>
#include <heed/kernels/row_sums.hpp>

namespace heed::inline HEED_ABI {

/// sums (cols) += every row of x (rows, cols), in row order whatever the number of threads: the gradient of a bias.
template <Real T>
void add_rows(MatrixView<const T> x, T* sums, ExecutorRef executor = default_executor()) {
  constexpr Index block = 2048;  // columns per task: sums stay in L1, reads are pages long
  for_each_task(executor, (x.cols + block - 1) / block, [&](Index task, Index) {
    const Index first = task * block, count = std::min(block, x.cols - first);
    add_row_sums<T>(x.col_block(first, count), sums + first);
  });
}

namespace detail {

/// x (rows, in) -> y (rows, out) = x weight^T + bias, overwritten; bias (out) or null. Each y is one chain of fused
/// multiply-adds over the inputs that starts from the bias. packed: the same weight, or null; it changes no bit.
template <Real T>
void project_into(MatrixView<const T> x, const std::type_identity_t<MatrixView<const T>>& weight, const T* bias,
                  MatrixView<T> y, ExecutorRef executor, const PackedWeight<T>* packed = nullptr) {
  for (Index i = 0; bias && i < y.rows; ++i) std::copy_n(bias, y.cols, y.row(i));
  const Accumulate accumulate = bias ? Accumulate::yes : Accumulate::no;
  if (packed)
    packed->multiply(x, y, accumulate, executor);
  else
    matmul<T>(Transpose::no, x, Transpose::yes, weight, y, accumulate, executor);
}
/// The same of tensors; bias may be empty.
template <Real T>
void project_into(MatrixView<const T> x, const Tensor<T, 2>& weight, const Tensor<T, 1>& bias, MatrixView<T> y,
                  ExecutorRef executor) {
  project_into<T>(x, as_matrix(weight), bias.size() > 0 ? bias.data() : nullptr, y, executor);
}

/// d_y (rows, out) and the forward's x -> d_x (rows, in), overwritten, or an empty view where nobody needs it.
template <Real T>
void project_back(MatrixView<const T> d_y, const Tensor<T, 2>& weight, MatrixView<T> d_x, ExecutorRef executor) {
  if (d_x.data) matmul<T>(Transpose::no, d_y, Transpose::no, as_matrix(weight), d_x, Accumulate::no, executor);
}

/// Adds to d_weight (out, in) and, unless it is empty, d_bias (out) what d_y (rows, out) and x (rows, in) give.
template <Real T>
void add_projection_gradients(MatrixView<const T> d_y, MatrixView<const T> x, Tensor<T, 2>& d_weight,
                              Tensor<T, 1>& d_bias, ExecutorRef executor) {
  matmul<T>(Transpose::yes, d_y, Transpose::no, x, as_matrix(d_weight), Accumulate::yes, executor);
  if (d_bias.size() > 0) add_rows<T>(d_y, d_bias.data(), executor);
}

}  // namespace detail

/// A weight with an optional bias, of a layer that owns it.
template <Real T>
struct Projection {
  Tensor<T, 2> weight;  // (out_features, in_features)
  Tensor<T, 1> bias;    // (out_features), empty without bias

  static void fields(auto&& visit, auto&... self) {
    visit("weight", self.weight...);
    visit("bias", self.bias..., Role::no_decay);
  }

  Projection() = default;
  /// Glorot's uniform weight; a bias of zeros when bias_size is out_features, none when it is 0.
  Projection(Index out_features, Index in_features, Index bias_size, Rng& rng) : weight(out_features, in_features) {
    fill_glorot(weight, rng);
    if (bias_size > 0) bias = zeros<T, 1>({bias_size});
  }

  Index in_features() const { return weight.dimension(1); }
  Index out_features() const { return weight.dimension(0); }

  /// x (rows, in_features) -> y (rows, out_features), overwritten. Each y is one chain that starts from the bias.
  void forward_into(MatrixView<const T> x, MatrixView<T> y, ExecutorRef executor) const {
    detail::project_into(x, weight, bias, y, executor);
  }
  /// The same for steps (batch, length, in_features), rows contiguous, batch and length at any distance.
  void forward_into(const View<const T, 3>& x, const View<T, 3>& y, ExecutorRef executor) const {
    const auto rows = [](const auto& steps, Index b, Index count, Index stride) {
      return MatrixView(steps.data + b * steps.stride(0), count, steps.dimension(2), stride);
    };
    const Index batch = x.dimension(0), length = x.dimension(1);
    if (length == 1) {
      forward_into(rows(x, 0, batch, x.stride(0)), rows(y, 0, batch, y.stride(0)), executor);
    } else if (x.contiguous() && y.contiguous()) {
      forward_into(rows(x, 0, batch * length, x.stride(1)), rows(y, 0, batch * length, y.stride(1)), executor);
    } else {
      for (Index b = 0; b < batch; ++b) {
        forward_into(rows(x, b, length, x.stride(1)), rows(y, b, length, y.stride(1)), executor);
      }
    }
  }
  /// Adds to grad; d_x (rows, in_features) is overwritten, or an empty view where nobody needs it.
  void backward_into(MatrixView<const T> d_y, MatrixView<const T> x, Projection& grad, MatrixView<T> d_x,
                     ExecutorRef executor) const {
    detail::project_back(d_y, weight, d_x, executor);
    detail::add_projection_gradients(d_y, x, grad.weight, grad.bias, executor);
  }
};

}  // namespace heed::inline HEED_ABI
