#pragma once
// How a Transformer knows where a token stands: rows added to what its first layer reads, or something that every
// self-attention of a stack is told.
//   A. Vaswani et al., "Attention Is All You Need", 2017, sections 3.4 and 3.5. The others: attention/position.hpp,
//   attention/rotary.hpp and nn/relative_bias.hpp.

#include <cmath>
#include <string>

#include <heed/attention/position.hpp>
#include <heed/attention/rotary.hpp>
#include <heed/nn/dropout.hpp>
#include <heed/nn/embedding.hpp>
#include <heed/nn/multi_head_options.hpp>
#include <heed/nn/relative_bias.hpp>
#include <heed/nn/row_blocks.hpp>

namespace heed::inline HEED_ABI {

/// none; sines added to a token's embedding; a learned row added; queries and keys of self-attention turned (RoPE);
/// their scores lowered with the distance (ALiBi); a learned number per head and bucket of distances added to those
/// (T5).
enum class Positions { none, sinusoidal, learned, rotary, alibi, t5 };

/// What the kinds can be told.
struct PositionOptions {
  RotaryOptions rotary = {};                      // base, and the scaling for long sequences
  RotaryPairs rotary_pairs = RotaryPairs::halves;
  Index rotary_dim = 0;                           // channels of a head that turn; 0: all
  Index buckets = 32, max_distance = 128;         // t5
};

template <class T>
struct TokenPositions {
  Positions kind = Positions::none;
  Embedding<T> learned;  // (max_length, model_dim), or empty
  Tensor<T, 2> sines;    // the same, no parameter
  RotaryTable<T> rotary;
  RotaryPairs rotary_pairs = RotaryPairs::halves;
  Tensor<T, 1> slopes;   // (heads)
  RelativeBias<T> relative_attention_bias;
  Index max_length = 0;

  struct Config {
    Positions kind = Positions::none;
    Index max_length = 512, model_dim = 0, heads = 1;
    PositionOptions options = {};
    BucketDirection direction = BucketDirection::both;  // t5: past where nothing looks ahead
  };

  static void fields(auto&& visit, auto&... self) {
    visit("", self.learned...);
    visit("relative_attention_bias", self.relative_attention_bias...);
  }

  TokenPositions() = default;
  /// Throws heed::Error for sizes that do not fit.
  TokenPositions(const Config& config, Rng& rng)
      : kind(config.kind), rotary_pairs(config.options.rotary_pairs), max_length(config.max_length) {
    check(max_length > 0, [&] { return "TokenPositions: max_length is " + std::to_string(max_length) + ", wanted a positive number"; });
    const PositionOptions& options = config.options;
    const Index head_dim = config.model_dim / std::max<Index>(config.heads, 1);
    switch (kind) {
      case Positions::none:
        break;
      case Positions::sinusoidal:
        sines = sinusoidal_encoding<T>(max_length, config.model_dim);
        break;
      case Positions::learned:
        learned = Embedding<T>({max_length, config.model_dim}, rng);
        for (T& x : flat(learned.weight)) x *= T(0.02);
        break;
      case Positions::rotary:
        rotary = rotary_table<T>(max_length, options.rotary_dim > 0 ? options.rotary_dim : head_dim, options.rotary);
        break;
      case Positions::alibi:
        slopes = alibi_slopes<T>(config.heads);
        break;
      case Positions::t5:
        relative_attention_bias =
            RelativeBias<T>({config.heads, {options.buckets, options.max_distance, config.direction}}, rng);
    }
  }

