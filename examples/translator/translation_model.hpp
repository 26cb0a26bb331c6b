#pragma once
// All that a translator is: the network, what cuts and joins its sentences, and which word has which row. One
// safetensors file holds it, so that file alone is enough to translate.

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include <heed/io/checkpoint.hpp>
#include <heed/text/text_codec.hpp>

#include "network.hpp"
#include "options.hpp"

namespace translator {

struct TranslationModel {
  Network network;
  heed::TextCodec source, target;
  std::map<std::string, std::string> facts;  ///< how it was trained: "epoch", "valid loss"
};

/// What a new model is made of.
struct NetworkPlan {
  ModelSizes sizes;
  double dropout = 0.2;
  Index max_length = 256;  ///< of a Transformer's positions
  std::uint64_t seed = 1;
  heed::TextRules source{.tokenizer = {heed::Language::english}}, target{.tokenizer = {heed::Language::chinese}};
  Subwords subwords = {};  ///< of byte pairs
};

/// Vocabularies from the pairs, and a network with random weights. Throws std::runtime_error with the size wanted
/// when the memory is too small.
TranslationModel new_translation_model(const NetworkPlan& plan, std::span<const heed::SentencePair> pairs);

/// Adds the model and its self-test to a checkpoint; the model must live until the writer's save().
void describe(heed::CheckpointWriter& writer, const TranslationModel& model);

/// Replaces the file as a whole. Throws std::system_error with the path.
void save_translation_model(const std::string& path, const TranslationModel& model);

/// Throws heed::FormatError when the file is no translation model or fails its self-test, std::system_error when it
/// cannot be read.
TranslationModel load_translation_model(const std::string& path);

/// The same in two parts, for those who want to look at a model that fails its self-test.
TranslationModel read_translation_model(const heed::Checkpoint& checkpoint);
void verify_self_test(const heed::Checkpoint& checkpoint, const TranslationModel& model);

}  // namespace translator
