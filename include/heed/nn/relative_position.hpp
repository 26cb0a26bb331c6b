#pragma once
// Relative position representations: a learned vector per clipped distance is added to every key, and one to every
// value:
//   score(i, j) = scale q_i . (k_j + K_r)        output_i = sum_j a_ij (v_j + V_r)        r = clip(j - p, -c, c) + c
// where query i stands at p = i + offset.
//   P. Shaw, J. Uszkoreit, A. Vaswani, "Self-Attention with Relative Position Representations", NAACL 2018, section 3.
// q_i . K_r is a product with the table, read as an additive bias of the fused kernel. The values' part sums weights
// per row of the table, so weights are kept: memory (batch, heads, query_length, key_length), as for the bias.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <heed/attention/matmul.hpp>
#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/nn/head_projections.hpp>
#include <heed/nn/relative_rows.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct RelativePosition {
  struct Config {
    Index clip = 16;  // c: farther keys share the vectors of this distance
    Index head_dim = 0;
    Index value_dim = 0;  // 0: nothing is added to values
  };
  /// Of one call; everything is read in place and must outlive it.
  struct Options {
    std::optional<T> scale = {};  // 1 / sqrt(head_dim) when absent
    Mask mask = {};
    AttentionDropout dropout = {};
    std::optional<Index> offset =
        {};  // the first query's place; absent: the queries are the last of the keys' sequence
  };
  /// What attention returned: the whole output, logsumexp, and weights (before dropout) where values have vectors.
  struct Cache {
    AttentionResult<T> forward;
  };
  struct Gradients {
    Tensor<T, 4> query, key, value;
  };

  Tensor<T, 2> key;    // (2 clip + 1, head_dim)
  Tensor<T, 2> value;  // (2 clip + 1, value_dim), or empty

  static void fields(auto&& visit, auto&... self) {
    visit("key", self.key...);
    visit("value", self.value...);
  }

  RelativePosition() = default;
  /// Glorot's uniform vectors. Throws heed::Error for sizes that do not fit.
  RelativePosition(const Config& config, Rng& rng) {
    check(config.clip >= 0 && config.head_dim > 0 && config.value_dim >= 0, [&] {
      return "RelativePosition: clip is " + std::to_string(config.clip) + ", head_dim " +
             std::to_string(config.head_dim) + " and value_dim " + std::to_string(config.value_dim) +
             ", wanted 0 or more, a positive number, 0 or more";
    });
    glorot_uniform(key = Tensor<T, 2>(2 * config.clip + 1, config.head_dim), rng);
    if (config.value_dim > 0) glorot_uniform(value = Tensor<T, 2>(2 * config.clip + 1, config.value_dim), rng);
  }

  Index clip() const { return key.dimension(0) / 2; }

  /// query (batch, heads, query_length, head_dim), key (batch, kv_heads, key_length, head_dim), value (batch, kv_heads,
  /// key_length, value_dim) -> output (batch, heads, query_length, value_dim). cache null: inference. Throws
  /// heed::Error.
  Tensor<T, 4> forward(const Tensor<T, 4>& query, const Tensor<T, 4>& keys, const Tensor<T, 4>& values,
                       const Options& options = {}, Cache* cache = nullptr,
                       ExecutorRef executor = default_executor()) const {
    const char* const function = "RelativePosition::forward";
    const detail::RelativeRows rows = check_call(function, query, keys, values, options);
    const Tensor<T, 4> bias = key_bias(query, rows, options, executor);
    AttentionOptions<T> attention = fused(options, bias);
    attention.return_weights = value.size() > 0;
    attention.return_logsumexp = cache != nullptr;
    AttentionResult<T> result = attend(query, keys, values, attention, executor);
    if (value.size() > 0) {
      const Tensor<T, 2> sums = weights_by_row(dropped(result.weights, options), rows, executor);
      matmul<T>(Transpose::no, as_matrix(sums), Transpose::no, as_matrix(value), as_matrix(result.output),
                Accumulate::yes, executor);
    }
    if (!cache) return std::move(result.output);
    cache->forward = std::move(result);
    return cache->forward.output;
  }

  /// d_output (batch, heads, query_length, value_dim) and what the forward was given -> gradients of the inputs; adds
  /// to grad.
  Gradients backward(const Tensor<T, 4>& d_output, const Tensor<T, 4>& query, const Tensor<T, 4>& keys,
                     const Tensor<T, 4>& values, const Cache& cache, const Options& options, RelativePosition& grad,
                     ExecutorRef executor = default_executor()) const {
    const detail::RelativeRows rows = check_call("RelativePosition::backward", query, keys, values, options);
    const Tensor<T, 4> bias = key_bias(query, rows, options, executor);
    // the softmax's backward takes d_output . output, of the whole output, so only the values' own part is missing in
    // scores
    AttentionGradients<T> d =
        attend_backward(d_output, query, keys, values, cache.forward, fused(options, bias), executor);
    if (value.size() > 0) {
      const Tensor<T, 4> weights = dropped(cache.forward.weights, options);
      const Tensor<T, 4> d_scores = value_part(d_output, weights, rows, grad, executor);
      detail::add_score_gradient(d_scores, query, keys, scale(options), d.query, d.key, executor);
      d.bias += d_scores;
    }
    const T factor = scale(options);
    Tensor<T, 2> d_products = weights_by_row(d.bias, rows, executor), storage;
    d_products = d_products * factor;
    const MatrixView<const T> d_rows = as_matrix(std::as_const(d_products));
    matmul<T>(Transpose::no, d_rows, Transpose::no, as_matrix(key), as_matrix(d.query), Accumulate::yes, executor);
    matmul<T>(Transpose::yes, d_rows, Transpose::no, detail::read_rows<T>(as_matrix(query), d_rows, storage),
              as_matrix(grad.key), Accumulate::yes, executor);
    return {std::move(d.query), std::move(d.key), std::move(d.value)};
  }

 private:
  T scale(const Options& options) const {
    return options.scale.value_or(T(1) / std::sqrt(static_cast<T>(key.dimension(1))));
  }

  AttentionOptions<T> fused(const Options& options, const Tensor<T, 4>& bias) const {
    AttentionOptions<T> all{
        .scale = options.scale, .mask = options.mask, .dropout = options.dropout, .path = QueryPath::block};
    all.bias = bias;
    return all;
  }
  detail::RelativeRows check_call(const char* function, const Tensor<T, 4>& query, const Tensor<T, 4>& keys,
                                  const Tensor<T, 4>& values, const Options& options) const {
    check(key.size() > 0,
          [&] { return std::string(function) + ": there are no vectors, wanted RelativePosition(config, rng)"; });
    check_shape(function, "query", extents(query), Extents<4>{-1, -1, -1, key.dimension(1)});
    check_shape(function, "keys", extents(keys), Extents<4>{query.dimension(0), -1, -1, key.dimension(1)});
    check_shape(function, "values", extents(values),
                Extents<4>{query.dimension(0), keys.dimension(1), keys.dimension(2),
                           value.size() > 0 ? value.dimension(1) : -1});
    const Index last = keys.dimension(2) - query.dimension(2);
    return {clip(), options.offset.value_or(last), query.dimension(2), keys.dimension(2)};
  }
  /// scale q_i . K_r of every pair: (batch, heads, query_length, key_length).
  Tensor<T, 4> key_bias(const Tensor<T, 4>& query, const detail::RelativeRows& rows, const Options& options,
                        ExecutorRef executor) const {
    Tensor<T, 2> products(query.size() / query.dimension(3), key.dimension(0));
    matmul<T>(Transpose::no, as_matrix(query), Transpose::yes, as_matrix(key), as_matrix(products), Accumulate::no,
              executor);
    products = products * scale(options);
    Tensor<T, 4> bias(query.dimension(0), query.dimension(1), query.dimension(2), rows.key_length);
    rows.expand(products, as_matrix(bias), executor);
    return bias;
  }
  Tensor<T, 2> weights_by_row(const Tensor<T, 4>& weights, const detail::RelativeRows& rows,
                              ExecutorRef executor) const {
    Tensor<T, 2> sums(weights.dimension(0) * weights.dimension(1) * weights.dimension(2), key.dimension(0));
    rows.collapse(as_matrix(weights), sums, executor);
    return sums;
  }
  static Tensor<T, 4> dropped(const Tensor<T, 4>& weights, const Options& options) {
    Tensor<T, 4> left = weights;
    detail::apply_dropout(options.dropout, left);
    return left;
  }
  /// Adds to grad.value; returns a_ij d_output_i . V_r, what the vectors of the values add to the gradient of the
  /// scores.
  Tensor<T, 4> value_part(const Tensor<T, 4>& d_output, const Tensor<T, 4>& weights, const detail::RelativeRows& rows,
                          RelativePosition& grad, ExecutorRef executor) const {
    const Tensor<T, 2> sums = weights_by_row(weights, rows, executor);
    Tensor<T, 2> products(extents(sums)), storage;
    matmul<T>(Transpose::yes, as_matrix(sums), Transpose::no,
              detail::read_rows<T>(as_matrix(d_output), as_matrix(sums), storage), as_matrix(grad.value),
              Accumulate::yes, executor);
    matmul<T>(Transpose::no, as_matrix(d_output), Transpose::yes, as_matrix(value), as_matrix(products), Accumulate::no,
              executor);
    Tensor<T, 4> d_scores(extents(weights));
    rows.expand(products, as_matrix(d_scores), executor);
    for (Index i = 0; i < d_scores.size(); ++i) {
      T& d = d_scores.data()[i];
      d = weights.data()[i] == T(0) ? T(0)
                                    : d * weights.data()[i];  // a masked pair's weight is 0, its query may be NaN
    }
    return d_scores;
  }
};

}  // namespace heed::inline HEED_ABI
