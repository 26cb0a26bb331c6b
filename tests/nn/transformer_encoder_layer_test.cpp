#include <heed/nn/transformer_encoder_layer.hpp>

#include "nn/transformer_layer_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

using Layer = TransformerEncoderLayer<double>;

Layer make(NormPlace place, NormKind norm = NormKind::layer, Gate gate = Gate::no, double dropout = 0) {
  Rng rng{1, 0};
  return with_random_parameters(Layer(small_layer(place, norm, gate, dropout), rng));
}

}  // namespace

TEST_CASE("an encoder layer is its sublayers, normalised behind the shortcuts or before", "[nn]") {
  const auto x = random_tensor<double>(1, 2, 5, 4);
  const MultiHeadOptions<double> options{.mask = causal()};
  for (const NormPlace place : {NormPlace::after, NormPlace::before}) {
    const auto layer = make(place);
    const auto norm = [](const Residual<double>& r, const Tensor<double, 3>& in) { return r.norm.layer.forward(in); };
    Tensor<double, 3> wanted;
    if (place == NormPlace::after) {
      const Tensor<double, 3> first = norm(layer.norm1, x + layer.self_attn.forward(x, options).output);
      wanted = norm(layer.norm2, first + layer.feed_forward.forward(first));
    } else {
      const Tensor<double, 3> first = x + layer.self_attn.forward(norm(layer.norm1, x), options).output;
      wanted = first + layer.feed_forward.forward(norm(layer.norm2, first));
    }
    CHECK(all_close(flat(layer.forward(x, options)), flat(wanted)));
  }
}

TEST_CASE("an encoder layer's gradients equal central differences", "[nn]") {
  const NormPlace place = GENERATE(NormPlace::after, NormPlace::before);
  const double dropout = GENERATE(0.0, 0.3);
  const NormKind norm = dropout > 0 ? NormKind::rms : NormKind::layer;
  auto layer = make(place, norm, dropout > 0 ? Gate::yes : Gate::no, dropout);
  auto x = random_tensor<double>(1, 2, 5, 4);
  const auto d_y = random_tensor<double>(2, 2, 5, 4);
  const std::vector<Index> lengths{5, 3};
  const auto run = [&](Layer::Cache* cache) {
    Rng rng{3, 0};
    return layer.forward(x, {.mask = key_lengths(lengths), .rng = &rng}, cache);
  };
  Layer::Cache cache;
  run(&cache);
  Layer grad = zeros_like(layer);
  auto d_x = layer.backward(d_y, cache, {.mask = key_lengths(lengths)}, grad);
  const auto found = check_gradients(layer, grad, [&] { return weighted_total(run(nullptr), d_y); }, std::tie(x, d_x));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-7);
}

TEST_CASE("an encoder layer has PyTorch's names and counts", "[nn]") {
  auto layer = make(NormPlace::after);
  std::vector<std::string> names;
  for_each_parameter([&](std::string_view name, Role, auto&) { names.emplace_back(name); }, layer);
  CHECK(names == std::vector<std::string>{"self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight",
                                          "self_attn.out_proj.bias", "linear1.weight", "linear1.bias", "linear2.weight",
                                          "linear2.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"});
  CHECK(parameter_count(layer) == 4 * 16 + 16 + 2 * 20 + 9 + 16);
}
