#include <heed/train/freeze.hpp>

#include <heed/train/adam.hpp>
#include <heed/train/clip.hpp>

#include "train/train_testing.hpp"

using heed_test::TwoTensors;

namespace {

struct Nested {
  TwoTensors<float> encoder{1}, encoder2{2};
  std::vector<TwoTensors<float>> layers = {TwoTensors<float>(3), TwoTensors<float>(4)};

  static void fields(auto&& visit, auto&... self) {
    visit("encoder", self.encoder...);
    visit("encoder2", self.encoder2...);
    visit("layers", self.layers...);
  }
};

}  // namespace

TEST_CASE("a frozen part is named up to a dot and keeps its bits through a step", "[train]") {
  Nested model;
  const Nested before = model;
  heed::Adam optimizer(model, {.weight_decay = 0.1, .frozen = heed::frozen_parts(model, {"encoder", "layers.1.bias"})});
  optimizer.step(model, before);
  const auto same = [](const auto& a, const auto& b) { return heed_test::all_same_bits(heed::flat(a), heed::flat(b)); };
  CHECK(same(model.encoder.weight, before.encoder.weight));
  CHECK(same(model.encoder.bias, before.encoder.bias));
  CHECK_FALSE(same(model.encoder2.weight, before.encoder2.weight));
  CHECK_FALSE(same(model.layers[1].weight, before.layers[1].weight));
  CHECK(same(model.layers[1].bias, before.layers[1].bias));
}

TEST_CASE("everything but some parts is frozen, and counted", "[train]") {
  const Nested model;
  const heed::FrozenFilter frozen = heed::frozen_but(model, {"layers.0"});
  CHECK(frozen("encoder.weight"));
  CHECK_FALSE(frozen("layers.0.weight"));
  CHECK(frozen("layers.1.weight"));
  CHECK(heed::trainable_count(model, frozen) == 37 * 11 + 5);
  CHECK(heed::trainable_count(model, {}) == heed::parameter_count(model));
}

TEST_CASE("frozen gradients do not count in a norm once they are cleared", "[train]") {
  Nested grad;
  const heed::FrozenFilter frozen = heed::frozen_but(grad, {"encoder2"});
  heed::clear_frozen(grad, frozen);
  CHECK(heed::gradient_norm(grad) == Approx(heed::gradient_norm(grad.encoder2)));
  CHECK(grad.encoder2.weight(1, 1) != 0);
}

TEST_CASE("a part that names no parameter is refused", "[train]") {
  const Nested model;
  CHECK_THROWS_WITH(heed::frozen_parts(model, {"encoder", "enc"}),
                    "frozen_parts: \"enc\" names no parameter of the model");
  CHECK_THROWS_AS(heed::frozen_but(model, {"layers.2"}), heed::Error);
}
