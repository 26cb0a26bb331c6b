#pragma once
// What drives a search: a model's decoder, one row per unfinished hypothesis, one token per step.

#include <concepts>
#include <span>
#include <vector>

#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// What greedy search, beam search and sampling drive. A decoder holds rows, each one unfinished hypothesis; it starts
/// with one row per source.
///   vocab_size(), rows()
///   reorder(parents): row r goes on from what was row parents[r]; any number of rows, repeats allowed
///   step(tokens): feeds one token per row, returns (rows, vocab_size) logits that the caller may write to
template <class D>
concept StepDecoder = requires(D& decoder, std::span<const Index> rows) {
  { decoder.vocab_size() } -> std::convertible_to<Index>;
  { decoder.rows() } -> std::convertible_to<Index>;
  decoder.reorder(rows);
  decoder.step(rows).row(Index{0});
};

/// A decoder that finds the likeliest tokens faster than by way of all logits: step_argmax(tokens, suppressed) feeds
/// one token per row and gives one per row, the one with the largest logit that is not suppressed, the lowest id among
/// equals.
template <class D>
concept ArgmaxDecoder = StepDecoder<D> && requires(D& decoder, std::span<const Index> tokens) {
  { decoder.step_argmax(tokens, tokens) } -> std::convertible_to<std::vector<Index>>;
};

namespace detail {

/// Where row `row` looked: weights (rows, source_length), or per layer (rows, heads, 1, source_length), of which the
/// last layer's mean over heads counts.
template <class T>
double attention_at(const Tensor<T, 2>& weights, Index row, Index position) {
  return static_cast<double>(weights(row, position));
}
template <class T>
double attention_at(const std::vector<Tensor<T, 4>>& layers, Index row, Index position) {
  const Tensor<T, 4>& last = layers.back();
  double sum = 0;
  for (Index head = 0; head < last.dimension(1); ++head)
    sum += static_cast<double>(last(row, head, Index{0}, position));
  return sum / static_cast<double>(last.dimension(1));
}

/// How many source positions there are in such weights.
template <class T>
Index attention_length(const Tensor<T, 2>& weights) {
  return weights.dimension(1);
}
template <class T>
Index attention_length(const std::vector<Tensor<T, 4>>& layers) {
  return layers.back().dimension(3);
}

}  // namespace detail

/// A decoder that says where its rows looked in their last step, in weights(): a tensor (rows, source_length), or one
/// (rows, heads, 1, source_length) per layer. If it has keep_weights(), that is called before the first step.
template <class D>
concept AttendingDecoder = StepDecoder<D> && requires(D& decoder) {
  { detail::attention_at(decoder.weights(), Index{0}, Index{0}) } -> std::same_as<double>;
};

}  // namespace heed::inline HEED_ABI
