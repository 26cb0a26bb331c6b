#pragma once
// Reading attention weights of many layers and heads, as MultiHeadOptions::collect_weights gives them: which inputs a
// position draws on through all layers, and how sharply each head looks.
//   S. Abnar, W. Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020, section 3 (rollout); entropy of
//   heads: E. Voita et al., "Analyzing Multi-Head Self-Attention", ACL 2019, and J. Vig, Y. Belinkov, BlackboxNLP 2019.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include <heed/attention/matmul.hpp>
#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// How a layer's heads become one matrix.
enum class HeadFusion { mean, largest, smallest };

struct RolloutOptions {
  double residual = 0.5;  // the share of the residual connection: A = (1 - residual) weights + residual identity
  HeadFusion fusion = HeadFusion::mean;
};

namespace detail {

/// One sample's heads as one matrix (length, length) with the residual, rows divided by their sums.
template <class T>
void fuse_heads(const Tensor<T, 4>& weights, Index batch, const RolloutOptions& options, const MatrixView<T>& fused) {
  const Index heads = weights.dimension(1);
  for (Index i = 0; i < fused.rows; ++i) {
    T total = 0;
    for (Index j = 0; j < fused.cols; ++j) {
      T one = weights(batch, 0, i, j);
      for (Index h = 1; h < heads; ++h) {
        const T next = weights(batch, h, i, j);
        one = options.fusion == HeadFusion::mean      ? one + next
              : options.fusion == HeadFusion::largest ? std::max(one, next)
                                                      : std::min(one, next);
      }
      if (options.fusion == HeadFusion::mean) one /= static_cast<T>(heads);
      fused(i, j) = static_cast<T>(1 - options.residual) * one + (i == j ? static_cast<T>(options.residual) : T(0));
      total += fused(i, j);
    }
    for (Index j = 0; total > T(0) && j < fused.cols; ++j) fused(i, j) /= total;
  }
}

}  // namespace detail

/// Attention rollout of self-attention: layers, first to last, of weights (batch, heads, length, length) -> (batch,
/// length, length), row i is what position i of the last layer draws on. Rows add up to 1 (0 where a row of a layer is
/// all 0 and there is no residual). Throws heed::Error for no layers, shapes that differ and a residual outside 0 to 1.
template <class T>
Tensor<T, 3> attention_rollout(std::span<const Tensor<T, 4>> layers, const RolloutOptions& options = {}) {
  const char* const function = "attention_rollout";
  check(!layers.empty(), [&] { return std::string(function) + ": there are no layers, wanted at least 1"; });
  check(options.residual >= 0 && options.residual <= 1, [&] {
    return std::string(function) + ": residual is " + std::to_string(options.residual) + ", wanted 0 to 1";
  });
  const Index batch = layers[0].dimension(0), length = layers[0].dimension(2);
  for (const Tensor<T, 4>& weights : layers) {
    check_shape(function, "weights", extents(weights), Extents<4>{batch, -1, length, length});
    check(weights.dimension(1) > 0,
          [&] { return std::string(function) + ": weights has no heads, wanted at least 1"; });
  }
  Tensor<T, 3> rolled(batch, length, length);
  Tensor<T, 2> fused(length, length), next(length, length);
  for (Index b = 0; b < batch; ++b) {
    const MatrixView<T> sum(rolled.data() + b * length * length, length, length);
    detail::fuse_heads(layers[0], b, options, sum);
    for (std::size_t layer = 1; layer < layers.size(); ++layer) {
      detail::fuse_heads(layers[layer], b, options, as_matrix(fused));
      matmul<T>(Transpose::no, as_matrix(std::as_const(fused)), Transpose::no, sum, as_matrix(next), Accumulate::no);
      std::copy_n(next.data(), next.size(), sum.data);
    }
  }
  return rolled;
}

/// The mean over queries of -sum w log w of each head: weights (batch, heads, query_length, key_length) -> (batch,
/// heads), from 0 (one key) to log(keys seen). Queries that see nothing (their weights are all 0: masked, or padding)
/// do not count; 0 where none does.
template <class T>
Tensor<T, 2> head_entropy(const Tensor<T, 4>& weights) {
  Tensor<T, 2> result(weights.dimension(0), weights.dimension(1));
  for (Index b = 0; b < weights.dimension(0); ++b) {
    for (Index h = 0; h < weights.dimension(1); ++h) {
      double sum = 0;
      Index counted = 0;
      for (Index i = 0; i < weights.dimension(2); ++i) {
        double entropy = 0, total = 0;
        for (Index j = 0; j < weights.dimension(3); ++j) {
          const auto w = static_cast<double>(weights(b, h, i, j));
          total += w;
          if (w > 0) entropy -= w * std::log(w);
        }
        sum += entropy;
        counted += total != 0 ? 1 : 0;
      }
      result(b, h) = static_cast<T>(counted > 0 ? sum / static_cast<double>(counted) : 0);
    }
  }
  return result;
}

}  // namespace heed::inline HEED_ABI
