#pragma once
// A Transformer's decoder: layers one behind the other, each of which reads the encoder's output, and a last
// normalisation. Parameters have the names of PyTorch's TransformerDecoder.

#include <heed/models/transformer_encoder.hpp>
#include <heed/nn/transformer_decoder_layer.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct TransformerDecoder {
  using Layer = TransformerDecoderLayer<T>;
  using Options = typename Layer::Options;
  using Gradients = typename Layer::Gradients;

  std::vector<Layer> layers;
  BlockNorm<T> norm;
  FinalNorm final_norm = FinalNorm::no;
  TokenPositions<T> positions;

  struct Cache {
    std::vector<typename Layer::Cache> layers;
    typename BlockNorm<T>::State norm;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("layers", self.layers...);
    visit("norm", self.norm...);
    visit("positions", self.positions...);
  }

  TransformerDecoder() = default;
  /// Throws heed::Error for sizes that do not fit each other.
  TransformerDecoder(const TransformerStackConfig& config, Rng& rng)
      : norm(config.norm<T>()), final_norm(config.final_norm) {
    for (Index i = 0; i < config.checked_layers("TransformerDecoder"); ++i) layers.emplace_back(config.layer, rng);
    positions = config.token_positions<T>(BucketDirection::past, rng);
  }

  /// x (batch, length, model_dim), memory (batch, memory_length, model_dim) -> x's shape; the options are every layer's.
  /// cache null: no backward will follow.
  Tensor<T, 3> forward(const Tensor<T, 3>& x, const Tensor<T, 3>& memory, const Options& options = {},
                       Cache* cache = nullptr, ExecutorRef executor = default_executor()) const {
    if (cache) cache->layers.resize(layers.size());
    const Call call("TransformerDecoder::forward", positions, options.self, x, 0, executor);
    const Options told{call.options(), options.memory};
    Tensor<T, 3> y = call.input(x);
    for (std::size_t i = 0; i < layers.size(); ++i)
      y = layers[i].forward(y, memory, told, cache ? &cache->layers[i] : nullptr, executor);
    return normed(std::move(y), cache ? &cache->norm : nullptr, executor);
  }

  /// d_y, the forward's memory and options -> gradients of both inputs; adds to grad.
  Gradients backward(Tensor<T, 3> d, const Tensor<T, 3>& memory, const Cache& cache, const Options& options,
                     TransformerDecoder& grad, ExecutorRef executor = default_executor()) const {
    Call call("TransformerDecoder::backward", positions, options.self, d, 0, executor);
    const Options told{call.backward_options(), options.memory};
    if (final_norm == FinalNorm::yes) norm.backward(d, cache.norm, grad.norm, executor);
    Gradients all{std::move(d), zeros<T, 3>(extents(memory))};
    for (std::size_t i = layers.size(); i-- > 0;) {
      Gradients one = layers[i].backward(std::move(all.x), memory, cache.layers[i], told, grad.layers[i], executor);
      all.x = std::move(one.x);
      detail::add_into(all.memory, one.memory, executor);
    }
    call.finish(all.x, grad.positions);
    return all;
  }

  /// What decoding keeps: every layer's past and its projection of the memory.
  struct State {
    std::vector<typename Layer::State> layers;
  };
  State start(const Tensor<T, 3>& memory, const MultiHeadOptions<T>& options, Index steps,
              ExecutorRef executor = default_executor()) const {
    State state;
    for (const Layer& layer : layers) state.layers.push_back(layer.start(memory, options, steps, executor));
    return state;
  }
  /// Every layer's weights in the order in which steps read them, made once per model.
  using Packed = std::vector<typename Layer::Packed>;
  Packed pack() const {
    Packed packed;
    for (const Layer& layer : layers) packed.push_back(layer.pack());
    return packed;
  }
  /// x (batch, steps, model_dim), the newest steps -> their output; the state moves on. Options as a layer's step has them.
  Tensor<T, 3> step(const Tensor<T, 3>& x, const Options& options, State& state,
                    ExecutorRef executor = default_executor(), const Packed* packed = nullptr) const {
    const Index past = state.layers.empty() ? 0 : state.layers.front().past.position();
    const Call call("TransformerDecoder::step", positions, options.self, x, past, executor);
    const Options told{call.options(), options.memory};
    Tensor<T, 3> y = call.input(x);
    for (std::size_t i = 0; i < layers.size(); ++i)
      y = layers[i].step(y, told, state.layers[i], executor, packed ? &(*packed)[i] : nullptr);
    return normed(std::move(y), nullptr, executor);
  }

 private:
  using Call = detail::PlacedCall<T>;

  Tensor<T, 3> normed(Tensor<T, 3> y, typename BlockNorm<T>::State* kept, ExecutorRef executor) const {
    if (final_norm == FinalNorm::no) return y;
    typename BlockNorm<T>::State local;
    auto& state = kept ? *kept : local;
    state.x = std::move(y);
    return norm.forward(state, executor);
  }
};

}  // namespace heed::inline HEED_ABI
