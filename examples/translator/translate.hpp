#pragma once
// Sentences through a model: tokens, greedy or beam search, text, and where the model looked.

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <heed/core/tensor.hpp>
#include <heed/models/gru_seq2seq_decoder.hpp>
#include <heed/models/transformer_token_decoder.hpp>

#include "options.hpp"
#include "translation_model.hpp"

namespace translator {

/// One of the n best.
struct Candidate {
  std::string text;
  std::vector<Index> ids;  ///< without the end token
  double score = 0;
};

struct Translation {
  std::string text;
  std::vector<std::string> source_words;
  heed::EncodedPair ids;          ///< of source words and translation, without end tokens
  std::vector<Candidate> n_best;  ///< best first, or in the order of their draws; the first is the translation itself
};

/// A model that is ready to translate: its weights are packed once, in the order in which decoding reads them. It stays
/// where it is, for decoders point to it.
struct Translator {
  const TranslationModel model;
  std::optional<const heed::PackedGruSeq2Seq<float>> packed_gru;
  std::optional<const heed::PackedTransformer<float>> packed_transformer;

  explicit Translator(TranslationModel trained) : model(std::move(trained)) {
    if (model.network.gru) packed_gru.emplace(*model.network.gru);
    if (model.network.transformer) packed_transformer.emplace(*model.network.transformer);
  }
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;
};

/// Translates sentences in order. They run in batches of like length; a sentence's result does not depend on the
/// others, nor on the batches: draws depend on the sentence's place in the whole input, of which the first here has
/// place `first`. An empty sentence has an empty translation. Throws heed::Error for a sentence that is not UTF-8.
std::vector<Translation> translate(const Translator& translator, std::span<const std::string> sentences,
                                   const DecodeOptions& options, std::size_t first = 0);

/// What is printed for sentence number `place`: its translation, or one line for each of the n best.
std::string output_text(const Translation& translation, std::size_t place, const DecodeOptions& options);

/// Where the model looked: weights (target tokens, source tokens) whose rows sum to 1. Of both end tokens only the
/// source's has its place, the target's row is left out.
heed::Tensor<float, 2> attention_weights(const TranslationModel& model, const Translation& translation);

/// Options that fit the model's vocabulary: a beam that is no larger, with a word when it had to be cut, and the ids of
/// banned phrases; those with words that the model never writes are left out, with a word too. Throws UsageError for
/// a prefix with such words.
DecodeOptions fitted(DecodeOptions options, const TranslationModel& model);

}  // namespace translator
