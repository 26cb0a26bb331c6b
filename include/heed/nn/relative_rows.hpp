#pragma once
// Tables with one row per clipped distance: numbers per table row spread over a query's keys, and summed back.

#include <algorithm>

#include <heed/attention/matmul.hpp>
#include <heed/attention/options.hpp>
#include <heed/kernels/finite.hpp>
#include <heed/kernels/flash_terms.hpp>
#include <heed/nn/row_blocks.hpp>

namespace heed::inline HEED_ABI::detail {

/// Key j of query i belongs to table row clip(j - i - offset, -clip, clip) + clip.
struct RelativeRows {
  Index clip = 0, offset = 0;
  Index query_length = 0, key_length = 0;

  Index table_rows() const { return 2 * clip + 1; }
  /// The keys that have a table row of their own: those before it share the first one, those behind it the last.
  Range own(Index query) const {
    const Index place = query + offset;
    const Index first = std::clamp<Index>(place - clip, 0, key_length);
    return {first, std::clamp<Index>(place + clip + 1, first, key_length)};
  }
  Index row(Index query, Index key) const { return std::clamp(key - query - offset, -clip, clip) + clip; }

  /// by_row (rows, 2 clip + 1) -> by_key (rows, key_length), rows being queries of any samples and heads in order.
  template <class T>
  void expand(const Tensor<T, 2>& by_row, const MatrixView<T>& by_key, ExecutorRef executor) const {
    for_each_row(by_key.rows, executor, [&](Index, Index i) {
      const T* const from = by_row.data() + i * table_rows();
      T* const to = by_key.row(i);
      const Index query = i % query_length;
      const Range keys = own(query);
      std::fill(to, to + keys.first, from[0]);
      if (keys.end > keys.first) std::copy_n(from + row(query, keys.first), keys.end - keys.first, to + keys.first);
      std::fill(to + keys.end, to + key_length, from[2 * clip]);
    });
  }
  /// by_key (rows, key_length) -> by_row (rows, 2 clip + 1), summed key by key, so that padding changes no bit.
  template <class T>
  void collapse(const MatrixView<const T>& by_key, Tensor<T, 2>& by_row, ExecutorRef executor) const {
    by_row.setZero();
    for_each_row(by_key.rows, executor, [&](Index, Index i) {
      const T* const from = by_key.row(i);
      T* const to = by_row.data() + i * table_rows();
      const Index query = i % query_length;
      const Range keys = own(query);
      for (Index j = 0; j < keys.first; ++j) to[0] += from[j];
      for (Index j = keys.first; j < keys.end; ++j) to[row(query, j)] += from[j];
      for (Index j = keys.end; j < key_length; ++j) to[2 * clip] += from[j];
    });
  }
};

/// x, or a copy with zeros in the place of what is not finite: for products with weights that are 0 there.
template <class T>
MatrixView<const T> finite_elements(const MatrixView<const T>& x, Tensor<T, 2>& storage) {
  if (all_finite(x)) return x;
  storage.resize(x.rows, x.cols);
  for (Index i = 0; i < x.rows; ++i) {
    std::transform(x.row(i), x.row(i) + x.cols, storage.data() + i * x.cols, [](T value) { return value - value == T(0) ? value : T(0); });
  }
  return as_matrix(std::as_const(storage));
}

/// d_query += scale d_scores key and d_key += scale d_scores^T query for d_scores (batch, heads, query_length, key_length).
template <class T>
void add_score_gradient(const Tensor<T, 4>& d_scores, const Tensor<T, 4>& query, const Tensor<T, 4>& key, T scale,
                        Tensor<T, 4>& d_query, Tensor<T, 4>& d_key, ExecutorRef executor) {
  const Index heads = query.dimension(1), kv_heads = key.dimension(1), group = heads / std::max<Index>(kv_heads, 1);
  const auto head = [](auto& x, Index i) { return as_matrix(x).row_block(i * x.dimension(2), x.dimension(2)); };
  for_each_task(executor, query.dimension(0) * kv_heads, [&](Index task, Index) {
    Tensor<T, 2> key_storage, query_storage, scaled;
    const MatrixView<const T> keys = finite_elements<T>(head(key, task), key_storage);
    for (Index h = task * group; h < (task + 1) * group; ++h) {  // heads of a sample lie group by group
      const MatrixView<const T> d = head(d_scores, h);
      scaled.resize(d.rows, d.cols);
      std::transform(d.data, d.data + scaled.size(), scaled.data(), [&](T value) { return value * scale; });
      const MatrixView<const T> weights = as_matrix(std::as_const(scaled));
      gemm_here<T>(Transpose::no, weights, Transpose::no, keys, head(d_query, h), Accumulate::yes);
      gemm_here<T>(Transpose::yes, weights, Transpose::no, finite_elements<T>(head(query, h), query_storage), head(d_key, task),
                   Accumulate::yes);
    }
  });
}

/// weights (batch, heads, query_length, key_length) times what dropout leaves of each.
template <class T>
void apply_dropout(const AttentionDropout& dropout, Tensor<T, 4>& weights) {
  if (dropout.probability == 0 || !dropout.rng) return;
  ScoreDropout<T> bits{.bits = CoordinateBits(*dropout.rng), .threshold = probability_threshold(dropout.probability)};
  bits.kept = dropout.probability < 1 ? static_cast<T>(1 / (1 - dropout.probability)) : T(0);
  T* weight = weights.data();
  for (bits.batch = 0; bits.batch < weights.dimension(0); ++bits.batch) {
    for (bits.head = 0; bits.head < weights.dimension(1); ++bits.head) {
      for (Index i = 0; i < weights.dimension(2); ++i) {
        for (Index j = 0; j < weights.dimension(3); ++j) *weight++ *= bits.factor(i, j);
      }
    }
  }
}

}  // namespace heed::inline HEED_ABI::detail
