#pragma once
// A block of the convolutional sequence-to-sequence model: a convolution over steps whose outputs are gated, in a
// decoder followed by attention to the encoder, with residual connections.
//   J. Gehring et al., "Convolutional Sequence to Sequence Learning", ICML 2017, sections 3.2 to 3.4; gated linear
//   units:
//   Y. Dauphin et al., "Language Modeling with Gated Convolutional Networks", ICML 2017.
//
//   [a; b] = conv(x)      v = a * sigmoid(b)      encoder: y = (v + x) / sqrt(2)
//   decoder: d = (W_q v + b_q + g) / sqrt(2) c = sqrt(m) softmax(d z^T) (z + e), m the memory's true length (section
//   3.5)
//            y = ((v + W_o c + b_o) / sqrt(2) + x) / sqrt(2)

#include <cmath>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/nn/conv.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/head_projections.hpp>
#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct ConvS2sBlock {
  /// What a step sees: its neighbours on both sides (an encoder), or itself and what came before (a decoder).
  enum class Sight { both, before };

  struct Config {
    Index model_dim = 0;
    Index kernel = 3;  // steps under the convolution; odd with Sight::both
    Sight sight = Sight::both;
    Index memory_dim = 0;  // of the encoder's outputs; 0: no attention
  };
  /// What a block with attention reads: the encoder's outputs z (batch, memory_length, memory_dim), which are keys; z +
  /// e, the same with the source's embeddings, which are values; and the target's embeddings g (batch, steps,
  /// memory_dim).
  struct Memory {
    const Tensor<T, 3>& key;
    const Tensor<T, 3>& value;
    const Tensor<T, 3>& embedding;
    std::span<const Index> lengths = {};  // true lengths of the memory; empty: all
  };
  struct Result {
    Tensor<T, 3> output;   // (batch, steps, model_dim)
    Tensor<T, 3> weights;  // (batch, steps, memory_length), with attention
  };
  struct Cache {
    typename Conv<T, 1>::Cache conv;
    Tensor<T, 3> gates;  // (batch, steps, 2 model_dim): a and b
    typename Dense<T>::Cache gated, context;
    Tensor<T, 3> query, key, value;
    AttentionResult<T> attention;
    std::vector<Index> lengths;
  };
  struct Gradients {
    Tensor<T, 3> x;                      // (batch, steps, model_dim)
    Tensor<T, 3> key, value, embedding;  // of a Memory; empty without attention
  };

  Conv<T, 1> conv;                        // weight (2 model_dim, model_dim, kernel): a's rows, then b's
  std::optional<Dense<T>> query, output;  // (memory_dim, model_dim) and (model_dim, memory_dim), with attention
  Sight sight = Sight::both;

  static void fields(auto&& visit, auto&... self) {
    visit("conv", self.conv...);
    visit("query", self.query...);
    visit("output", self.output...);
  }

  ConvS2sBlock() = default;
  /// Throws heed::Error for sizes below 1, and an even kernel that should see both sides.
  ConvS2sBlock(const Config& config, Rng& rng) : sight(config.sight) {
    check(config.model_dim > 0 && config.memory_dim >= 0 && config.kernel > 0, [&] {
      return "ConvS2sBlock: model_dim is " + std::to_string(config.model_dim) + ", memory_dim " +
             std::to_string(config.memory_dim) + " and kernel " + std::to_string(config.kernel) +
             ", wanted positive ones, or a memory_dim of 0";
    });
    check(sight == Sight::before || config.kernel % 2 == 1, [&] {
      return "ConvS2sBlock: kernel is " + std::to_string(config.kernel) + ", wanted an odd one with Sight::both";
    });
    const Index before = sight == Sight::before ? config.kernel - 1 : config.kernel / 2;
    conv = Conv<T, 1>({.in_channels = config.model_dim,
                       .out_channels = 2 * config.model_dim,
                       .kernel = {config.kernel},
                       .padding = {before},
                       .padding_behind = Extents<1>{config.kernel - 1 - before}},
                      rng);
    if (config.memory_dim == 0) return;
    query.emplace(typename Dense<T>::Config{config.model_dim, config.memory_dim}, rng);
    output.emplace(typename Dense<T>::Config{config.memory_dim, config.model_dim}, rng);
  }

  Index model_dim() const { return conv.in_channels(); }

  /// x (batch, steps, model_dim) -> y of the same shape. memory: exactly where the block has attention. cache null:
  /// inference. Steps of padding should be zeros where the convolution may see them. Throws heed::Error on other
  /// shapes.
  Result forward(const Tensor<T, 3>& x, const Memory* memory = nullptr, Cache* cache = nullptr,
                 ExecutorRef executor = default_executor()) const {
    check_call(x, memory);
    Cache local;
    Cache& c = cache ? *cache : local;
    c.gates = swap_axes(conv.forward(swap_axes(x), cache ? &c.conv : nullptr, executor));
    Tensor<T, 3> shown = gated(c.gates);
    Result result;
    if (memory) {
      c.lengths.assign(memory->lengths.begin(), memory->lengths.end());
      c.query = query->forward(shown, cache ? &c.gated : nullptr, executor);
      add_scaled(c.query, memory->embedding);
      AttentionOptions<T> options = attention_options(c.lengths);
      options.return_weights = true;
      c.attention = attend(one_head(c.query), one_head(memory->key), one_head(memory->value), options, executor);
      result.weights = folded(std::exchange(c.attention.weights, {}));
      Tensor<T, 3> context = folded(c.attention.output);
      scale_by_lengths(context, c.lengths, memory->key.dimension(1));
      add_scaled(shown, output->forward(context, cache ? &c.context : nullptr, executor));
      if (cache) c.key = memory->key, c.value = memory->value;
    }
    add_scaled(shown, x);
    result.output = std::move(shown);
    return result;
  }

  /// d_y (batch, steps, model_dim) -> gradients of x and of the memory; adds to grad.
  Gradients backward(const Tensor<T, 3>& d_y, const Cache& c, ConvS2sBlock& grad,
                     ExecutorRef executor = default_executor()) const {
    check_shape("ConvS2sBlock::backward", "d_y", extents(d_y),
                Extents<3>{c.gates.dimension(0), c.gates.dimension(1), model_dim()});
    Gradients result;
    const Tensor<T, 3> d_residual = d_y * half;
    Tensor<T, 3> d_shown = d_residual;
    if (query) {
      d_shown = d_residual * half;
      Tensor<T, 3> d_context = output->backward(d_shown, c.context, *grad.output, executor);
      scale_by_lengths(d_context, c.lengths, c.key.dimension(1));
      AttentionGradients<T> d = attend_backward(one_head(d_context), one_head(c.query), one_head(c.key),
                                                one_head(c.value), c.attention, attention_options(c.lengths), executor);
      result.embedding = folded(d.query) * half;
      result.key = folded(d.key);
      result.value = folded(d.value);
      d_shown += query->backward(result.embedding, c.gated, *grad.query, executor);
    }
    result.x = swap_axes(conv.backward(swap_axes(gated_backward(c.gates, d_shown)), c.conv, grad.conv, executor));
    result.x += d_residual;
    return result;
  }

 private:
  static constexpr T half = static_cast<T>(1 / std::numbers::sqrt2);  // of a sum's variance

  static View<const T, 4> one_head(const Tensor<T, 3>& x) { return detail::split_heads<const T>(view(x), 1); }
  static Tensor<T, 3> folded(const Tensor<T, 4>& x) {
    return x.reshape(Extents<3>{x.dimension(0), x.dimension(2), x.dimension(3)});
  }
  /// (batch, steps, channels) to (batch, channels, steps), and back.
  static Tensor<T, 3> swap_axes(const Tensor<T, 3>& x) { return x.shuffle(Extents<3>{0, 2, 1}); }
  /// sum = (sum + x) / sqrt(2).
  static void add_scaled(Tensor<T, 3>& sum, const Tensor<T, 3>& x) {
    for (Index i = 0; i < sum.size(); ++i) sum.data()[i] = (sum.data()[i] + x.data()[i]) * half;
  }
  /// Each sample times sqrt(its memory's length): a mean of m vectors has the variance of one over m.
  static void scale_by_lengths(Tensor<T, 3>& x, const std::vector<Index>& lengths, Index all) {
    const Index size = x.dimension(1) * x.dimension(2);
    for (Index b = 0; b < x.dimension(0); ++b) {
      const Index length = lengths.empty() ? all : lengths[static_cast<std::size_t>(b)];
      scale_row(x.data() + b * size, size, static_cast<T>(std::sqrt(static_cast<double>(length))));
    }
  }
  static AttentionOptions<T> attention_options(const std::vector<Index>& lengths) {
    AttentionOptions<T> options{.scale = T(1), .path = QueryPath::block, .return_logsumexp = true};
    if (!lengths.empty()) options.mask = key_lengths(lengths);
    return options;
  }
  /// a * sigmoid(b) of gates (batch, steps, 2 model_dim).
  Tensor<T, 3> gated(const Tensor<T, 3>& gates) const {
    const Index dim = model_dim();
    Tensor<T, 3> shown(gates.dimension(0), gates.dimension(1), dim);
    const MatrixView<const T> in = as_matrix(gates);
    for (Index row = 0; row < in.rows; ++row) {
      simd_detail::update_row<T, default_arch>(shown.data() + row * dim, dim, [&](const Batch<T>&, Index i, Index n) {
        return load_partial(in.row(row) + i, n) * sigmoid(load_partial(in.row(row) + dim + i, n));
      });
    }
    return shown;
  }
  Tensor<T, 3> gated_backward(const Tensor<T, 3>& gates, const Tensor<T, 3>& d_shown) const {
    const Index dim = model_dim();
    Tensor<T, 3> d_gates(extents(gates));
    const MatrixView<const T> in = as_matrix(gates), d = as_matrix(d_shown);
    const MatrixView<T> out = as_matrix(d_gates);
    for (Index row = 0; row < in.rows; ++row) {
      const auto gate = [&](Index i, Index n) { return sigmoid(load_partial(in.row(row) + dim + i, n)); };
      simd_detail::update_row<T, default_arch>(out.row(row), dim, [&](const Batch<T>&, Index i, Index n) {
        return load_partial(d.row(row) + i, n) * gate(i, n);
      });
      simd_detail::update_row<T, default_arch>(out.row(row) + dim, dim, [&](const Batch<T>&, Index i, Index n) {
        const Batch<T> s = gate(i, n);
        return load_partial(d.row(row) + i, n) * load_partial(in.row(row) + i, n) * fnma(s, s, s);
      });
    }
    return d_gates;
  }
  void check_call(const Tensor<T, 3>& x, const Memory* memory) const {
    const char* const function = "ConvS2sBlock::forward";
    check(conv.weight.size() > 0,
          [&] { return std::string(function) + ": the layer has no sizes, wanted ConvS2sBlock(config, rng)"; });
    check_shape(function, "x", extents(x), Extents<3>{-1, -1, model_dim()});
    check((memory != nullptr) == query.has_value(), [&] {
      return std::string(function) + (memory ? ": a memory is given, wanted none without a memory_dim"
                                             : ": no memory is given, wanted one with a memory_dim");
    });
    if (!memory) return;
    const Index batch = x.dimension(0), length = memory->key.dimension(1), dim = query->out_features();
    check_shape(function, "memory.key", extents(memory->key), Extents<3>{batch, -1, dim});
    check_shape(function, "memory.value", extents(memory->value), Extents<3>{batch, length, dim});
    check_shape(function, "memory.embedding", extents(memory->embedding), Extents<3>{batch, x.dimension(1), dim});
    if (!memory->lengths.empty()) {
      detail::check_per_sample(function, "memory.lengths", memory->lengths, batch, {0, length});
    }
  }
};

}  // namespace heed::inline HEED_ABI
