#pragma once
// From token ids to what a Transformer's first layer reads: embeddings times sqrt(model_dim), positions added, dropout.
//   A. Vaswani et al., "Attention Is All You Need", 2017, sections 3.4 and 3.5.

#include <cmath>
#include <string>

#include <heed/attention/position.hpp>
#include <heed/attention/rotary.hpp>
#include <heed/nn/dropout.hpp>
#include <heed/nn/embedding.hpp>
#include <heed/nn/row_blocks.hpp>

namespace heed::inline HEED_ABI {

/// How a Transformer knows where a token stands: sines added to its embedding; a learned row added; queries and keys of
/// self-attention turned (RoPE); their scores lowered with the distance (ALiBi).
enum class Positions { sinusoidal, learned, rotary, alibi };

/// What is added to the embeddings, and what self-attention is told.
template <class T>
struct TokenPositions {
  Positions kind = Positions::sinusoidal;
  Embedding<T> learned;  // (max_length, model_dim), or empty
  Tensor<T, 2> sines;    // the same, no parameter
  RotaryTable<T> rotary;
  Tensor<T, 1> slopes;  // (heads)
  Index max_length = 0;

  struct Config {
    Positions kind = Positions::sinusoidal;
    Index max_length = 512, model_dim = 0, heads = 1;
  };

  static void fields(auto&& visit, auto&... self) { visit("", self.learned...); }

  TokenPositions() = default;
  TokenPositions(const Config& config, Rng& rng) : kind(config.kind), max_length(config.max_length) {
    check(max_length > 0, [&] { return "TokenPositions: max_length is " + std::to_string(max_length) + ", wanted a positive number"; });
    switch (kind) {
      case Positions::sinusoidal:
        sines = sinusoidal_encoding<T>(max_length, config.model_dim);
        break;
      case Positions::learned:
        learned = Embedding<T>({max_length, config.model_dim}, rng);
        for (T& x : flat(learned.weight)) x *= T(0.02);
        break;
      case Positions::rotary:
        rotary = rotary_table<T>(max_length, config.model_dim / config.heads);
        break;
      case Positions::alibi:
        slopes = alibi_slopes<T>(config.heads);
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

}  // namespace heed::inline HEED_ABI
