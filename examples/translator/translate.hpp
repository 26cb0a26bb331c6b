#pragma once
// Sentences through a model: tokens, greedy or beam search, text, and where the model looked.

#include <span>
#include <string>
#include <vector>

#include <heed/core/tensor.hpp>

#include "options.hpp"
#include "translation_model.hpp"

namespace translator {

struct Translation {
  std::string text;
  std::vector<std::string> source_words;
  heed::EncodedPair ids;  ///< of source words and translation, without end tokens
};

/// Translates sentences in order. They run in batches of like length; a sentence's result does not depend on the
/// others. An empty sentence has an empty translation. Throws heed::Error for a sentence that is not UTF-8.
std::vector<Translation> translate(const TranslationModel& model, std::span<const std::string> sentences,
                                   const DecodeOptions& options);

/// Where the model looked: weights (target tokens, source tokens) whose rows sum to 1. Of both end tokens only the
/// source's has its place, the target's row is left out.
heed::Tensor<float, 2> attention_weights(const TranslationModel& model, const Translation& translation);

/// Options with a beam that fits the model's vocabulary; says so once when it had to be cut.
DecodeOptions fitted(DecodeOptions options, const TranslationModel& model);

}  // namespace translator
