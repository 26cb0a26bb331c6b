#include <heed/models/transformer_decoder.hpp>

#include "nn/transformer_layer_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

struct Stacks {
  TransformerEncoder<double> encoder;
  TransformerDecoder<double> decoder;
  static void fields(auto&& visit, auto&... self) {
    visit("encoder", self.encoder...);
    visit("decoder", self.decoder...);
  }
};

Stacks make(NormPlace place, FinalNorm final_norm) {
  Rng rng{1, 0};
  const TransformerStackConfig config{small_layer(place, NormKind::layer, Gate::no, 0), 2, final_norm};
  return with_random_parameters(Stacks{{config, rng}, {config, rng}});
}

}  // namespace

TEST_CASE("the gradients of both stacks equal central differences", "[models]") {
  const NormPlace place = GENERATE(NormPlace::after, NormPlace::before);
  auto model = make(place, GENERATE(FinalNorm::no, FinalNorm::yes));
  auto source = random_tensor<double>(1, 2, 3, 4), target = random_tensor<double>(2, 2, 4, 4);
  const auto d_y = random_tensor<double>(3, 2, 4, 4);
  const std::vector<Index> lengths{3, 2};
  const MultiHeadOptions<double> source_options{.mask = key_lengths(lengths)};
  TransformerDecoder<double>::Options options;
  options.self.mask = causal();
  options.memory.mask = key_lengths(lengths);
  TransformerEncoder<double>::Cache encoder_cache;
  TransformerDecoder<double>::Cache decoder_cache;
  const auto memory = model.encoder.forward(source, source_options, &encoder_cache);
  model.decoder.forward(target, memory, options, &decoder_cache);
  auto grad = zeros_like(model);
  auto d = model.decoder.backward(d_y, memory, decoder_cache, options, grad.decoder);
  auto d_source = model.encoder.backward(d.memory, encoder_cache, source_options, grad.encoder);
  const auto loss = [&] {
    return weighted_total(model.decoder.forward(target, model.encoder.forward(source, source_options), options), d_y);
  };
  const auto found = check_gradients(model, grad, loss, std::tie(source, d_source), std::tie(target, d.x));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-6);
}
