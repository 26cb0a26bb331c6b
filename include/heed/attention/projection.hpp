#pragma once
// The linear maps inside attention layers: y = x weight^T [+ bias].

#include <algorithm>
#include <string>

#include <heed/attention/matmul.hpp>
#include <heed/attention/parameter_fill.hpp>
#include <heed/core/role.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// sums (cols) += every row of x, in row order.
template <class T>
void add_row_sums(MatrixView<const T> x, T* sums) {
  for (Index i = 0; i < x.rows; ++i) add_row(sums, x.row(i), x.cols);
}

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
    const bool biased = bias.size() > 0;
    for (Index i = 0; biased && i < y.rows; ++i) std::copy(bias.data(), bias.data() + y.cols, y.row(i));
    matmul<T>(Transpose::no, x, Transpose::yes, as_matrix(weight), y, biased ? Accumulate::yes : Accumulate::no,
              executor);
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
  /// Adds to grad; d_x is overwritten.
  void backward_into(MatrixView<const T> d_y, MatrixView<const T> x, Projection& grad, MatrixView<T> d_x,
                     ExecutorRef executor) const {
    matmul<T>(Transpose::no, d_y, Transpose::no, as_matrix(weight), d_x, Accumulate::no, executor);
    matmul<T>(Transpose::yes, d_y, Transpose::no, x, as_matrix(grad.weight), Accumulate::yes, executor);
    if (bias.size() > 0) add_row_sums<T>(d_y, grad.bias.data());
  }
};

}  // namespace heed::inline HEED_ABI
