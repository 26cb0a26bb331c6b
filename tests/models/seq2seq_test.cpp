#include <heed/models/seq2seq.hpp>

#include <vector>

#include <heed/models/forced_score.hpp>
#include "models/search_testing.hpp"
#include "models/translation_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

namespace {

constexpr Index vocab = 24;

heed::GruSeq2Seq<float> gru() {
  heed::Rng rng{3, 0};
  return {{.source_vocab = vocab, .target_vocab = vocab, .embedding_dim = 8, .hidden_dim = 12}, rng};
}
heed::Transformer<float> transformer() {
  heed::Rng rng{3, 0};
  heed::Transformer<float>::Config config{
      .source_vocab = vocab, .target_vocab = vocab, .encoder_layers = 1, .decoder_layers = 2, .max_length = 32};
  config.layer = {.model_dim = 8, .heads = 2, .hidden_dim = 12};
  return {config, rng};
}

/// Calls use(model) with both.
template <class Use>
void with_both(const Use& use) {
  use(gru());
  use(transformer());
}

const std::vector<Index> lengths = {6, 1, 9, 3, 6, 2, 7};
heed::TokenBatch sources() { return random_batch(lengths, lengths, vocab, 4); }

heed::GenerateOptions sampled() {
  heed::GenerateOptions options{
      .max_length = 12, .suppressed = {0, 1, 3}, .n_best = 2, .search = heed::Search::sampling};
  options.sampling = {.temperature = 0.8, .top_k = 12, .top_p = 0.9, .seed = 4};
  return options;
}

void check_same(const std::vector<heed::Hypothesis>& found, const std::vector<heed::Hypothesis>& wanted) {
  REQUIRE(found.size() == wanted.size());
  for (std::size_t n = 0; n < wanted.size(); ++n) {
    CHECK(found[n].tokens == wanted[n].tokens);
    CHECK(found[n].log_prob == wanted[n].log_prob);
    CHECK(found[n].score == wanted[n].score);
  }
}

}  // namespace

TEST_CASE("both translators are one concept", "[models]") {
  STATIC_REQUIRE(heed::Seq2SeqModel<heed::GruSeq2Seq<float>>);
  STATIC_REQUIRE(heed::Seq2SeqModel<heed::Transformer<double>>);
  STATIC_REQUIRE_FALSE(heed::Seq2SeqModel<heed::GruSeq2SeqDecoder<float>>);
  STATIC_REQUIRE(heed::AttendingDecoder<heed::GruSeq2SeqDecoder<float>>);
  STATIC_REQUIRE(heed::AttendingDecoder<heed::TransformerTokenDecoder<float>>);
}

TEST_CASE("whatever the search, a sentence gets the same alone and in a batch, from both models", "[models]") {
  heed::GenerateOptions beam = sampled();
  beam.search = heed::Search::beam;
  beam.beam = 3;
  beam.coverage_penalty = heed::CoveragePenalty::gnmt;
  beam.rules = {.min_length_ratio = 0.5, .max_length_ratio = 1.5, .no_repeat_ngram = 2, .repetition_penalty = 1.2};
  heed::GenerateOptions greedy = beam;
  greedy.search = heed::Search::greedy;
  with_both([&](const auto& model) {
    const auto batch = sources();
    for (heed::GenerateOptions options : {sampled(), beam, greedy}) {
      for (std::size_t b = 0; b < lengths.size(); ++b) options.sources.keys.push_back(b + 100);
      const auto together = heed::generate(model, batch.source, batch.source_lengths, options);
      for (std::size_t b = 0; b < lengths.size(); ++b) {
        const auto pair = pair_of(batch, static_cast<Index>(b), 11, lengths[b]);
        heed::GenerateOptions own = options;
        own.sources.keys = {b + 100};
        heed::Serial serial;
        check_same(heed::generate(model, pair.source, pair.source_lengths, own, serial)[0], together[b]);
      }
    }
  });
}

TEST_CASE("sampling the likeliest token alone is greedy search, from both models", "[models]") {
  with_both([](const auto& model) {
    const auto batch = sources();
    heed::GenerateOptions options = sampled();
    options.sampling.top_k = 1;
    options.n_best = 1;
    const auto found = heed::generate(model, batch.source, batch.source_lengths, options);
    options.search = heed::Search::greedy;
    const auto wanted = heed::generate(model, batch.source, batch.source_lengths, options);
    for (std::size_t b = 0; b < lengths.size(); ++b) check_same(found[b], wanted[b]);
  });
}

TEST_CASE("coverage is the attention of the teacher-forced pass, from both models", "[models]") {
  const auto covered = [](const auto& scores, Index b, Index j, Index steps) {  // of either model's Scores::weights
    double sum = 0;
    for (Index t = 0; t < steps; ++t) {
      if constexpr (requires { scores.weights(b, t, j); }) {
        sum += static_cast<double>(scores.weights(b, t, j));
      } else {
        const auto& last = scores.weights.back();
        for (Index head = 0; head < last.dimension(1); ++head)
          sum += static_cast<double>(last(b, head, t, j)) / static_cast<double>(last.dimension(1));
      }
    }
    return sum;
  };
  with_both([&](const auto& model) {
    const auto batch = random_batch(lengths, {4, 4, 4, 4, 4, 4, 4}, vocab, 5);
    const auto scores = model.score(batch);
    std::vector<std::vector<Index>> targets;
    for (Index b = 0; b < 7; ++b)
      targets.push_back({batch.target_output(b, 0), batch.target_output(b, 1), batch.target_output(b, 2), 2});
    const auto encoded = model.encode(batch.source, batch.source_lengths);
    auto decoder = heed::token_decoder(model, encoded);
    heed::GenerateOptions options{.coverage_penalty = heed::CoveragePenalty::gnmt, .beta = 0.5};
    options.sources.lengths = lengths;
    const auto found = heed::score_forced(decoder, targets, options);
    for (Index b = 0; b < 7; ++b) {
      const heed::Hypothesis& hypothesis = found[static_cast<std::size_t>(b)].hypothesis;
      double wanted = hypothesis.log_prob / std::pow(4.0, 0.6);
      for (Index j = 0; j < lengths[static_cast<std::size_t>(b)]; ++j)
        wanted += 0.5 * std::log(std::min(1.0, covered(scores, b, j, 4)));
      CHECK(hypothesis.score == Approx(wanted).epsilon(1e-5));
    }
  });
}
