#include "translation_model.hpp"

#include <new>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "console.hpp"

namespace translator {
namespace {

using heed::Index;
using Config = Network::Config;

nlohmann::json config_json(const TranslationModel& model) {
  const Config& config = model.network.config;
  return {{"model", "gru_seq2seq"},
          {"source_tokenizer", std::string(model.source.tokenizer.name())},
          {"target_tokenizer", std::string(model.target.tokenizer.name())},
          {"source_vocab", config.source_vocab},
          {"target_vocab", config.target_vocab},
          {"embedding_dim", config.embedding_dim},
          {"hidden_dim", config.hidden_dim},
          {"attention_units", config.attention_units},
          {"dropout", config.dropout},
          {"facts", model.facts}};
}

std::string lines_of(const std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token + '\n';
  return text;
}

std::vector<std::string> tokens_of(const std::string& lines) {
  std::vector<std::string> tokens;
  for (std::size_t at = 0, end; (end = lines.find('\n', at)) != lines.npos; at = end + 1) {
    tokens.push_back(lines.substr(at, end - at));
  }
  return tokens;
}

/// Numbers that a new network's parameters are.
double parameters_of(const Config& config) {
  const auto e = double(config.embedding_dim), h = double(config.hidden_dim), u = double(config.attention_units);
  const double words = e * double(config.source_vocab + config.target_vocab) + (h + 1) * double(config.target_vocab);
  return words + 3 * h * (e + h + 2) + 3 * h * (e + 2 * h + 2) + u * (2 * h + 3);
}

Network new_network(const Config& config, std::uint64_t seed) {
  try {
    heed::Rng rng{.seed = seed, .offset = 0};
    return Network(config, rng);
  } catch (const std::bad_alloc&) {
    throw std::runtime_error("not enough memory: the model's parameters take " +
                             fixed(parameters_of(config) * sizeof(float) / (1 << 20), 0) +
                             " MiB, training four times that");
  }
}

heed::TextCodec read_codec(const heed::Checkpoint& checkpoint, const nlohmann::json& config, const std::string& side) {
  const std::string place = checkpoint.file().name();
  const auto name = heed::json_field<std::string>(config, side + "_tokenizer", place);
  try {
    return {heed::Tokenizer::from_name(name), heed::Vocabulary(tokens_of(checkpoint.text(side + "_vocabulary")))};
  } catch (const heed::Error& problem) {
    throw heed::FormatError(place, "", problem.what());
  }
}

}  // namespace

TranslationModel new_translation_model(const NetworkPlan& plan, std::span<const heed::SentencePair> pairs) {
  const heed::VocabularyOptions vocabulary{.min_count = plan.sizes.min_count, .max_size = plan.sizes.max_vocab};
  TranslationModel model;
  model.source = heed::TextCodec::build(plan.source, pairs, &heed::SentencePair::source, vocabulary);
  model.target = heed::TextCodec::build(plan.target, pairs, &heed::SentencePair::target, vocabulary);
  model.network = new_network({.source_vocab = model.source.vocabulary.size(),
                               .target_vocab = model.target.vocabulary.size(),
                               .embedding_dim = plan.sizes.embedding,
                               .hidden_dim = plan.sizes.hidden,
                               .attention_units = plan.sizes.attention_units,
                               .dropout = plan.dropout},
                              plan.seed);
  return model;
}

void describe(heed::CheckpointWriter& writer, const TranslationModel& model) {
  writer.set_config(config_json(model).dump());
  writer.set_text("source_vocabulary", lines_of(model.source.vocabulary.tokens()));
  writer.set_text("target_vocabulary", lines_of(model.target.vocabulary.tokens()));
  writer.add("", model.network);
}

void save_translation_model(const std::string& path, const TranslationModel& model) {
  heed::CheckpointWriter writer;
  describe(writer, model);
  writer.save(path);
}

TranslationModel load_translation_model(const std::string& path) {
  const heed::Checkpoint checkpoint(path);
  const std::string& place = checkpoint.file().name();
  if (checkpoint.config().empty()) throw heed::FormatError(place, "", "no model of heed-translate");
  const nlohmann::json config = heed::parse_json(checkpoint.config(), place);
  if (heed::json_field<std::string>(config, "model", place) != "gru_seq2seq") {
    throw heed::FormatError(place, "", "no model of heed-translate");
  }
  TranslationModel model;
  model.source = read_codec(checkpoint, config, "source");
  model.target = read_codec(checkpoint, config, "target");
  const auto size = [&](const char* name) { return heed::json_field<Index>(config, name, place); };
  const Config sizes{.source_vocab = size("source_vocab"),
                     .target_vocab = size("target_vocab"),
                     .embedding_dim = size("embedding_dim"),
                     .hidden_dim = size("hidden_dim"),
                     .attention_units = size("attention_units"),
                     .dropout = heed::json_field<double>(config, "dropout", place)};
  model.source.vocabulary.check_rows("the source side", "source_vocab", sizes.source_vocab);
  model.target.vocabulary.check_rows("the target side", "target_vocab", sizes.target_vocab);
  model.network = new_network(sizes, 0);
  checkpoint.load("", model.network);
  model.facts = heed::json_field<std::map<std::string, std::string>>(config, "facts", place);
  return model;
}

}  // namespace translator
