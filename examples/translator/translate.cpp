#include "translate.hpp"

#include <algorithm>
#include <numeric>

#include <heed/core/quote.hpp>
#include <heed/models/generate.hpp>
#include <heed/models/unknown_words.hpp>
#include <heed/text/batches.hpp>

#include "console.hpp"

namespace translator {
namespace {

using heed::Index;

constexpr std::size_t most_rows = 4096;  // sentences times hypotheses: each row has logits over the vocabulary

/// Sentences that are searched for side by side.
struct Batch {
  heed::TokenBatch tokens;
  heed::GenerateOptions options;
};

heed::GenerateOptions generate_options(const Translator& translator, const DecodeOptions& options) {
  heed::GenerateOptions wanted{.bos = heed::start_id,
                               .eos = heed::end_id,
                               .max_length = options.max_length,
                               .suppressed = {heed::pad_id, heed::start_id},
                               .beam = options.beam,
                               .n_best = options.n_best,
                               .length_penalty = options.length_penalty,
                               .alpha = options.alpha,
                               .coverage_penalty = options.coverage_penalty,
                               .beta = options.beta,
                               .search = options.sample      ? heed::Search::sampling
                                         : options.beam == 1 ? heed::Search::greedy
                                                             : heed::Search::beam,
                               .sampling = options.sampling,
                               .rules = options.rules};
  if (!options.replace_unknown) wanted.suppressed.push_back(heed::unknown_id);
  if (const auto& transformer = translator.model.network.transformer) {  // it has no more positions
    wanted.max_length = std::min(wanted.max_length, transformer->config.max_length);
    wanted.rules.min_length = std::min(wanted.rules.min_length, wanted.max_length);
  }
  return wanted;
}

/// Every sentence's hypotheses; none where the model holds NaN.
template <heed::StepDecoder Decoder>
std::vector<std::vector<heed::Hypothesis>> search_with(Decoder& decoder, const heed::GenerateOptions& options) {
  if (options.search != heed::Search::greedy) return heed::generate(decoder, options);
  std::vector<std::vector<heed::Hypothesis>> results;  // nobody asks for the score of the only one
  for (std::vector<Index>& tokens : heed::greedy_tokens(decoder, options))
    results.push_back({heed::Hypothesis{std::move(tokens), 0, 0}});
  return results;
}

std::vector<std::vector<heed::Hypothesis>> search(const Translator& translator, const Batch& batch) {
  const Network& network = translator.model.network;
  const heed::TokenBatch& tokens = batch.tokens;
  if (network.gru) {
    const auto encoded = network.gru->encode(tokens.source, tokens.source_lengths, heed::default_executor(),
                                             &translator.packed_gru->encoder);
    heed::GruSeq2SeqDecoder<float> decoder(*network.gru, encoded, heed::default_executor(), &*translator.packed_gru);
    return search_with(decoder, batch.options);
  }
  const auto encoded = network.transformer->encode(tokens.source, tokens.source_lengths);
  heed::TransformerTokenDecoder<float> decoder(*network.transformer, encoded, heed::default_executor(),
                                               &*translator.packed_transformer);
  return search_with(decoder, batch.options);
}

/// The sentence of `ids`, with the source word that the model looked at in the place of each unknown one.
std::string text_with_copies(const TranslationModel& model, const Translation& translation,
                             const std::vector<Index>& ids) {
  const heed::TextCodec& target = model.target;
  if (std::find(ids.begin(), ids.end(), heed::unknown_id) == ids.end()) return target.decode(ids);
  Translation read = translation;
  read.ids.target = ids;
  const heed::Tensor<float, 2> weights = attention_weights(model, read);
  const std::vector<Index> copied =
      heed::copied_positions(std::span<const Index>(ids), heed::unknown_id, heed::as_matrix(weights),
                             static_cast<Index>(read.source_words.size()));
  std::vector<std::string> words;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    words.push_back(copied[i] < 0 ? target.vocabulary.token(ids[i])
                                  : read.source_words[static_cast<std::size_t>(copied[i])]);
  }
  return target.detokenize(words);
}

void take(Translation& translation, std::vector<heed::Hypothesis> hypotheses, const TranslationModel& model) {
  if (hypotheses.empty()) hypotheses.emplace_back();
  for (heed::Hypothesis& hypothesis : hypotheses) {
    std::vector<Index>& ids = hypothesis.tokens;
    if (!ids.empty() && ids.back() == heed::end_id) ids.pop_back();
    std::string text = text_with_copies(model, translation, ids);
    translation.n_best.push_back({std::move(text), std::move(ids), hypothesis.score});
  }
  translation.text = translation.n_best.front().text;
  translation.ids.target = translation.n_best.front().ids;
}

}  // namespace

