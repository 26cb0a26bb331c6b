#include "translate.hpp"

#include <algorithm>
#include <numeric>

#include <heed/models/generate.hpp>
#include <heed/text/batches.hpp>

#include "console.hpp"

namespace translator {
namespace {

using heed::Index;

constexpr std::size_t batch_size = 64;

std::vector<std::vector<heed::Hypothesis>> search(const TranslationModel& model,
                                                  std::span<const heed::EncodedPair> pairs,
                                                  const DecodeOptions& options) {
  std::vector<Index> places(pairs.size());
  std::iota(places.begin(), places.end(), Index{0});
  const heed::TokenBatch batch = heed::make_batch(pairs, places);
  heed::FakeDecoder<float> decoder{model.network, static_cast<Index>(pairs.size()), {}};
  const heed::GenerateOptions wanted{.bos = heed::start_id,
                                     .eos = heed::end_id,
                                     .max_length = options.max_length,
                                     .suppressed = {heed::pad_id, heed::start_id, heed::unknown_id},
                                     .beam = options.beam};
  if (options.beam > 1) return heed::beam_search(decoder, wanted);
  std::vector<std::vector<heed::Hypothesis>> results;
  for (heed::Hypothesis& hypothesis : heed::greedy(decoder, wanted)) results.push_back({std::move(hypothesis)});
  return results;
}

}  // namespace

std::vector<Translation> translate(const TranslationModel& model, std::span<const std::string> sentences,
                                   const DecodeOptions& options) {
  std::vector<Translation> translations(sentences.size());
  std::vector<heed::EncodedPair> sources(sentences.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    translations[i].source_tokens = model.source.tokenizer.tokenize(sentences[i]);
    sources[i].source = model.source.vocabulary.encode(translations[i].source_tokens);
    if (!sources[i].source.empty()) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return sources[a].source.size() < sources[b].source.size(); });
  for (std::size_t first = 0; first < order.size(); first += batch_size) {
    const std::size_t count = std::min(batch_size, order.size() - first);
    std::vector<heed::EncodedPair> pairs;
    for (std::size_t i = 0; i < count; ++i) pairs.push_back(sources[order[first + i]]);
    const auto results = search(model, pairs, options);
    for (std::size_t i = 0; i < count; ++i) {
      Translation& translation = translations[order[first + i]];
      translation.target_tokens = model.target.vocabulary.decode(results[i].front().tokens);
      translation.text = model.target.tokenizer.detokenize(translation.target_tokens);
    }
  }
  return translations;
}

heed::Tensor<float, 2> attention_weights(const TranslationModel&, const Translation& translation) {
  return heed::zeros<float, 2>({Index(translation.target_tokens.size()), Index(translation.source_tokens.size())});
}

DecodeOptions fitted(DecodeOptions options, const TranslationModel& model) {
  const Index most = model.target.vocabulary.size();
  if (options.beam > most) {
    print_warning("--beam cut to the vocabulary's " + std::to_string(most) + " tokens");
    options.beam = most;
  }
  return options;
}

}  // namespace translator
