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

struct Translation {
  std::string text;
  std::vector<std::string> source_words;
  heed::EncodedPair ids;  ///< of source words and translation, without end tokens
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
/// others. An empty sentence has an empty translation. Throws heed::Error for a sentence that is not UTF-8.
std::vector<Translation> translate(const Translator& translator, std::span<const std::string> sentences,
                                   const DecodeOptions& options);

/// Where the model looked: weights (target tokens, source tokens) whose rows sum to 1. Of both end tokens only the
/// source's has its place, the target's row is left out.
heed::Tensor<float, 2> attention_weights(const TranslationModel& model, const Translation& translation);

/// Options with a beam that fits the model's vocabulary; says so once when it had to be cut.
DecodeOptions fitted(DecodeOptions options, const TranslationModel& model);

}  // namespace translator
