#pragma once
// Root mean square normalisation over the last axes of a tensor: y = x / sqrt(mean(x^2) + epsilon) * weight.
// B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019, eq. 4.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/kernels/normalization.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/nn/row_blocks.hpp>

namespace heed::inline HEED_ABI {

/// Normalises over the last Axes axes, whose extents are the weight's.
template <class T, int Axes = 1>
struct RmsNorm {
  struct Config {
    Extents<Axes> shape{};
    double epsilon = 1e-6;  // torch's own default is the type's machine epsilon
  };

  Tensor<T, Axes> weight;  // shape
  double epsilon = 1e-6;

  /// What backward needs: the input and each row's 1 / sqrt(mean(x^2) + epsilon).
  struct Cache {
    std::vector<T> x, factors;
  };

  static void fields(auto&& visit, auto&... self) { visit("weight", self.weight..., Role::no_decay); }

  RmsNorm() = default;
  /// Weight 1. Throws heed::Error for an extent below 1 or an epsilon that is negative or not finite.
  explicit RmsNorm(const Config& config) : epsilon(config.epsilon) {
    for (const Index extent : config.shape) {
      check(extent > 0, [&] { return "RmsNorm: shape is " + shape_text(config.shape) + ", wanted positive extents"; });
    }
    check(epsilon >= 0 && std::isfinite(epsilon),
          [&] { return "RmsNorm: epsilon is " + std::to_string(epsilon) + ", wanted a finite number from 0 up"; });
    weight = Tensor<T, Axes>(config.shape).setConstant(T(1));
  }

  /// x (..., shape) -> y of x's shape; sums in T. cache null: inference. Throws heed::Error on other last extents.
  template <int Rank>
  Tensor<T, Rank> forward(const Tensor<T, Rank>& x, Cache* cache = nullptr,
                          ExecutorRef executor = default_executor()) const {
    check_last_axes("RmsNorm::forward", "x", x);
    Tensor<T, Rank> y(x.dimensions());
    const Index size = weight.size(), rows = x.size() / size;
    if (cache) {
      cache->x.assign(x.data(), x.data() + x.size());
      cache->factors.resize(static_cast<std::size_t>(rows));
    }
    forward_into({x.data(), rows, size}, {y.data(), rows, size}, cache ? cache->factors.data() : nullptr, executor);
    return y;
  }
  /// The same for rows (rows, elements of shape); factors (rows) may be null, y may be x.
  void forward_into(const MatrixView<const T>& x, const MatrixView<T>& y, T* factors,
                    ExecutorRef executor = default_executor()) const {
    detail::for_each_row(x.rows, executor, [&](Index, Index row) {
      const T factor = rms_norm_row(x.row(row), weight.data(), static_cast<T>(epsilon), y.row(row), x.cols);
      if (factors) factors[row] = factor;
    });
  }

  /// d_y -> d_x, both of x's shape; adds to grad. Rows are summed in fixed blocks that are joined in order.
  template <int Rank>
  Tensor<T, Rank> backward(const Tensor<T, Rank>& d_y, const Cache& cache, RmsNorm& grad,
                           ExecutorRef executor = default_executor()) const {
    check_last_axes("RmsNorm::backward", "d_y", d_y);
    check_extent("RmsNorm::backward", "d_y", "size", d_y.size(), static_cast<Index>(cache.x.size()));
    check_shape("RmsNorm::backward", "grad.weight", extents(grad.weight), extents(weight));
    Tensor<T, Rank> d_x(d_y.dimensions());
    const Index size = weight.size(), rows = d_y.size() / size;
    backward_into({d_y.data(), rows, size}, {cache.x.data(), rows, size}, cache.factors.data(), {d_x.data(), rows, size},
                  grad, executor);
    return d_x;
  }
  /// The same for rows; d_x may be d_y.
  void backward_into(const MatrixView<const T>& d_y, const MatrixView<const T>& x, const T* factors,
                     const MatrixView<T>& d_x, RmsNorm& grad, ExecutorRef executor = default_executor()) const {
    detail::BlockSums<T> sums(weight.size(), x.rows);
    detail::for_each_row(x.rows, executor, [&](Index block, Index row) {
      rms_norm_backward_row(x.row(row), weight.data(), factors[row], d_y.row(row), d_x.row(row), sums.block(block),
                            x.cols);
    });
    sums.add_to(grad.weight.data());
  }

 private:
  template <int Rank>
  void check_last_axes(const char* function, const char* argument, const Tensor<T, Rank>& x) const {
    static_assert(Rank >= Axes);
    check(weight.size() > 0, [&] { return std::string(function) + ": the layer has no shape, wanted RmsNorm(Config)"; });
    Extents<Rank> wanted;
    wanted.fill(-1);
    const Extents<Axes> shape = extents(weight);
    std::copy(shape.begin(), shape.end(), wanted.end() - Axes);
    check_shape(function, argument, extents(x), wanted);
  }
};

}  // namespace heed::inline HEED_ABI