std::vector<Translation> translate(const Translator& translator, std::span<const std::string> sentences,
                                   const DecodeOptions& options, std::size_t first) {
  const TranslationModel& model = translator.model;
  std::vector<Translation> translations(sentences.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    translations[i].source_words = model.source.tokenize(sentences[i]);
    translations[i].ids.source = model.source.vocabulary.encode(translations[i].source_words);
    if (translations[i].ids.source.empty())
      translations[i].n_best.emplace_back();
    else
      order.push_back(i);
  }
  const auto length = [&](std::size_t i) { return translations[i].ids.source.size(); };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return length(a) < length(b); });
  const auto hypotheses = static_cast<std::size_t>(options.sample ? options.n_best : options.beam);
  const std::size_t size = std::clamp<std::size_t>(most_rows / hypotheses, 1, static_cast<std::size_t>(options.batch));
  Batch batch{{}, generate_options(translator, options)};
  const std::vector<Index> prefix = model.target.encode(options.prefix);
  for (std::size_t at = 0; at < order.size(); at += size) {
    const std::span<const std::size_t> places(order.data() + at, std::min(size, order.size() - at));
    std::vector<heed::EncodedPair> pairs;
    std::vector<Index> rows(places.size());
    std::iota(rows.begin(), rows.end(), Index{0});
    heed::SourceFacts facts;
    for (const std::size_t place : places) {
      pairs.push_back(translations[place].ids);
      facts.keys.push_back(first + place);
      if (!prefix.empty()) facts.prefixes.push_back(prefix);
    }
    batch.tokens = heed::make_batch(pairs, rows);
    facts.lengths = batch.tokens.source_lengths;
    batch.options.sources = std::move(facts);
    std::vector<std::vector<heed::Hypothesis>> results = search(translator, batch);
    for (std::size_t i = 0; i < places.size(); ++i) take(translations[places[i]], std::move(results[i]), model);
  }
  return translations;
}

std::string output_text(const Translation& translation, std::size_t place, const DecodeOptions& options) {
  if (options.n_best == 1) return translation.text + '\n';
  std::string lines;
  for (const Candidate& candidate : translation.n_best) {
    lines += std::to_string(place) + " ||| " + candidate.text + " ||| " + fixed(candidate.score, 4) + '\n';
  }
  return lines;
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
  const heed::Vocabulary& vocabulary = model.target.vocabulary;
  if (options.beam > vocabulary.size()) {
    print_warning("--beam cut to the vocabulary's " + std::to_string(vocabulary.size()) + " tokens");
    options.beam = vocabulary.size();
    if (!options.sample) options.n_best = std::min(options.n_best, options.beam);
  }
  const auto has_unknown = [](const std::vector<Index>& ids) {
    return std::find(ids.begin(), ids.end(), heed::unknown_id) != ids.end();
  };
  for (const std::string& phrase : options.banned) {
    std::vector<Index> ids = model.target.encode(phrase);
    if (ids.empty() || has_unknown(ids))
      print_warning("--ban " + heed::quote(phrase) + " changes nothing: the model never writes it");
    else
      options.rules.banned.push_back(std::move(ids));
  }
  if (has_unknown(model.target.encode(options.prefix)))
    throw UsageError("--prefix: found " + heed::quote(options.prefix) + ", wanted words that the model knows");
  return options;
}

}  // namespace translator
