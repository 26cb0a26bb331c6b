#pragma once
// Root mean square normalisation over the last axis: y = x / sqrt(mean(x^2) + epsilon) * weight.
// B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019, eq. 4.

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

template <class T>
struct RmsNorm {
  struct Config {
    Index size = 0;  // of the last axis
    double epsilon = 1e-6;
  };

  Tensor<T, 1> weight;  // (size)
  double epsilon = 1e-6;

  /// What backward needs: the input and each row's 1 / sqrt(mean(x^2) + epsilon).
  struct Cache {
    std::vector<T> x, factors;
  };

  static void fields(auto&& visit, auto&... self) { visit("weight", self.weight..., Role::no_decay); }

  RmsNorm() = default;
  /// Weight 1. Throws heed::Error for a size below 1 or an epsilon that is negative or not finite.
  explicit RmsNorm(const Config& config) : epsilon(config.epsilon) {
    check(config.size > 0,
          [&] { return "RmsNorm: size is " + std::to_string(config.size) + ", wanted a positive number"; });
    check(epsilon >= 0 && std::isfinite(epsilon),
          [&] { return "RmsNorm: epsilon is " + std::to_string(epsilon) + ", wanted a finite number from 0 up"; });
    weight = Tensor<T, 1>(config.size).setConstant(T(1));
  }

  /// x (..., size) -> y of x's shape; sums in T. cache null: inference. Throws heed::Error on another last extent.
  template <int Rank>
  Tensor<T, Rank> forward(const Tensor<T, Rank>& x, Cache* cache = nullptr,
                          ExecutorRef executor = default_executor()) const {
    check_last("RmsNorm::forward", "x", x);
    Tensor<T, Rank> y(x.dimensions());
    const MatrixView<const T> rows = as_matrix(x);
    if (cache) {
      cache->x.assign(x.data(), x.data() + x.size());
      cache->factors.resize(static_cast<std::size_t>(rows.rows));
    }
    forward_into(rows, as_matrix(y), cache ? cache->factors.data() : nullptr, executor);
    return y;
  }
  /// The same for rows (rows, size); factors (rows) may be null, y may be x.
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
    check_last("RmsNorm::backward", "d_y", d_y);
    check_extent("RmsNorm::backward", "d_y", "size", d_y.size(), static_cast<Index>(cache.x.size()));
    check_shape("RmsNorm::backward", "grad.weight", extents(grad.weight), extents(weight));
    Tensor<T, Rank> d_x(d_y.dimensions());
    const MatrixView<const T> rows = as_matrix(d_y);
    backward_into(rows, {cache.x.data(), rows.rows, rows.cols}, cache.factors.data(), as_matrix(d_x), grad, executor);
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
  void check_last(const char* function, const char* argument, const Tensor<T, Rank>& x) const {
    static_assert(Rank >= 1);
    check(weight.size() > 0, [&] { return std::string(function) + ": the layer has no size, wanted RmsNorm(Config)"; });
    Extents<Rank> wanted;
    wanted.fill(-1);
    wanted.back() = weight.size();
    check_shape(function, argument, extents(x), wanted);
  }
};

}  // namespace heed::inline HEED_ABI
