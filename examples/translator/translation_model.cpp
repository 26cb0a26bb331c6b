#include "translation_model.hpp"

#include <filesystem>
#include <new>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include <heed/core/quote.hpp>

#include "console.hpp"
#include "self_test.hpp"

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

/// A network whose parameters wait for a file's. The tables of words, most of it, are not filled with random numbers.
Network unfilled_network(const Config& config) {
  Config few = config;
  few.source_vocab = few.target_vocab = heed::special_count;
  Network network = new_network(few, 0);
  network.config.source_vocab = config.source_vocab;
  network.config.target_vocab = config.target_vocab;
  network.source_embedding.weight.resize(config.source_vocab, config.embedding_dim);
  network.target_embedding.weight.resize(config.target_vocab, config.embedding_dim);
  network.output.weight.resize(config.target_vocab, network.output.weight.dimension(1));
  network.output.bias.resize(config.target_vocab);
  return network;
}

/// Refuses a configuration that is not the file's, before memory is taken for it.
void check_size(const Config& config, const heed::Checkpoint& checkpoint) {
  double found = 0;
  for (const auto& [name, info] : checkpoint.file().tensors()) {
    if (!name.starts_with(heed::section_prefix)) found += static_cast<double>(info.size());
  }
  const bool positive = config.embedding_dim > 0 && config.hidden_dim > 0 && config.attention_units > 0;
  if (positive && parameters_of(config) == found) return;
  throw heed::FormatError(
      checkpoint.file().name(), "",
      "its configuration is of " + fixed(parameters_of(config), 0) + " parameters, it holds " + fixed(found, 0));
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
  if (const auto test = make_self_test(model)) writer.set_self_test(*test);
}

void save_translation_model(const std::string& path, const TranslationModel& model) {
  heed::CheckpointWriter writer;
  describe(writer, model);
  writer.save(path);
}

TranslationModel read_translation_model(const heed::Checkpoint& checkpoint) {
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
  try {
    model.source.vocabulary.check_rows("the source side", "source_vocab", sizes.source_vocab);
    model.target.vocabulary.check_rows("the target side", "target_vocab", sizes.target_vocab);
    check_size(sizes, checkpoint);
    model.network = unfilled_network(sizes);
  } catch (const heed::Error& problem) {
    throw heed::FormatError(place, "", problem.what());
  }
  checkpoint.load("", model.network);
  model.facts = heed::json_field<std::map<std::string, std::string>>(config, "facts", place);
  return model;
}

void verify_self_test(const heed::Checkpoint& checkpoint, const TranslationModel& model) {
  try {
    checkpoint.verify([&](const heed::NumberLists& input) { return self_test_output(model, input); });
  } catch (const heed::Error& problem) {
    throw heed::FormatError(checkpoint.file().name(), "", problem.what());
  }
}

TranslationModel load_translation_model(const std::string& path) {
  try {
    const heed::Checkpoint checkpoint(path);
    TranslationModel model = read_translation_model(checkpoint);
    verify_self_test(checkpoint, model);
    return model;
  } catch (const std::bad_alloc&) {
    const double bytes = static_cast<double>(std::filesystem::file_size(path));
    throw std::runtime_error("not enough memory: " + heed::quote(path) + " is of " + fixed(bytes / (1 << 20), 0) +
                             " MiB, reading it takes twice that");
  }
}

}  // namespace translator
