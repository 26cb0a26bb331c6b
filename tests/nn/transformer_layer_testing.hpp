#pragma once
// What the tests of Transformer layers share.

#include <heed/nn/parameters.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace heed_test {

/// Every parameter a normal number.
template <class Layer>
Layer with_random_parameters(Layer layer, double deviation = 0.5) {
  std::uint64_t seed = 100;
  heed::for_each_parameter([&](std::string_view, heed::Role, auto& x) {
    heed::Rng own{seed++, 0};
    for (auto& value : heed::flat(x)) value = static_cast<std::remove_reference_t<decltype(value)>>(deviation * own.normal());
  }, layer);
  return layer;
}

/// Small, and everything that a configuration can turn on.
inline heed::TransformerLayerConfig small_layer(heed::NormPlace place, heed::NormKind norm, heed::Gate gate, double dropout) {
  return {.model_dim = 4, .heads = 2, .hidden_dim = 5, .activation = heed::Activation::gelu, .gate = gate, .norm = norm,
          .norm_place = place, .dropout = dropout, .attention_dropout = dropout, .activation_dropout = dropout};
}

}  // namespace heed_test
