#include <heed/nn/transformer_decoder_layer.hpp>

#include "nn/transformer_layer_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

using Layer = TransformerDecoderLayer<double>;

Layer make(NormPlace place, double dropout = 0) {
  Rng rng{1, 0};
  return with_random_parameters(Layer(small_layer(place, NormKind::layer, Gate::no, dropout), rng));
}

}  // namespace

TEST_CASE("a decoder layer's gradients equal central differences", "[nn]") {
  auto layer = make(GENERATE(NormPlace::after, NormPlace::before), GENERATE(0.0, 0.3));
  auto x = random_tensor<double>(1, 2, 4, 4), memory = random_tensor<double>(2, 2, 3, 4);
  const auto d_y = random_tensor<double>(3, 2, 4, 4);
  const std::vector<Index> lengths{3, 2};
  Layer::Options options;
  options.self.mask = causal();
  options.memory.mask = key_lengths(lengths);
  const auto run = [&](Layer::Cache* cache) {
    Rng rng{3, 0};
    Layer::Options own = options;
    own.self.rng = &rng;
    return layer.forward(x, memory, own, cache);
  };
  Layer::Cache cache;
  run(&cache);
  Layer grad = zeros_like(layer);
  auto d = layer.backward(d_y, memory, cache, options, grad);
  const auto found = check_gradients(layer, grad, [&] { return weighted_total(run(nullptr), d_y); }, std::tie(x, d.x),
                                     std::tie(memory, d.memory));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-7);
}

TEST_CASE("a decoder layer step by step equals the whole sequence", "[nn]") {
  const auto layer = make(GENERATE(NormPlace::after, NormPlace::before));
  const auto x = random_tensor<double>(1, 2, 5, 4), memory = random_tensor<double>(2, 2, 3, 4);
  const std::vector<Index> lengths{3, 2};
  Layer::Options options;
  options.memory.mask = key_lengths(lengths);
  auto state = layer.start(memory, options.memory, 5);
  options.self.mask = causal();
  const auto whole = layer.forward(x, memory, options);
  options.self.mask = {};
  for (Index t = 0; t < 5; ++t) {
    Tensor<double, 3> one(2, 1, 4);
    for (Index b = 0; b < 2; ++b)
      for (Index i = 0; i < 4; ++i) one(b, 0, i) = x(b, t, i);
    const auto found = layer.step(one, options, state);
    for (Index b = 0; b < 2; ++b)
      for (Index i = 0; i < 4; ++i) CHECK(found(b, 0, i) == Approx(whole(b, t, i)));
  }
}

TEST_CASE("a decoder layer has PyTorch's names and counts", "[nn]") {
  auto layer = make(NormPlace::after);
  std::vector<std::string> names;
  for_each_parameter([&](std::string_view name, Role, auto&) { names.emplace_back(name); }, layer);
  REQUIRE(names.size() == 18);
  CHECK(names[4] == "multihead_attn.in_proj_weight");
  CHECK(names[16] == "norm3.weight");
  CHECK(parameter_count(layer) == 2 * (4 * 16 + 16) + 2 * 20 + 9 + 24);
}
