#include <heed/nn/multi_head_step.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

TEST_CASE("steps in the caller's memory have the bits of the layer's own, rotary and packed or not", "[nn]") {
  Rng rng{1, 0};
  const MultiHeadAttention<float> layer({.model_dim = 24, .heads = 4, .kv_heads = 2, .output_dim = 10}, rng);
  const auto packed = layer.pack();
  const auto table = rotary_table<float>(8, 6);
  const auto x = random_tensor<float>(1, 2, 6, 24);
  const KeyValueCache<float>::Config sizes{.batch = 2, .kv_heads = 2, .head_dim = 6, .value_dim = 6, .capacity = 8};
  for (const bool turned : {false, true}) {
    KeyValueCache<float> own(sizes), past(sizes);
    MultiHeadAttention<float>::State state;
    Serial serial;
    Workspace workspace(step_workspace_bytes(layer, {2, 1}, 8, 1));
    for (Index t = 0; t < 6; ++t) {
      const auto step = heed_test::step_of(x, t);
      const View<const float, 3> one(step.data(), {2, 1, 24}, {24, 24, 1});
      const Tensor<Index, 2> positions = Tensor<Index, 2>(2, 1).setConstant(t);
      MultiHeadOptions<float> options;
      if (turned) options.rotary = &table, options.rotary_call.positions = View<const Index, 2>(positions);
      layer.project_memory(one, one, options, state, serial);
      own.append(layer.keys(state), layer.values(state));
      const auto wanted = layer.read(one, own.key(), own.value(), options, state, serial).output;
      Tensor<float, 3> out(2, 1, 10);
      step_into<float>(layer, out, one, past, options, workspace, serial, turned ? &packed : nullptr);
      CHECK(heed_test::all_same_bits(flat(out), flat(wanted)));
      CHECK(workspace.used() == 0);
    }
  }
}

TEST_CASE("a step into memory that does not fit is refused, and nothing has moved", "[nn]") {
  Rng rng{1, 0};
  const MultiHeadAttention<float> layer({.model_dim = 8, .heads = 2}, rng);
  KeyValueCache<float> past({.batch = 1, .kv_heads = 2, .head_dim = 4, .value_dim = 4});
  const auto x = random_tensor<float>(1, 1, 1, 8);
  Tensor<float, 3> out(1, 1, 8), wrong(1, 1, 7);
  Serial serial;
  Workspace small(64), enough(step_workspace_bytes(layer, {1, 1}, 1, 1));
  CHECK_THROWS_WITH(step_into<float>(layer, out, x, past, {}, small, serial), Catch::Contains("step_workspace_bytes"));
  CHECK_THROWS_WITH(step_into<float>(layer, wrong, x, past, {}, enough, serial), Catch::Contains("out has shape (1, 1, 7)"));
  CHECK(past.length() == 0);
  const MultiHeadAttention<float> extra({.model_dim = 8, .heads = 2, .extra_keys = {.learned = 1}}, rng);
  CHECK_THROWS_WITH(step_into<float>(extra, out, x, past, {}, enough, serial), Catch::Contains("extra keys"));
}
