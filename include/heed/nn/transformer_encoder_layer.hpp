#pragma once
// One layer of a Transformer's encoder: self-attention and a feed-forward layer, each with its shortcut.
//   A. Vaswani et al., "Attention Is All You Need", 2017, section 3.1. Parameters have the names of PyTorch's
//   TransformerEncoderLayer.

#include <heed/nn/feed_forward.hpp>
#include <heed/nn/multi_head_attention.hpp>
#include <heed/nn/residual.hpp>

namespace heed::inline HEED_ABI {

/// Of encoder and decoder layers.
struct TransformerLayerConfig {
  Index model_dim = 512, heads = 8, hidden_dim = 2048;
  Index kv_heads = 0;  // heads
  Activation activation = Activation::relu;
  Gate gate = Gate::no;
  NormKind norm = NormKind::layer;
  NormPlace norm_place = NormPlace::after;
  double epsilon = 1e-5;
  Bias bias = Bias::yes;
  double dropout = 0;             // of sublayers' results
  double attention_dropout = 0;   // of attention weights
  double activation_dropout = 0;  // of hidden features

  MultiHeadConfig attention() const {
    return {.model_dim = model_dim, .heads = heads, .kv_heads = kv_heads, .bias = bias, .dropout = attention_dropout};
  }
  template <class T>
  Residual<T> residual() const {
    return {BlockNorm<T>({.size = model_dim, .kind = norm, .epsilon = epsilon, .bias = bias}), Dropout<T>(dropout), norm_place};
  }
  template <class T>
  FeedForward<T> feed_forward(Rng& rng) const {
    return FeedForward<T>({.model_dim = model_dim,
                           .hidden_dim = hidden_dim,
                           .activation = activation,
                           .gate = gate,
                           .bias = bias,
                           .dropout = activation_dropout},
                          rng);
  }
};

template <class T>
struct TransformerEncoderLayer {
  using Config = TransformerLayerConfig;

  MultiHeadAttention<T> self_attn;
  FeedForward<T> feed_forward;
  Residual<T> norm1, norm2;  // around self-attention, around the feed-forward layer

  /// What backward needs.
  struct Cache {
    Tensor<T, 3> x;  // the input, where the norms come after and do not keep it
    typename MultiHeadAttention<T>::State self_attn;
    typename FeedForward<T>::State feed_forward;
    typename Residual<T>::State norm1, norm2;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("self_attn", self.self_attn...);
    visit("", self.feed_forward...);
    visit("norm1", self.norm1...);
    visit("norm2", self.norm2...);
  }

  TransformerEncoderLayer() = default;
  /// Throws heed::Error for sizes that do not fit each other.
  TransformerEncoderLayer(const Config& config, Rng& rng)
      : self_attn(config.attention(), rng),
        feed_forward(config.feed_forward<T>(rng)),
        norm1(config.residual<T>()),
        norm2(config.residual<T>()) {}

  /// x (batch, length, model_dim) -> the same shape. options.mask is over (batch, heads, length, length); options.rng null:
  /// evaluation; cache null: no backward will follow.
  Tensor<T, 3> forward(const Tensor<T, 3>& x, const MultiHeadOptions<T>& options = {}, Cache* cache = nullptr,
                       ExecutorRef executor = default_executor()) const {
    Cache local;
    Cache& kept = cache ? *cache : local;
    const auto attend = [&](const Tensor<T, 3>& in) {
      return self_attn.run({in, in, in}, options, kept.self_attn, executor).output;
    };
    const auto feed = [&](const Tensor<T, 3>& in) { return feed_forward.run(in, options.rng, kept.feed_forward, executor); };
    Tensor<T, 3> attended = norm1.forward(x, attend, options.rng, kept.norm1, executor);
    if (cache && norm1.place == NormPlace::after) cache->x = x;
    return norm2.forward(attended, feed, options.rng, kept.norm2, executor);
  }

  /// d_y and the forward's options -> d_x; adds to grad.
  Tensor<T, 3> backward(Tensor<T, 3> d_y, const Cache& cache, const MultiHeadOptions<T>& options,
                        TransformerEncoderLayer& grad, ExecutorRef executor = default_executor()) const {
    const auto feed_back = [&](const Tensor<T, 3>& d, const Tensor<T, 3>& in) {
      return feed_forward.run_backward(d, in, cache.feed_forward, grad.feed_forward, executor);
    };
    const auto attend_back = [&](const Tensor<T, 3>& d, const Tensor<T, 3>& in) {
      return self_attn.run_backward(d, {in, in, in}, cache.self_attn, options, grad.self_attn, executor).query;
    };
    norm2.backward(d_y, norm1.result(cache.norm1, executor), feed_back, cache.norm2, grad.norm2, executor);
    norm1.backward(d_y, cache.x, attend_back, cache.norm1, grad.norm1, executor);
    return d_y;
  }
};

}  // namespace heed::inline HEED_ABI
