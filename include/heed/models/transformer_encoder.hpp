#pragma once
// A Transformer's encoder: layers one behind the other, and a last normalisation. Parameters have the names of PyTorch's
// TransformerEncoder.

#include <string>
#include <vector>

#include <heed/models/token_positions.hpp>
#include <heed/nn/transformer_encoder_layer.hpp>

namespace heed::inline HEED_ABI {

/// Whether a stack of layers normalises its result: needed where the layers normalise before their sublayers.
enum class FinalNorm { no, yes };

/// Of both stacks.
struct TransformerStackConfig {
  TransformerLayerConfig layer = {};
  Index layers = 6;
  FinalNorm final_norm = FinalNorm::no;
  Positions positions = Positions::none;  // where tokens stand: added to the input or told to every self-attention
  PositionOptions position_options = {};
  Index max_length = 512;  // of sines, learned rows and rotary tables

  Index checked_layers(const char* who) const {
    check(layers > 0, [&] { return std::string(who) + ": layers is " + std::to_string(layers) + ", wanted at least 1"; });
    return layers;
  }
  /// The last normalisation, or one without parameters.
  template <class T>
  BlockNorm<T> norm() const {
    return final_norm == FinalNorm::yes ? layer.residual<T>().norm : BlockNorm<T>();
  }
  template <class T>
  TokenPositions<T> token_positions(BucketDirection direction, Rng& rng) const {
    return TokenPositions<T>({positions, max_length, layer.model_dim, layer.heads, position_options, direction}, rng);
  }
};

template <class T>
struct TransformerEncoder {
  std::vector<TransformerEncoderLayer<T>> layers;
  BlockNorm<T> norm;
  FinalNorm final_norm = FinalNorm::no;
  TokenPositions<T> positions;

  struct Cache {
    std::vector<typename TransformerEncoderLayer<T>::Cache> layers;
    typename BlockNorm<T>::State norm;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("layers", self.layers...);
    visit("norm", self.norm...);
    visit("positions", self.positions...);
  }

  TransformerEncoder() = default;
  /// Throws heed::Error for sizes that do not fit each other.
  TransformerEncoder(const TransformerStackConfig& config, Rng& rng)
      : norm(config.norm<T>()), final_norm(config.final_norm) {
    for (Index i = 0; i < config.checked_layers("TransformerEncoder"); ++i) layers.emplace_back(config.layer, rng);
    positions = config.token_positions<T>(BucketDirection::both, rng);
  }

  /// x (batch, length, model_dim) -> the same shape; the options are every layer's. cache null: no backward will follow.
  Tensor<T, 3> forward(const Tensor<T, 3>& x, const MultiHeadOptions<T>& options = {}, Cache* cache = nullptr,
                       ExecutorRef executor = default_executor()) const {
    if (cache) cache->layers.resize(layers.size());
    const detail::PlacedCall<T> call("TransformerEncoder::forward", positions, options, x, 0, executor);
    Tensor<T, 3> y = call.input(x);
    for (std::size_t i = 0; i < layers.size(); ++i)
      y = layers[i].forward(y, call.options(), cache ? &cache->layers[i] : nullptr, executor);
    if (final_norm == FinalNorm::no) return y;
    typename BlockNorm<T>::State local;
    auto& state = cache ? cache->norm : local;
    state.x = std::move(y);
    return norm.forward(state, executor);
  }

  /// d_y and the forward's options -> d_x; adds to grad.
  Tensor<T, 3> backward(Tensor<T, 3> d, const Cache& cache, const MultiHeadOptions<T>& options, TransformerEncoder& grad,
                        ExecutorRef executor = default_executor()) const {
    detail::PlacedCall<T> call("TransformerEncoder::backward", positions, options, d, 0, executor);
    const MultiHeadOptions<T>& told = call.backward_options();
    if (final_norm == FinalNorm::yes) norm.backward(d, cache.norm, grad.norm, executor);
    for (std::size_t i = layers.size(); i-- > 0;)
      d = layers[i].backward(std::move(d), cache.layers[i], told, grad.layers[i], executor);
    call.finish(d, grad.positions);
    return d;
  }
};

}  // namespace heed::inline HEED_ABI
