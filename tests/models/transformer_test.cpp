#include <heed/models/transformer.hpp>

#include "nn/transformer_layer_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
using ModelConfig = typename Transformer<T>::Config;

template <class T>
Transformer<T> make(ModelConfig<T> config) {
  config.source_vocab = config.tied == TiedEmbeddings::all ? 11 : 9;
  config.target_vocab = 11;
  config.layer.model_dim = 8;
  config.layer.heads = 2;
  config.layer.hidden_dim = 6;
  config.encoder_layers = config.decoder_layers = 2;
  config.max_length = 12;
  Rng rng{1, 0};
  return Transformer<T>(config, rng);
}

/// Two pairs of lengths 4 and 2, and 5 and 3.
TokenBatch batch_of() {
  TokenBatch batch;
  batch.source = Tensor<Index, 2>(2, 4);
  batch.source.setValues({{3, 4, 5, 2}, {6, 2, 0, 0}});
  batch.source_lengths = {4, 2};
  batch.target_input = Tensor<Index, 2>(2, 5);
  batch.target_input.setValues({{1, 7, 8, 9, 10}, {1, 5, 6, 0, 0}});
  batch.target_output = Tensor<Index, 2>(2, 5);
  batch.target_output.setValues({{7, 8, 9, 10, 2}, {5, 6, 2, 0, 0}});
  batch.target_lengths = {5, 3};
  return batch;
}

}  // namespace

TEST_CASE("the gradient of a Transformer's loss equals central differences", "[models]") {
  ModelConfig<double> config;
  SECTION("as the paper has it") {}
  SECTION("before, learned positions, one table for all, dropout") {
    config.layer.norm_place = NormPlace::before;
    config.positions = Positions::learned;
    config.tied = TiedEmbeddings::all;
    config.layer.dropout = config.layer.attention_dropout = 0.2;
  }
  SECTION("rotary positions, rms, gated, tied output") {
    config.layer.norm = NormKind::rms;
    config.layer.gate = Gate::yes;
    config.layer.activation = Activation::silu;
    config.positions = Positions::rotary;
    config.tied = TiedEmbeddings::target_output;
  }
  SECTION("T5's buckets, dropout") {
    config.positions = Positions::t5;
    config.position_options.buckets = 6;
    config.position_options.max_distance = 5;
    config.layer.attention_dropout = config.layer.dropout = 0.2;
  }
  SECTION("ALiBi, grouped heads") {
    config.layer.kv_heads = 1;
    config.positions = Positions::alibi;
  }
  auto model = make<double>(config);
  const TokenBatch batch = batch_of();
  const auto loss = [&](Transformer<double>::Cache* cache) {
    Rng rng{5, 0};
    const bool random = config.layer.dropout > 0;
    return double(model.loss(batch, {.rng = random ? &rng : nullptr, .label_smoothing = 0.1}, cache).loss);
  };
  Transformer<double>::Cache cache;
  loss(&cache);
  auto grad = zeros_like(model);
  model.backward(cache, grad);
  const auto found = check_gradients(model, grad, [&] { return loss(nullptr); });
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-7);
}

TEST_CASE("a pair's logits do not depend on its batch, on padding or on threads", "[models]") {
  ModelConfig<float> config;
  config.positions = GENERATE(Positions::sinusoidal, Positions::rotary, Positions::alibi, Positions::t5);
  const auto model = make<float>(config);
  TokenBatch batch = batch_of();
  ThreadPool pool(3);
  Serial serial;
  const auto together = model.score(batch, pool);
  TokenBatch alone;
  alone.source = Tensor<Index, 2>(1, 2);
  alone.source.setValues({{6, 2}});
  alone.source_lengths = {2};
  alone.target_input = Tensor<Index, 2>(1, 3);
  alone.target_input.setValues({{1, 5, 6}});
  alone.target_output = alone.target_input;
  alone.target_lengths = {3};
  const auto one = model.score(alone, serial);
  bool same = true;
  for (Index t = 0; t < 3; ++t)
    for (Index v = 0; v < 11; ++v) same = same && same_bits(together.logits(1, t, v), one.logits(0, t, v));
  CHECK(same);
  REQUIRE(together.weights.size() == 2);
  CHECK(together.weights[1](1, 1, 2, 1) > 0);
  CHECK(together.weights[1](1, 1, 2, 2) == 0);
}

TEST_CASE("a training step with T5's positions has the same bits on any number of threads", "[models]") {
  ModelConfig<float> config;
  config.positions = Positions::t5;
  const auto model = make<float>(config);
  const TokenBatch batch = batch_of();
  const auto gradient = [&](ExecutorRef executor) {
    Transformer<float>::Cache cache;
    model.loss(batch, {}, &cache, executor);
    auto grad = zeros_like(model);
    model.backward(cache, grad, executor);
    return grad;
  };
  ThreadPool pool(3);
  Serial serial;
  const auto alone = gradient(serial), together = gradient(pool);
  CHECK(all_same_bits(flat(alone.encoder.positions.relative_attention_bias.weight),
                      flat(together.encoder.positions.relative_attention_bias.weight)));
  CHECK(all_same_bits(flat(alone.decoder.positions.relative_attention_bias.weight),
                      flat(together.decoder.positions.relative_attention_bias.weight)));
  CHECK(alone.decoder.positions.relative_attention_bias.weight(1, 0) != 0);
}

TEST_CASE("Transformer has the parameters of its configuration, and refuses what does not fit", "[models]") {
  const auto model = make<double>({});
  const Index attention = 4 * 64 + 32, feed = 2 * 48 + 14, norm = 16;
  CHECK(parameter_count(model) == 9 * 8 + 11 * 8 + 2 * (attention + feed + 2 * norm) + 2 * (2 * attention + feed + 3 * norm) + 99);
  ModelConfig<double> buckets;
  buckets.positions = Positions::t5;
  buckets.final_norm = FinalNorm::yes;
  CHECK(parameter_count(make<double>(buckets)) == parameter_count(model) + 2 * 32 * 2 + 2 * norm);
  TokenBatch batch = batch_of();
  batch.source = Tensor<Index, 2>(2, 13);
  batch.source.setConstant(3);
  CHECK_THROWS_WITH(model.loss(batch), Catch::Contains("the source has length 13") && Catch::Contains("max_length 12"));
  Rng rng{1, 0};
  CHECK_THROWS_WITH(Transformer<double>({.source_vocab = 3, .target_vocab = 4, .tied = TiedEmbeddings::all}, rng),
                    Catch::Contains("source_vocab"));
}
