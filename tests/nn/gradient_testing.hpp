#pragma once
// Backward passes of layers and decoders against central differences.

#include <tuple>
#include <vector>

#include <heed/nn/gradient_check.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"

namespace heed_test {

/// The layer's backward against central differences of weighted_total(forward(x), d_y); returns the gradient.
template <class Layer, class T, int Rank>
Layer check_layer_gradients(Layer& layer, Tensor<T, Rank> x, const Tensor<T, Rank>& d_y) {
  typename Layer::Cache cache;
  layer.forward(x, &cache);
  Layer grad = heed::zeros_like(layer);
  auto d_x = layer.backward(d_y, cache, grad);
  const auto found = heed::check_gradients(
      layer, grad, [&] { return weighted_total(layer.forward(x), d_y); }, std::tie(x, d_x));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
  return grad;
}

/// A recurrent decoder's backward against central differences: embedding (3, 4, 3), three sources of at most 5 steps.
template <class Decoder>
void check_decoder_gradients(Decoder& decoder, Index hidden_dim, Index memory_dim) {
  auto embedding = random_tensor<double>(1, 3, 4, 3);
  auto values = random_tensor<double>(2, 3, 5, memory_dim);
  auto state = random_tensor<double>(3, 3, hidden_dim);
  const auto d_hidden = random_tensor<double>(4, 3, 4, hidden_dim);
  const auto d_context = random_tensor<double>(5, 3, 4, memory_dim);
  const std::vector<Index> lengths = {5, 1, 3};
  const auto memory = decoder.remember(values, lengths);
  typename Decoder::Cache cache;
  const auto result = decoder.forward(embedding, memory, state, &cache);
  Decoder grad = heed::zeros_like(decoder);
  auto d = decoder.backward(d_hidden, &d_context, memory, result, cache, grad);
  const auto loss = [&] {
    const auto again = decoder.forward(embedding, decoder.remember(values, lengths), state);
    return weighted_total(again.hidden, d_hidden) + weighted_total(again.context, d_context);
  };
  const auto found = heed::check_gradients(decoder, grad, loss, std::tie(embedding, d.embedding),
                                           std::tie(values, d.values), std::tie(state, d.initial_state));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

}  // namespace heed_test
