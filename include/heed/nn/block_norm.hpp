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

  /// What was normalised, and each row's moments (the factor alone of rms).
  struct State {
    Tensor<T, 3> x;
    std::vector<RowMoments<T>> moments;
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

  /// state.x (batch, length, size) -> its normalisation; state.moments are written.
  Tensor<T, 3> forward(State& state, ExecutorRef executor) const {
    state.moments.resize(static_cast<std::size_t>(as_matrix(state.x).rows));
    return apply(state.x, state.moments.data(), executor);
  }
  /// The same again of a state that a forward left, or of an x that nobody will go back through.
  Tensor<T, 3> apply(const Tensor<T, 3>& x, RowMoments<T>* moments, ExecutorRef executor) const {
    Tensor<T, 3> y(extents(x));
    if (kind == NormKind::layer) {
      layer.forward_into(as_matrix(x), as_matrix(y), moments, executor);
    } else {
      std::vector<T> factors(moments ? static_cast<std::size_t>(as_matrix(x).rows) : 0);
      rms.forward_into(as_matrix(x), as_matrix(y), moments ? factors.data() : nullptr, executor);
      for (std::size_t i = 0; i < factors.size(); ++i) moments[i] = {T(0), factors[i]};
    }
    return y;
  }
  /// d (batch, length, size) becomes the gradient of state.x; adds to grad.
  void backward(Tensor<T, 3>& d, const State& state, BlockNorm& grad, ExecutorRef executor) const {
    const MatrixView<const T> d_y = as_matrix(std::as_const(d)), x = as_matrix(state.x);
    if (kind == NormKind::layer) return layer.backward_into(d_y, x, state.moments.data(), as_matrix(d), grad.layer, executor);
    std::vector<T> factors;
    for (const RowMoments<T>& row : state.moments) factors.push_back(row.inverse_deviation);
    rms.backward_into(d_y, x, factors.data(), as_matrix(d), grad.rms, executor);
  }
};

}  // namespace heed::inline HEED_ABI
