// Translating and training: what a sentence becomes depends on that sentence alone, and a training step on no thread.

#include "contract.hpp"

using namespace contract;

namespace {

constexpr Index vocab = 40;

heed::GruSeq2Seq<float> recurrent_model(double dropout) {
  heed::Rng rng{5, 0};
  return heed::GruSeq2Seq<float>({.source_vocab = vocab,
                                  .target_vocab = vocab,
                                  .embedding_dim = 10,
                                  .hidden_dim = 13,
                                  .encoder_directions = heed::Directions::both,
                                  .bridge = heed::BridgeKind::dense_tanh,
                                  .dropout = dropout},
                                 rng);
}
heed::Transformer<float> transformer_model(double dropout) {
  heed::Rng rng{5, 0};
  return heed::Transformer<float>(
      {.source_vocab = vocab,
       .target_vocab = vocab,
       .layer = {.model_dim = 12, .heads = 2, .hidden_dim = 20, .dropout = dropout, .attention_dropout = dropout},
       .encoder_layers = 2,
       .decoder_layers = 2},
      rng);
}
auto decoder_of(const heed::GruSeq2Seq<float>& model, const heed::GruSeq2Seq<float>::Encoded& encoded,
                heed::ExecutorRef executor) {
  return heed::GruSeq2SeqDecoder<float>(model, encoded, executor);
}
auto decoder_of(const heed::Transformer<float>& model, const heed::Transformer<float>::Encoded& encoded,
                heed::ExecutorRef executor) {
  return heed::TransformerTokenDecoder<float>(model, encoded, executor);
}

/// Sentences of all lengths: token ids from 4, ended by 2.
struct Sentences {
  std::vector<Index> lengths = switch_lengths, target_lengths{3, 9, 1, 5, 7, 2};
  Tensor<Index, 2> ids{6, 129};
  Sentences() {
    heed::Rng rng{6, 0};
    for (Index& id : heed::flat(ids)) id = 4 + rng.below(vocab - 4);
    for (Index s = 0; s < 6; ++s) ids(s, lengths[static_cast<std::size_t>(s)] - 1) = 2;
  }
  /// Teacher-forced pairs; the target of a sentence is its own last tokens' ids, whatever they mean.
  heed::TokenBatch of(const Batch& batch) const {
    heed::TokenBatch made;
    made.source_lengths = batch.of(lengths), made.target_lengths = batch.of(target_lengths);
    const Index steps =
        std::max(batch.steps, *std::max_element(made.target_lengths.begin(), made.target_lengths.end()));
    made.source = heed::zeros<Index, 2>({batch.size(), batch.padded_to(lengths)});
    made.target_input = made.target_output = heed::zeros<Index, 2>({batch.size(), steps});
    for (std::size_t n = 0; n < batch.samples.size(); ++n) {
      const auto b = static_cast<Index>(n), s = batch.samples[n];
      for (Index t = 0; t < made.source_lengths[n]; ++t) made.source(b, t) = ids(s, t);
      for (Index t = 0; t < made.target_lengths[n]; ++t) {
        made.target_output(b, t) = t + 1 == made.target_lengths[n] ? 2 : ids(s, 128 - t);
        made.target_input(b, t) = t == 0 ? 1 : made.target_output(b, t - 1);
      }
    }
    return made;
  }
};

/// Logits of the given translation, and the translations that greedy and beam search find.
template <class Model>
Result translate(const Model& model, const Sentences& sentences, const Batch& batch, heed::ExecutorRef executor) {
  const heed::TokenBatch pairs = sentences.of(batch);
  const auto scores = model.score(pairs, executor);
  const auto encoded = model.encode(pairs.source, pairs.source_lengths, executor);
  const heed::GenerateOptions options{.max_length = 12, .suppressed = {0, 1}, .beam = 4, .n_best = 2};
  auto for_greedy = decoder_of(model, encoded, executor), for_beam = decoder_of(model, encoded, executor);
  const auto greedy = heed::greedy(for_greedy, options);
  const auto beams = heed::beam_search(for_beam, options);
  Result result(batch);
  for (std::size_t n = 0; n < batch.samples.size(); ++n) {
    Record& record = result.samples[n];
    record.add_sample(scores.logits, n, pairs.target_lengths[n]);
    record.add(greedy[n].tokens), record.add(&greedy[n].log_prob, 1);
    for (const heed::Hypothesis& found : beams[n])
      record.add(found.tokens), record.add(&found.log_prob, 1), record.add(&found.score, 1);
  }
  return result;
}

/// Two whole training steps with dropout: losses, gradients and the parameters they lead to.
template <class Model>
Result train(Model model, const Sentences& sentences, const Batch& batch, heed::ExecutorRef executor) {
  const heed::TokenBatch pairs = sentences.of(batch);
  heed::Adam<Model> optimizer(model, {.learning_rate = 0.01});
  heed::Rng rng{9, 0};
  Result result(batch);
  for (int step = 0; step < 2; ++step) {
    auto grad = heed::zeros_like(model);
    typename Model::Cache cache;
    const auto loss = model.loss(pairs, {.rng = &rng, .label_smoothing = 0.1}, &cache, executor);
    model.backward(cache, grad, executor);
    result.batch.add_parameters(grad);
    heed::clip_by_global_norm(grad, {.limit = 1}, executor);
    optimizer.step(model, grad, executor);
    result.batch.add(&loss.loss, 1);
  }
  result.batch.add_parameters(model);
  return result;
}

template <class Model>
void check_translations(const Model& model) {
  const Sentences sentences;
  const auto run = [&](const Batch& batch, heed::ExecutorRef executor) {
    return translate(model, sentences, batch, executor);
  };
  check_samples(6, run);
  check_executors(6, run);
}
template <class Model>
void check_training(const Model& model) {
  const Sentences sentences;
  check_executors(
      6, [&](const Batch& batch, heed::ExecutorRef executor) { return train(model, sentences, batch, executor); });
}

}  // namespace

TEST_CASE("contract: a recurrent translator's logits and translations depend on the sentence alone, and on no thread",
          "[contract]") {
  check_translations(recurrent_model(0));
}

TEST_CASE("contract: a Transformer's logits and translations depend on the sentence alone, and on no thread",
          "[contract]") {
  check_translations(transformer_model(0));
}

TEST_CASE("contract: a training step gives the same bits for any number of threads", "[contract]") {
  check_training(recurrent_model(0.2));
  check_training(transformer_model(0.2));
}
