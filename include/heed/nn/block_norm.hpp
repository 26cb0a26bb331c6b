#pragma once
// The normalisation of a Transformer's blocks: layer or root mean square, chosen by configuration.

#include <vector>

#include <heed/nn/layer_norm.hpp>
#include <heed/nn/rms_norm.hpp>

namespace heed::inline HEED_ABI {

enum class NormKind { layer, rms };

/// Parameters have the names of the one that it is: weight and bias, or weight.
template <class T>
struct BlockNorm {
  struct Config {
    Index size = 0;
    NormKind kind = NormKind::layer;
    double epsilon = 1e-5;
    Bias bias = Bias::yes;  // of layer normalisation
  };

  LayerNorm<T> layer;
  RmsNorm<T> rms;
  NormKind kind = NormKind::layer;

  /// What was normalised, and of each row the moments (layer) or the factor (rms).
  struct State {
    Tensor<T, 3> x;
    std::vector<RowMoments<T>> moments;
    std::vector<T> factors;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("", self.layer...);
    visit("", self.rms...);
  }

  BlockNorm() = default;
  explicit BlockNorm(const Config& config) : kind(config.kind) {
    if (kind == NormKind::rms)
      rms = RmsNorm<T>({.shape = {config.size}, .epsilon = config.epsilon});
    else
      layer = LayerNorm<T>({.shape = {config.size},
                            .epsilon = config.epsilon,
                            .affine = config.bias == Bias::yes ? Affine::weight_and_bias : Affine::weight});
  }

  /// state.x (batch, length, size) -> its normalisation; the rows' numbers are written.
  Tensor<T, 3> forward(State& state, ExecutorRef executor) const {
    const auto rows = static_cast<std::size_t>(as_matrix(state.x).rows);
    kind == NormKind::layer ? state.moments.resize(rows) : state.factors.resize(rows);
    return normalized(state.x, state.moments.data(), state.factors.data(), executor);
  }
  /// The same again of a state that a forward left.
  Tensor<T, 3> apply(const State& state, ExecutorRef executor) const {
    return normalized(state.x, nullptr, nullptr, executor);
  }
  /// d (batch, length, size) becomes the gradient of state.x; adds to grad.
  void backward(Tensor<T, 3>& d, const State& state, BlockNorm& grad, ExecutorRef executor) const {
    const MatrixView<const T> d_y = as_matrix(std::as_const(d)), x = as_matrix(state.x);
    if (kind == NormKind::layer)
      layer.backward_into(d_y, x, state.moments.data(), as_matrix(d), grad.layer, executor);
    else
      rms.backward_into(d_y, x, state.factors.data(), as_matrix(d), grad.rms, executor);
  }

 private:
  Tensor<T, 3> normalized(const Tensor<T, 3>& x, RowMoments<T>* moments, T* factors, ExecutorRef executor) const {
    Tensor<T, 3> y(extents(x));
    if (kind == NormKind::layer)
      layer.forward_into(as_matrix(x), as_matrix(y), moments, executor);
    else
      rms.forward_into(as_matrix(x), as_matrix(y), factors, executor);
    return y;
  }
};

}  // namespace heed::inline HEED_ABI
