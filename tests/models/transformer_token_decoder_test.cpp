#include <heed/models/transformer_token_decoder.hpp>

#include <heed/models/generate.hpp>

#include "nn/transformer_layer_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

Transformer<float> make(Positions positions, NormPlace place) {
  Rng rng{1, 0};
  Transformer<float>::Config config{.source_vocab = 9, .target_vocab = 11, .encoder_layers = 2, .decoder_layers = 2};
  config.layer = {.model_dim = 8, .heads = 2, .hidden_dim = 6, .norm_place = place};
  config.positions = positions;
  config.position_options.rotary.scaling = {.kind = RotaryStretch::yarn, .factor = 4, .trained_length = 20};
  config.position_options.buckets = 8;
  config.position_options.max_distance = 6;
  config.max_length = 20;
  return with_random_parameters(Transformer<float>(config, rng), 0.4);
}

struct Sources {
  Tensor<Index, 2> ids{3, 4};
  std::vector<Index> lengths{4, 2, 3};
  Sources() { ids.setValues({{3, 4, 5, 2}, {6, 2, 0, 0}, {7, 8, 2, 0}}); }
};

}  // namespace

TEST_CASE("decoding step by step gives the logits of the whole target", "[models]") {
  const auto model = make(GENERATE(Positions::none, Positions::sinusoidal, Positions::learned, Positions::rotary,
                                   Positions::alibi, Positions::t5),
                          GENERATE(NormPlace::after, NormPlace::before));
  const Sources sources;
  TokenBatch batch;
  batch.source = sources.ids;
  batch.source_lengths = sources.lengths;
  batch.target_input = Tensor<Index, 2>(3, 5);
  batch.target_input.setValues({{1, 3, 4, 5, 6}, {1, 9, 8, 7, 6}, {1, 5, 5, 5, 5}});
  batch.target_output = batch.target_input;
  const auto wanted = model.score(batch);
  const auto encoded = model.encode(sources.ids, sources.lengths);
  TransformerTokenDecoder<float> decoder(model, encoded);
  decoder.keep_weights();
  const PackedTransformer<float> packed(model);
  TransformerTokenDecoder<float> packed_decoder(model, encoded, default_executor(), &packed);
  for (Index t = 0; t < 5; ++t) {
    std::vector<Index> tokens;
    for (Index b = 0; b < 3; ++b) tokens.push_back(batch.target_input(b, t));
    const auto logits = decoder.step(tokens), same = packed_decoder.step(tokens);
    CHECK(all_same_bits(std::span(logits.data, 33), std::span(same.data, 33)));
    for (Index b = 0; b < 3; ++b)
      for (Index v = 0; v < 11; ++v) CHECK(close(logits(b, v), double(wanted.logits(b, t, v))));
    CHECK(close(decoder.weights()[1](1, 1, 0, 1), double(wanted.weights[1](1, 1, t, 1))));
  }
}

TEST_CASE("beam search gives the same for a source alone and in a batch", "[models]") {
  const auto model = make(Positions::sinusoidal, NormPlace::after);
  const Sources sources;
  const GenerateOptions options{.max_length = 9, .beam = 3, .n_best = 3};
  const auto encoded = model.encode(sources.ids, sources.lengths);
  TransformerTokenDecoder<float> decoder(model, encoded);
  const auto together = beam_search(decoder, options);
  TransformerTokenDecoder<float> greedy_decoder(model, encoded);
  const auto greedily = greedy(greedy_decoder, options);
  for (Index b = 0; b < 3; ++b) {
    const Index length = sources.lengths[std::size_t(b)];
    Tensor<Index, 2> one(1, length);
    for (Index t = 0; t < length; ++t) one(0, t) = sources.ids(b, t);
    const std::vector<Index> lengths{length};
    const auto alone_encoded = model.encode(one, lengths);
    TransformerTokenDecoder<float> alone(model, alone_encoded);
    const auto found = beam_search(alone, options)[0];
    REQUIRE(found.size() == together[std::size_t(b)].size());
    for (std::size_t n = 0; n < found.size(); ++n) {
      CHECK(found[n].tokens == together[std::size_t(b)][n].tokens);
      CHECK(found[n].log_prob == together[std::size_t(b)][n].log_prob);
    }
    TransformerTokenDecoder<float> greedy_alone(model, alone_encoded);
    CHECK(greedy(greedy_alone, options)[0].tokens == greedily[std::size_t(b)].tokens);
  }
}
