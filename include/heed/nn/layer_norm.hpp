#pragma once
// Layer normalisation over the last axes of a tensor.
// J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", arXiv:1607.06450, eq. 4.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/kernels/normalization.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/nn/row_blocks.hpp>

namespace heed::inline HEED_ABI {

/// Which parameters a LayerNorm has.
enum class Affine { none, weight, weight_and_bias };

/// Normalises over the last Axes axes, whose extents are `shape`.
template <class T, int Axes = 1>
struct LayerNorm {
  struct Config {
    Extents<Axes> shape{};
    double epsilon = 1e-5;  // Keras' own default is 1e-3
    Affine affine = Affine::weight_and_bias;
  };

  Tensor<T, Axes> weight;  // shape; empty without
  Tensor<T, Axes> bias;    // shape; empty without
  Extents<Axes> shape{};
  double epsilon = 1e-5;

  /// What backward needs: the input and each row's moments.
  struct Cache {
    std::vector<T> x;
    std::vector<RowMoments<T>> moments;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("weight", self.weight..., Role::no_decay);
    visit("bias", self.bias..., Role::no_decay);
  }

  LayerNorm() = default;
  /// Weight 1, bias 0. Throws heed::Error for an extent below 1 or an epsilon that is negative or not finite.
  explicit LayerNorm(const Config& config) : shape(config.shape), epsilon(config.epsilon) {
    for (const Index extent : shape) {
      check(extent > 0, [&] { return "LayerNorm: shape is " + shape_text(shape) + ", wanted positive extents"; });
    }
    check(epsilon >= 0 && std::isfinite(epsilon),
          [&] { return "LayerNorm: epsilon is " + std::to_string(epsilon) + ", wanted a finite number from 0 up"; });
    if (config.affine != Affine::none) weight = Tensor<T, Axes>(shape).setConstant(T(1));
    if (config.affine == Affine::weight_and_bias) bias = zeros<T, Axes>(shape);
  }

  /// x (..., shape) -> y of x's shape; moments in T. cache null: inference. Throws heed::Error on other last extents.
  template <int Rank>
  Tensor<T, Rank> forward(const Tensor<T, Rank>& x, Cache* cache = nullptr,
                          ExecutorRef executor = default_executor()) const {
    check_last_axes("LayerNorm::forward", "x", x);
    Tensor<T, Rank> y(x.dimensions());
    const Index size = row_size(), rows = x.size() / size;
    if (cache) {
      cache->x.assign(x.data(), x.data() + x.size());
      cache->moments.resize(static_cast<std::size_t>(rows));
    }
    forward_into({x.data(), rows, size}, {y.data(), rows, size}, cache ? cache->moments.data() : nullptr, executor);
    return y;
  }
  /// The same for rows (rows, elements of shape); moments (rows) may be null, y may be x.
  void forward_into(const MatrixView<const T>& x, const MatrixView<T>& y, RowMoments<T>* moments,
                    ExecutorRef executor = default_executor()) const {
    detail::for_each_row(x.rows, executor, [&](Index, Index row) {
      const RowMoments<T> found =
          layer_norm_row(x.row(row), data(weight), data(bias), static_cast<T>(epsilon), y.row(row), x.cols);
      if (moments) moments[row] = found;
    });
  }

  /// d_y -> d_x, both of x's shape; adds to grad. Rows are summed in fixed blocks that are joined in order.
  template <int Rank>
  Tensor<T, Rank> backward(const Tensor<T, Rank>& d_y, const Cache& cache, LayerNorm& grad,
                           ExecutorRef executor = default_executor()) const {
    check_last_axes("LayerNorm::backward", "d_y", d_y);
    check_extent("LayerNorm::backward", "d_y", "size", d_y.size(), static_cast<Index>(cache.x.size()));
    check_shape("LayerNorm::backward", "grad.weight", extents(grad.weight), extents(weight));
    check_shape("LayerNorm::backward", "grad.bias", extents(grad.bias), extents(bias));
    Tensor<T, Rank> d_x(d_y.dimensions());
    const Index size = row_size(), rows = d_y.size() / size;
    backward_into({d_y.data(), rows, size}, {cache.x.data(), rows, size}, cache.moments.data(), {d_x.data(), rows, size},
                  grad, executor);
    return d_x;
  }
  /// The same for rows; d_x may be d_y.
  void backward_into(const MatrixView<const T>& d_y, const MatrixView<const T>& x, const RowMoments<T>* moments,
                     const MatrixView<T>& d_x, LayerNorm& grad, ExecutorRef executor = default_executor()) const {
    detail::BlockSums<T> weight_sums(weight.size(), x.rows), bias_sums(bias.size(), x.rows);
    detail::for_each_row(x.rows, executor, [&](Index block, Index row) {
      layer_norm_backward_row(x.row(row), data(weight), moments[row], d_y.row(row), d_x.row(row),
                              weight_sums.block(block), bias_sums.block(block), x.cols);
    });
    weight_sums.add_to(grad.weight.data());
    bias_sums.add_to(grad.bias.data());
  }

 private:
  static const T* data(const Tensor<T, Axes>& parameter) { return parameter.size() > 0 ? parameter.data() : nullptr; }

  Index row_size() const {
    Index size = 1;
    for (const Index extent : shape) size *= extent;
    return size;
  }
  template <int Rank>
  void check_last_axes(const char* function, const char* argument, const Tensor<T, Rank>& x) const {
    static_assert(Rank >= Axes);
    check(row_size() > 0, [&] { return std::string(function) + ": the layer has no shape, wanted LayerNorm(Config)"; });
    Extents<Rank> wanted;
    wanted.fill(-1);
    std::copy(shape.begin(), shape.end(), wanted.end() - Axes);
    check_shape(function, argument, extents(x), wanted);
  }
};

}  // namespace heed::inline HEED_ABI
