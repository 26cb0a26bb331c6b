#pragma once
// The fully connected layer: y = x weight^T + bias on the last axis of x, any leading axes.

#include <string>

#include <heed/attention/packed_weight.hpp>
#include <heed/attention/projection.hpp>
#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/nn/parameters.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct Dense {
  struct Config {
    Index in_features = 0, out_features = 0;
    Bias bias = Bias::yes;
  };

  Tensor<T, 2> weight;  // (out_features, in_features)
  Tensor<T, 1> bias;    // (out_features), empty without bias

  /// What backward needs: the input, leading axes folded.
  struct Cache {
    Tensor<T, 2> x;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("weight", self.weight...);
    visit("bias", self.bias..., Role::no_decay);
  }

  Dense() = default;
  /// Glorot's uniform weight and a bias of zeros, Keras' start. Throws heed::Error for sizes below 1.
  Dense(const Config& config, Rng& rng) {
    check(config.in_features > 0 && config.out_features > 0, [&] {
      return "Dense: in_features is " + std::to_string(config.in_features) + " and out_features " +
             std::to_string(config.out_features) + ", wanted both positive";
    });
    weight = Tensor<T, 2>(config.out_features, config.in_features);
    glorot_uniform(weight, rng);
    if (config.bias == Bias::yes) bias = zeros<T, 1>({config.out_features});
  }

  Index in_features() const { return weight.dimension(1); }
  Index out_features() const { return weight.dimension(0); }

  /// x (..., in_features) -> y (..., out_features). cache null: inference. Each y is one chain of fused multiply-adds
  /// over in_features that starts from the bias. Throws heed::Error on another last extent.
  template <int Rank>
  Tensor<T, Rank> forward(const Tensor<T, Rank>& x, Cache* cache = nullptr,
                          ExecutorRef executor = default_executor()) const {
    Tensor<T, Rank> y(with_last("Dense::forward", "x", x, in_features(), out_features()));
    forward_into(as_matrix(x), as_matrix(y), executor);
    if (cache) cache->x = folded(x);
    return y;
  }

  /// d_y (..., out_features) -> d_x (..., in_features); adds to grad.
  template <int Rank>
  Tensor<T, Rank> backward(const Tensor<T, Rank>& d_y, const Cache& cache, Dense& grad,
                           ExecutorRef executor = default_executor()) const {
    Tensor<T, Rank> d_x(with_last("Dense::backward", "d_y", d_y, out_features(), in_features()));
    backward_into(as_matrix(d_y), as_matrix(cache.x), grad, as_matrix(d_x), executor);
    return d_x;
  }

  /// The weight in the order in which a product reads it: for one that many steps multiply with, made once per model.
  PackedWeight<T> pack() const { return PackedWeight<T>(Transpose::yes, View<const T, 2>(weight)); }

  /// x (rows, in_features) -> y (rows, out_features), overwritten; y overlaps no input. packed: pack(), or null; it changes
  /// no bit.
  void forward_into(MatrixView<const T> x, MatrixView<T> y, ExecutorRef executor = default_executor(),
                    const PackedWeight<T>* packed = nullptr) const {
    check_shape("Dense::forward", "x", Extents<2>{x.rows, x.cols}, Extents<2>{-1, in_features()});
    check_shape("Dense::forward", "y", Extents<2>{y.rows, y.cols}, Extents<2>{x.rows, out_features()});
    detail::project_into(x, as_matrix(weight), bias.size() > 0 ? bias.data() : nullptr, y, executor, packed);
  }

  /// d_y (rows, out_features), the forward's x (rows, in_features) -> adds to grad; d_x (rows, in_features),
  /// overwritten, or an empty view where nobody needs it.
  void backward_into(MatrixView<const T> d_y, MatrixView<const T> x, Dense& grad, MatrixView<T> d_x,
                     ExecutorRef executor = default_executor()) const {
    check_shape("Dense::backward", "d_y", Extents<2>{d_y.rows, d_y.cols}, Extents<2>{-1, out_features()});
    check_shape("Dense::backward", "cache.x", Extents<2>{x.rows, x.cols}, Extents<2>{d_y.rows, in_features()});
    check_shape("Dense::backward", "grad.weight", extents(grad.weight), extents(weight));
    check_shape("Dense::backward", "grad.bias", extents(grad.bias), extents(bias));
    if (d_x.data) {
      check_shape("Dense::backward", "d_x", Extents<2>{d_x.rows, d_x.cols}, Extents<2>{d_y.rows, in_features()});
    }
    detail::project_back(d_y, weight, d_x, executor);
    detail::add_projection_gradients(d_y, x, grad.weight, grad.bias, executor);
  }

 private:
  template <int Rank>
  static Extents<Rank> with_last(const char* function, const char* argument, const Tensor<T, Rank>& tensor,
                                 Index wanted, Index replacement) {
    static_assert(Rank >= 1);
    Extents<Rank> shape = extents(tensor), expected;
    expected.fill(-1);
    expected.back() = wanted;
    check_shape(function, argument, shape, expected);
    shape.back() = replacement;
    return shape;
  }
  template <int Rank>
  static Tensor<T, 2> folded(const Tensor<T, Rank>& x) {
    const MatrixView<const T> rows = as_matrix(x);
    return Eigen::TensorMap<const Tensor<T, 2>>(x.data(), rows.rows, rows.cols);
  }
};

}  // namespace heed::inline HEED_ABI
