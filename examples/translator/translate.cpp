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
constexpr std::size_t most_rows = 4096;  // sentences times beam: each row has logits over the vocabulary

template <heed::StepDecoder Decoder>
std::vector<std::vector<Index>> search_with(Decoder& decoder, const DecodeOptions& options) {
  const heed::GenerateOptions wanted{.bos = heed::start_id,
                                     .eos = heed::end_id,
                                     .max_length = options.max_length,
                                     .suppressed = {heed::pad_id, heed::start_id, heed::unknown_id},
                                     .beam = options.beam};
  if (options.beam <= 1) return heed::greedy_tokens(decoder, wanted);
  std::vector<std::vector<Index>> results;
  for (auto& hypotheses : heed::beam_search(decoder, wanted)) {  // none: the model holds NaN
    results.push_back(hypotheses.empty() ? std::vector<Index>() : std::move(hypotheses.front().tokens));
  }
  return results;
}

/// The tokens of every pair's translation.
std::vector<std::vector<Index>> search(const Translator& translator, std::span<const heed::EncodedPair> pairs,
                                       const DecodeOptions& options) {
  const Network& network = translator.model.network;
  std::vector<Index> places(pairs.size());
  std::iota(places.begin(), places.end(), Index{0});
  const heed::TokenBatch batch = heed::make_batch(pairs, places);
  if (network.gru) {
    const auto encoded = network.gru->encode(batch.source, batch.source_lengths, heed::default_executor(),
                                             &translator.packed_gru->encoder);
    heed::GruSeq2SeqDecoder<float> decoder(*network.gru, encoded, heed::default_executor(), &*translator.packed_gru);
    return search_with(decoder, options);
  }
  const auto encoded = network.transformer->encode(batch.source, batch.source_lengths);
  heed::TransformerTokenDecoder<float> decoder(*network.transformer, encoded, heed::default_executor(),
                                               &*translator.packed_transformer);
  DecodeOptions own = options;
  own.max_length = std::min(options.max_length, network.transformer->config.max_length);
  return search_with(decoder, own);
}

}  // namespace

std::vector<Translation> translate(const Translator& translator, std::span<const std::string> sentences,
                                   const DecodeOptions& options) {
  const TranslationModel& model = translator.model;
  std::vector<Translation> translations(sentences.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    translations[i].source_words = model.source.tokenize(sentences[i]);
    translations[i].ids.source = model.source.vocabulary.encode(translations[i].source_words);
    if (!translations[i].ids.source.empty()) order.push_back(i);
  }
  const auto length = [&](std::size_t i) { return translations[i].ids.source.size(); };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return length(a) < length(b); });
  const std::size_t batch = std::clamp<std::size_t>(most_rows / static_cast<std::size_t>(options.beam), 1, batch_size);
  for (std::size_t first = 0; first < order.size(); first += batch) {
    const std::span<const std::size_t> places(order.data() + first, std::min(batch, order.size() - first));
    std::vector<heed::EncodedPair> pairs;
    for (const std::size_t place : places) pairs.push_back(translations[place].ids);
    std::vector<std::vector<Index>> results = search(translator, pairs, options);
    for (std::size_t i = 0; i < places.size(); ++i) {
      Translation& translation = translations[places[i]];
      translation.ids.target = std::move(results[i]);
      if (!translation.ids.target.empty() && translation.ids.target.back() == heed::end_id) {
        translation.ids.target.pop_back();
      }
      translation.text = model.target.decode(translation.ids.target);
    }
  }
  return translations;
}

heed::Tensor<float, 2> attention_weights(const TranslationModel& model, const Translation& translation) {
  const std::vector<Index> place{0};
  const heed::TokenBatch batch = heed::make_batch({&translation.ids, 1}, place);
  const auto rows = static_cast<Index>(translation.ids.target.size()), columns = batch.source.dimension(1);
  const heed::Tensor<float, 3> all = model.network.score(batch).weights;
  heed::Tensor<float, 2> weights(rows, columns);
  std::copy_n(all.data(), rows * columns, weights.data());
  return weights;
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
