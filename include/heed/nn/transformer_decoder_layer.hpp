#pragma once
// One layer of a Transformer's decoder: self-attention, attention to the encoder's output, and a feed-forward layer, each
// with its shortcut.
//   A. Vaswani et al., "Attention Is All You Need", 2017, section 3.1. Parameters have the names of PyTorch's
//   TransformerDecoderLayer.

#include <heed/attention/key_value_cache.hpp>
#include <heed/nn/transformer_encoder_layer.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct TransformerDecoderLayer {
  using Config = TransformerLayerConfig;

  MultiHeadAttention<T> self_attn, multihead_attn;  // the second reads the memory
  FeedForward<T> feed_forward;
  Residual<T> norm1, norm2, norm3;  // around the three, in this order

  /// What backward needs.
  struct Cache {
    Tensor<T, 3> x;  // the input, where the norms come after and do not keep it
    typename MultiHeadAttention<T>::State self_attn, multihead_attn;
    typename FeedForward<T>::State feed_forward;
    typename Residual<T>::State norm1, norm2, norm3;
  };
  /// What a call is told: mask and bias of self-attention over (batch, heads, length, length), of the memory's attention
  /// over (batch, heads, length, memory_length). self.rng serves the whole layer.
  struct Options {
    MultiHeadOptions<T> self = {}, memory = {};
  };
  struct Gradients {
    Tensor<T, 3> x, memory;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("self_attn", self.self_attn...);
    visit("multihead_attn", self.multihead_attn...);
    visit("", self.feed_forward...);
    visit("norm1", self.norm1...);
    visit("norm2", self.norm2...);
    visit("norm3", self.norm3...);
  }

  TransformerDecoderLayer() = default;
  /// Throws heed::Error for sizes that do not fit each other.
  TransformerDecoderLayer(const Config& config, Rng& rng)
      : self_attn(config.attention(), rng),
        multihead_attn(config.attention(), rng),
        feed_forward(config.feed_forward<T>(rng)),
        norm1(config.residual<T>()),
        norm2(config.residual<T>()),
        norm3(config.residual<T>()) {}

  /// x (batch, length, model_dim), memory (batch, memory_length, model_dim) -> x's shape. cache null: no backward will
  /// follow.
  Tensor<T, 3> forward(const Tensor<T, 3>& x, const Tensor<T, 3>& memory, const Options& options = {},
                       Cache* cache = nullptr, ExecutorRef executor = default_executor()) const {
    Cache local;
    Cache& kept = cache ? *cache : local;
    Rng* const rng = options.self.rng;
    MultiHeadOptions<T> memory_options = options.memory;
    memory_options.rng = rng;
    const auto attend = [&](const Tensor<T, 3>& in) {
      return self_attn.run({in, in, in}, options.self, kept.self_attn, executor).output;
    };
    const auto read = [&](const Tensor<T, 3>& in) {
      return multihead_attn.run({in, memory, memory}, memory_options, kept.multihead_attn, executor).output;
    };
    const auto feed = [&](const Tensor<T, 3>& in) { return feed_forward.run(in, rng, kept.feed_forward, executor); };
    const Tensor<T, 3> attended = norm1.forward(x, attend, rng, kept.norm1, executor);
    if (cache && norm1.place == NormPlace::after) cache->x = x;
    return norm3.forward(norm2.forward(attended, read, rng, kept.norm2, executor), feed, rng, kept.norm3, executor);
  }

  /// d_y, the forward's memory and options -> gradients of both inputs; adds to grad.
  Gradients backward(Tensor<T, 3> d_y, const Tensor<T, 3>& memory, const Cache& cache, const Options& options,
                     TransformerDecoderLayer& grad, ExecutorRef executor = default_executor()) const {
    Gradients result;
    const auto feed_back = [&](const Tensor<T, 3>& d, const Tensor<T, 3>& in) {
      return feed_forward.run_backward(d, in, cache.feed_forward, grad.feed_forward, executor);
    };
    const auto read_back = [&](const Tensor<T, 3>& d, const Tensor<T, 3>& in) {
      auto d_in = multihead_attn.run_backward(d, {in, memory, memory}, cache.multihead_attn, options.memory,
                                              grad.multihead_attn, executor);
      result.memory = std::move(d_in.key);
      return std::move(d_in.query);
    };
    const auto attend_back = [&](const Tensor<T, 3>& d, const Tensor<T, 3>& in) {
      return self_attn.run_backward(d, {in, in, in}, cache.self_attn, options.self, grad.self_attn, executor).query;
    };
    norm3.backward(d_y, norm2.result(cache.norm2, executor), feed_back, cache.norm3, grad.norm3, executor);
    norm2.backward(d_y, norm1.result(cache.norm1, executor), read_back, cache.norm2, grad.norm2, executor);
    norm1.backward(d_y, cache.x, attend_back, cache.norm1, grad.norm1, executor);
    result.x = std::move(d_y);
    return result;
  }

  /// What one layer keeps while it decodes: its own past, and the memory, projected once.
  struct State {
    KeyValueCache<T> past;
    typename MultiHeadAttention<T>::Memory memory;
    typename MultiHeadAttention<T>::State self_attn, multihead_attn;
    typename FeedForward<T>::State feed_forward;
    typename Residual<T>::State norm1, norm2, norm3;
    explicit State(const typename KeyValueCache<T>::Config& config) : past(config) {}
  };
  /// memory (batch, memory_length, model_dim) -> the state before the first step, with room for `steps`.
  State start(const Tensor<T, 3>& memory, const MultiHeadOptions<T>& options, Index steps,
              ExecutorRef executor = default_executor()) const {
    const MultiHeadConfig& config = self_attn.config;
    State state({.batch = memory.dimension(0),
                 .kv_heads = config.kv_heads,
                 .head_dim = config.head_dim,
                 .value_dim = config.value_dim,
                 .capacity = steps});
    multihead_attn.project_memory(memory, memory, options, state.memory, executor);
    return state;
  }
  /// The weights in the order in which steps read them, made once per model.
  struct Packed {
    typename MultiHeadAttention<T>::Packed self_attn, multihead_attn;
    typename FeedForward<T>::Packed feed_forward;
  };
  Packed pack() const { return {self_attn.pack(), multihead_attn.pack(), feed_forward.pack()}; }

  /// x (batch, steps, model_dim), the newest steps -> their output; the state moves on. options.self.mask is over (batch,
  /// heads, steps, steps so far): causal(Corner::bottom_right) where steps is more than 1. packed: pack(), or null; it changes
  /// no bit.
  Tensor<T, 3> step(const Tensor<T, 3>& x, const Options& options, State& state,
                    ExecutorRef executor = default_executor(), const Packed* packed = nullptr) const {
    const auto* const own = packed ? &packed->self_attn : nullptr;
    const auto attend = [&](const Tensor<T, 3>& in) {
      self_attn.project_memory(in, in, options.self, state.self_attn, executor, own);
      state.past.append(self_attn.keys(state.self_attn), self_attn.values(state.self_attn));
      return self_attn.read(in, state.past.key(), state.past.value(), options.self, state.self_attn, executor, own).output;
    };
    const auto read = [&](const Tensor<T, 3>& in) {
      return multihead_attn
          .read(in, multihead_attn.keys(state.memory), multihead_attn.values(state.memory), options.memory,
                state.multihead_attn, executor, packed ? &packed->multihead_attn : nullptr)
          .output;
    };
    const auto feed = [&](const Tensor<T, 3>& in) {
      return feed_forward.run(in, nullptr, state.feed_forward, executor, packed ? &packed->feed_forward : nullptr);
    };
    const Tensor<T, 3> attended = norm1.forward(x, attend, nullptr, state.norm1, executor);
    return norm3.forward(norm2.forward(attended, read, nullptr, state.norm2, executor), feed, nullptr, state.norm3,
                         executor);
  }
};

}  // namespace heed::inline HEED_ABI
