#include <heed/nn/block_norm.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("a block's norm has the bits of the layer that it is, forward, again and backward", "[nn]") {
  const NormKind kind = GENERATE(NormKind::layer, NormKind::rms);
  BlockNorm<double> norm({.size = 5, .kind = kind, .epsilon = 1e-3});
  (kind == NormKind::layer ? norm.layer.weight : norm.rms.weight) = random_tensor<double>(1, 5);
  const auto x = random_tensor<double>(2, 2, 3, 5), d_y = random_tensor<double>(3, 2, 3, 5);
  Serial serial;
  BlockNorm<double>::State state;
  state.x = x;
  auto grad = zeros_like(norm), wanted_grad = grad;
  const auto y = norm.forward(state, serial), again = norm.apply(state, serial);
  auto d = d_y;
  norm.backward(d, state, grad, serial);
  const auto check = [&](const auto& layer, auto& d_layer, const auto& found) {
    typename std::remove_cvref_t<decltype(layer)>::Cache cache;
    CHECK(all_same_bits(flat(y), flat(layer.forward(x, &cache))));
    CHECK(all_same_bits(flat(again), flat(y)));
    CHECK(all_same_bits(flat(d), flat(layer.backward(d_y, cache, d_layer))));
    CHECK(all_same_bits(flat(found.weight), flat(d_layer.weight)));
  };
  if (kind == NormKind::layer)
    check(norm.layer, wanted_grad.layer, grad.layer);
  else
    check(norm.rms, wanted_grad.rms, grad.rms);
  CHECK(parameter_count(norm) == (kind == NormKind::layer ? 10 : 5));
}
