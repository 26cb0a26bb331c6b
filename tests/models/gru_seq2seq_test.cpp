#include <heed/models/gru_seq2seq.hpp>

#include <heed/nn/gradient_check.hpp>
#include "models/translation_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using heed::Index;
using Model = heed::GruSeq2Seq<double>;

Model::Config small() { return {.source_vocab = 9, .target_vocab = 9, .embedding_dim = 4, .hidden_dim = 4}; }

std::vector<Model::Config> configurations() {
  std::vector<Model::Config> all(9, small());
  all[1].encoder_directions = heed::Directions::both;
  all[1].encoder_layers = 2;
  all[1].bridge = heed::BridgeKind::dense_tanh;
  all[1].decoder_dim = 5;
  all[1].attention_units = 3;
  all[2].readout = heed::ReadoutKind::deep;
  all[2].readout_dim = 6;
  all[3].readout = heed::ReadoutKind::attentional;
  all[3].tied = heed::TiedEmbeddings::target_output;
  all[4].tied = heed::TiedEmbeddings::all;
  all[4].reset = heed::GruReset::before;
  all[5].readout = heed::ReadoutKind::deep;
  all[5].dropout = 0.4;
  all[6].attention = heed::DecoderAttention::luong_dot;
  all[6].readout = heed::ReadoutKind::attentional;
  all[7].attention = heed::DecoderAttention::luong_general;
  all[7].readout = heed::ReadoutKind::deep;
  all[7].encoder_directions = heed::Directions::both;
  all[7].bridge = heed::BridgeKind::dense_tanh;
  all[8].attention = heed::DecoderAttention::luong_concat;
  all[8].readout = heed::ReadoutKind::attentional;
  all[8].attention_units = 3;
  return all;
}

Model make(const Model::Config& config) {
  heed::Rng rng{3, 0};
  return Model(config, rng);
}

}  // namespace

TEST_CASE("the translator's gradients equal central differences in every configuration", "[models]") {
  const auto config = GENERATE(from_range(configurations()));
  const double smoothing = GENERATE(0.0, 0.1);
  Model model = make(config);
  const auto batch = heed_test::random_batch({5, 2, 3}, {4, 1, 3}, 9, 1);
  const auto loss = [&](Model::Cache* cache) {
    heed::Rng dropout{5, 0};  // the same bits at every call
    return model.loss(batch, {.rng = config.dropout > 0 ? &dropout : nullptr, .label_smoothing = smoothing}, cache);
  };
  Model::Cache cache;
  const auto first = loss(&cache);
  CHECK(first.counted == 8);
  CHECK(first.loss == Approx(first.sum / 8));
  Model grad = heed::zeros_like(model);
  model.backward(cache, grad);
  const auto found = heed::check_gradients(model, grad, [&] { return loss(nullptr).loss; });
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 2e-8);
}

TEST_CASE("score gives the logits that the loss is made of", "[models]") {
  const Model model = make(configurations()[2]);
  const auto batch = heed_test::random_batch({5, 2, 3}, {4, 1, 3}, 9, 1);
  const auto scores = model.score(batch);
  double sum = 0;
  for (Index b = 0; b < 3; ++b) {
    for (Index t = 0; t < batch.target_lengths[static_cast<std::size_t>(b)]; ++t) {
      double total = 0;
      for (Index v = 0; v < 9; ++v) total += std::exp(scores.logits(b, t, v));
      sum += std::log(total) - scores.logits(b, t, batch.target_output(b, t));
    }
    double weight = 0;
    for (Index j = 0; j < 5; ++j) weight += scores.weights(b, 0, j);
    CHECK(weight == Approx(1));
  }
  CHECK(model.loss(batch).sum == Approx(sum).epsilon(1e-12));
}

TEST_CASE("a training step has the same bits for any number of threads", "[models]") {
  heed::Rng rng{3, 0};
  heed::GruSeq2Seq<float>::Config wide{.source_vocab = 50, .target_vocab = 60, .embedding_dim = 20, .hidden_dim = 24, .dropout = 0.3};
  const heed::GruSeq2Seq<float> model(wide, rng);
  std::vector<Index> lengths;
  for (Index b = 0; b < 40; ++b) lengths.push_back(1 + b % 9);
  const auto batch = heed_test::random_batch(lengths, lengths, 50, 2);
  const auto step = [&](heed::ExecutorRef executor) {
    heed::Rng dropout{5, 0};
    heed::GruSeq2Seq<float>::Cache cache;
    auto grad = heed::zeros_like(model);
    const double loss = model.loss(batch, {.rng = &dropout}, &cache, executor).loss;
    model.backward(cache, grad, executor);
    return std::pair(loss, grad);
  };
  heed::Serial serial;
  heed::ThreadPool two(2), five(5);
  const auto one = step(serial);
  for (heed::ThreadPool* pool : {&two, &five}) {
    const auto other = step(*pool);
    CHECK(other.first == one.first);
    heed::for_each_parameter(
        [](std::string_view name, heed::Role, const auto& a, const auto& b) {
          INFO(name);
          CHECK(heed_test::all_same_bits(heed::flat(a), heed::flat(b)));
        },
        one.second, other.second);
  }
}

TEST_CASE("a pair's logits do not depend on its batch or on padding", "[models]") {
  heed::Rng rng{3, 0};
  const heed::GruSeq2Seq<float> model({.source_vocab = 30, .target_vocab = 30, .embedding_dim = 9, .hidden_dim = 17}, rng);
  const auto batch = heed_test::random_batch({6, 1, 4, 2}, {3, 5, 1, 2}, 30, 4);
  const auto together = model.score(batch);
  for (Index b = 0; b < 4; ++b) {
    const auto alone = model.score(heed_test::pair_of(batch, b, 11, 8));
    for (Index t = 0; t < batch.target_lengths[static_cast<std::size_t>(b)]; ++t) {
      for (Index v = 0; v < 30; ++v) CHECK(heed_test::same_bits(alone.logits(0, t, v), together.logits(b, t, v)));
    }
  }
}

TEST_CASE("a configuration or batch that does not fit is refused by name", "[models]") {
  auto config = small();
  config.decoder_dim = 7;
  CHECK_THROWS_WITH(make(config), "GruBridge: a bridge that copies has decoder_dim 7, wanted 4");
  config = small();
  config.embedding_dim = 3;
  config.tied = heed::TiedEmbeddings::target_output;
  CHECK_THROWS_WITH(make(config), "GruSeq2Seq: a tied output layer has embedding_dim 3, wanted 4");
  config = small();
  config.attention = heed::DecoderAttention::luong_dot;
  CHECK_THROWS_WITH(make(config),
                    "GruSeq2Seq: Luong's attention has readout state, wanted attentional or deep: one that reads it");
  const Model model = make(small());
  auto batch = heed_test::random_batch({5, 2}, {4, 1}, 9, 1);
  batch.source(1, 0) = 9;
  CHECK_THROWS_WITH(model.loss(batch), Catch::Contains("is 9, wanted 0 to 8"));
  batch = heed_test::random_batch({5, 2}, {4, 1}, 9, 1);
  batch.source_lengths = {5, 6};
  CHECK_THROWS_WITH(model.loss(batch), "Gru::forward: lengths[1] is 6, wanted 0 to 5");
}
