#include <heed/models/gru_bridge.hpp>

#include <heed/nn/gradient_check.hpp>
#include "nn/layer_testing.hpp"
#include "support/catch.hpp"

using heed::BridgeKind;
using heed::Index;
using heed_test::random_tensor;

TEST_CASE("a bridge reads the last layer's directions and its gradients equal central differences", "[models]") {
  const auto kind = GENERATE(BridgeKind::copy, BridgeKind::dense_tanh);
  const Index directions = GENERATE(1, 2), layers = 2;
  heed::Rng rng{1, 0};
  heed::GruBridge<double> bridge(kind, 3 * directions, kind == BridgeKind::copy ? 3 * directions : 4, rng);
  auto states = random_tensor<double>(2, layers * directions, 5, 3);
  heed::GruBridge<double>::Cache cache;
  const auto state = bridge.forward(states, directions, &cache);
  if (kind == BridgeKind::copy) CHECK(state(4, 2) == states(layers * directions - directions, 4, 2));
  const auto d_state = random_tensor<double>(3, 5, state.dimension(1));
  auto grad = heed::zeros_like(bridge);
  auto d_states = bridge.backward(d_state, cache, layers, directions, grad);
  const auto loss = [&] { return heed_test::weighted_total(bridge.forward(states, directions, nullptr), d_state); };
  const auto found = heed::check_gradients(bridge, grad, loss, std::tie(states, d_states));
  CHECK(found.worst_error < 1e-8);
}

TEST_CASE("a bridge that copies refuses another width", "[models]") {
  heed::Rng rng{1, 0};
  CHECK_THROWS_WITH(heed::GruBridge<float>(BridgeKind::copy, 6, 4, rng),
                    "GruBridge: a bridge that copies has decoder_dim 4, wanted 6");
}