  /// Refuses sequences longer than there are positions.
  void check_length(const char* function, const char* argument, Index length) const {
    check(length <= max_length, [&] {
      return std::string(function) + ": " + argument + " has length " + std::to_string(length) + ", wanted at most max_length " +
             std::to_string(max_length);
    });
  }
  /// Adds row `first` + t to step t of x (batch, length, model_dim), times `factor` before.
  void add_to(Tensor<T, 3>& x, T factor, Index first, ExecutorRef executor) const {
    const Tensor<T, 2>& rows = kind == Positions::learned ? learned.weight : sines;
    const Index length = x.dimension(1), width = x.dimension(2);
    detail::for_each_row(x.dimension(0) * length, executor, [&](Index, Index row) {
      T* const step = x.data() + row * width;
      scale_row(step, width, factor);
      if (rows.size() > 0) add_row(step, rows.data() + (first + row % length) * width, width);
    });
  }
  /// d_x (batch, length, model_dim): adds to grad's rows, sample by sample.
  void backward(const Tensor<T, 3>& d_x, TokenPositions& grad) const {
    if (kind != Positions::learned) return;
    const Index size = d_x.dimension(1) * d_x.dimension(2);
    for (Index b = 0; b < d_x.dimension(0); ++b) add_row(grad.learned.weight.data(), d_x.data() + b * size, size);
  }
};

namespace detail {

/// One call of a stack of layers that has positions: what it adds to its input and tells its self-attentions.
template <class T>
class PlacedCall {
 public:
  /// The newest `steps` of (batch, first + steps) tokens; options is what the caller wants of self-attention. Throws
  /// heed::Error for more tokens than there are positions, and for a caller who sets what the positions set.
  PlacedCall(const char* function, const TokenPositions<T>& positions, const MultiHeadOptions<T>& options,
             const Tensor<T, 3>& x, Index first, ExecutorRef executor)
      : positions_(positions), options_(options), first_(first), executor_(executor) {
    const Index steps = x.dimension(1), keys = first + steps;
    const bool rows = positions.kind == Positions::sinusoidal || positions.kind == Positions::learned;
    if (rows || positions.kind == Positions::rotary) positions.check_length(function, "x", keys);
    if (positions.kind == Positions::rotary) {
      refuse(options.rotary != nullptr, function, "rotary");
      options_.rotary = &positions.rotary;
      options_.rotary_call = {.pairs = positions.rotary_pairs, .first = first};
    } else if (positions.kind == Positions::alibi) {
      refuse(options.alibi_slopes.data != nullptr, function, "alibi_slopes");
      options_.alibi_slopes = positions.slopes;
    } else if (positions.kind == Positions::t5) {
      refuse(bool(options.bias), function, "bias");
      bias_ = positions.relative_attention_bias.forward(steps, keys, first);
      // a bias per sample has a gradient per sample, which threads need not wait for
      options_.bias = bias_.view(executor.concurrency() > 1 ? x.dimension(0) : 1);
    }
    // says where steps behind a past stand, for ALiBi and callables
    if (first > 0 && options.mask.causality == Causality::none)
      options_.mask = options_.mask & causal(Corner::bottom_right);
  }
  PlacedCall(const PlacedCall&) = delete;

  const MultiHeadOptions<T>& options() const { return options_; }

  /// What the first layer reads.
  Tensor<T, 3> input(const Tensor<T, 3>& x) const {
    Tensor<T, 3> y = x;
    const bool added = positions_.kind == Positions::sinusoidal || positions_.kind == Positions::learned;
    if (added) positions_.add_to(y, T(1), first_, executor_);
    return y;
  }
  /// The options of a backward, which finish() ends.
  const MultiHeadOptions<T>& backward_options() {
    if (positions_.kind == Positions::t5) {
      const Extents<4>& all = options_.bias.view.extents;
      d_bias_ = zeros<T, 4>({1, all[1], all[2], all[3]});
      options_.collect_d_bias = &d_bias_;
    }
    return options_;
  }
  /// d_x (batch, length, model_dim), of the first layer's input: adds to grad.
  void finish(const Tensor<T, 3>& d_x, TokenPositions<T>& grad) const {
    positions_.backward(d_x, grad);
    if (positions_.kind == Positions::t5)
      positions_.relative_attention_bias.backward(d_bias_, grad.relative_attention_bias, first_);
  }

 private:
  static void refuse(bool given, const char* function, const char* option) {
    check(!given, [&] {
      return std::string(function) + ": options." + option + " is given, wanted none: the stack's own positions set it";
    });
  }

  const TokenPositions<T>& positions_;
  MultiHeadOptions<T> options_;
  Index first_;
  ExecutorRef executor_;
  DiagonalBias<T> bias_;
  Tensor<T, 4> d_bias_;
};

}  // namespace detail

}  // namespace heed::inline HEED_ABI
