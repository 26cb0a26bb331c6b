#include "translation_model.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include <heed/core/quote.hpp>
#include <heed/text/learn_byte_pairs.hpp>

#include "console.hpp"
#include "self_test.hpp"

namespace translator {
namespace {

using heed::Index;
using GruConfig = GruNetwork::Config;
using TransformerConfig = TransformerNetwork::Config;

/// In the order of position_names.
constexpr std::array position_kinds{heed::Positions::sinusoidal, heed::Positions::learned, heed::Positions::rotary,
                                    heed::Positions::alibi, heed::Positions::t5};

std::string position_name(heed::Positions kind) {
  const auto at = std::ranges::find(position_kinds, kind) - position_kinds.begin();
  return std::string(position_names[static_cast<std::size_t>(at)]);
}
heed::Positions position_kind(const std::string& name, const std::string& place) {
  const auto found = std::ranges::find(position_names, name);
  if (found == position_names.end()) throw heed::FormatError(place, "", "no positions are called " + heed::quote(name));
  return position_kinds[static_cast<std::size_t>(found - position_names.begin())];
}

/// What a file says of the network, besides its tensors.
nlohmann::json network_json(const Network& network) {
  if (network.gru) {
    const GruConfig& config = network.gru->config;
    return {{"model", "gru_seq2seq"},
            {"embedding_dim", config.embedding_dim},
            {"hidden_dim", config.hidden_dim},
            {"attention_units", config.attention_units},
            {"dropout", config.dropout}};
  }
  const TransformerConfig& config = network.transformer->config;
  return {{"model", "transformer"},
          {"model_dim", config.layer.model_dim},
          {"heads", config.layer.heads},
          {"hidden_dim", config.layer.hidden_dim},
          {"encoder_layers", config.encoder_layers},
          {"decoder_layers", config.decoder_layers},
          {"max_length", config.max_length},
          {"positions", position_name(config.positions)},
          {"dropout", config.layer.dropout}};
}

nlohmann::json config_json(const TranslationModel& model) {
  nlohmann::json config = network_json(model.network);
  config["source_tokenizer"] = model.source.rules.name();
  config["target_tokenizer"] = model.target.rules.name();
  config["source_vocab"] = model.network.source_vocab();
  config["target_vocab"] = model.network.target_vocab();
  config["facts"] = model.facts;
  return config;
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

/// What a network is made from.
struct NetworkConfig {
  std::optional<GruConfig> gru;
  std::optional<TransformerConfig> transformer;

  Index& source_vocab() { return gru ? gru->source_vocab : transformer->source_vocab; }
  Index& target_vocab() { return gru ? gru->target_vocab : transformer->target_vocab; }
};

/// The Transformer that heed-translate trains: layers that normalise first, the target's embedding shared with the
/// output layer.
TransformerConfig transformer_config(const heed::TransformerLayerConfig& layer) {
  TransformerConfig config{.layer = layer, .tied = heed::TiedEmbeddings::target_output, .pad = heed::pad_id};
  config.layer.norm_place = heed::NormPlace::before;
  return config;
}

/// Numbers that a new network's parameters are.
double parameters_of(const GruConfig& config) {
  const auto e = double(config.embedding_dim), h = double(config.hidden_dim), u = double(config.attention_units);
  const double words = e * double(config.source_vocab + config.target_vocab) + (h + 1) * double(config.target_vocab);
  return words + 3 * h * (e + h + 2) + 3 * h * (e + 2 * h + 2) + u * (2 * h + 3);
}
double parameters_of(const TransformerConfig& config) {
  const auto d = double(config.layer.model_dim), f = double(config.layer.hidden_dim);
  const double attention = 4 * d * (d + 1), feed = d * f + f + f * d + d, norm = 2 * d;
  const double layers = double(config.encoder_layers) * (attention + feed + 2 * norm) +
                        double(config.decoder_layers) * (2 * attention + feed + 3 * norm) + 2 * norm;
  double positions = 0;
  if (config.positions == heed::Positions::learned) positions = 2 * double(config.max_length) * d;
  if (config.positions == heed::Positions::t5)
    positions = 2 * double(config.position_options.buckets) * double(config.layer.heads);
  return d * double(config.source_vocab + config.target_vocab) + double(config.target_vocab) + layers + positions;
}
double parameters_of(const NetworkConfig& config) {
  return config.gru ? parameters_of(*config.gru) : parameters_of(*config.transformer);
}

Network new_network(const NetworkConfig& config, std::uint64_t seed) {
  try {
    heed::Rng rng{.seed = seed, .offset = 0};
    Network network;
    if (config.gru)
      network.gru.emplace(*config.gru, rng);
    else
      network.transformer.emplace(*config.transformer, rng);
    return network;
  } catch (const std::bad_alloc&) {
    throw std::runtime_error("not enough memory: the model's parameters take " +
                             fixed(parameters_of(config) * sizeof(float) / (1 << 20), 0) +
                             " MiB, training four times that");
  }
}

/// A network whose parameters wait for a file's. The tables of words, most of it, are not filled with random numbers.
Network unfilled_network(NetworkConfig config) {
  const Index source = config.source_vocab(), target = config.target_vocab();
  config.source_vocab() = config.target_vocab() = heed::special_count;
  Network network = new_network(config, 0);
  const auto widen = [&](auto& one) {
    one.config.source_vocab = source;
    one.config.target_vocab = target;
    one.source_embedding.weight.resize(source, one.source_embedding.embedding_dim());
    one.target_embedding.weight.resize(target, one.target_embedding.embedding_dim());
    if (one.output.weight.size() > 0) one.output.weight.resize(target, one.output.weight.dimension(1));
    one.output.bias.resize(target);
  };
  if (network.gru)
    widen(*network.gru);
  else
    widen(*network.transformer);
  return network;
}

/// Refuses a configuration that is not the file's, before memory is taken for it.
void check_size(const NetworkConfig& config, const heed::Checkpoint& checkpoint) {
  double found = 0;
  for (const auto& [name, info] : checkpoint.file().tensors()) {
    if (!name.starts_with(heed::section_prefix)) found += static_cast<double>(info.size());
  }
  const auto positive = [](std::initializer_list<Index> sizes) { return std::ranges::all_of(sizes, [](Index n) { return n > 0; }); };
  const bool usable =
      config.gru ? positive({config.gru->embedding_dim, config.gru->hidden_dim, config.gru->attention_units})
                 : positive({config.transformer->layer.model_dim, config.transformer->layer.heads,
                             config.transformer->layer.hidden_dim, config.transformer->encoder_layers,
                             config.transformer->decoder_layers, config.transformer->max_length});
  if (usable && parameters_of(config) == found) return;
  throw heed::FormatError(
      checkpoint.file().name(), "",
      "its configuration is of " + fixed(parameters_of(config), 0) + " parameters, it holds " + fixed(found, 0));
}

/// The sizes that a file's configuration names. Throws heed::FormatError where one is missing or the model is unknown.
NetworkConfig read_config(const nlohmann::json& config, const std::string& place) {
  const auto size = [&](const char* name) { return heed::json_field<Index>(config, name, place); };
  const auto kind = heed::json_field<std::string>(config, "model", place);
  const auto dropout = [&] { return heed::json_field<double>(config, "dropout", place); };
  NetworkConfig result;
  if (kind == "gru_seq2seq") {
    result.gru = GruConfig{.source_vocab = size("source_vocab"),
                           .target_vocab = size("target_vocab"),
                           .embedding_dim = size("embedding_dim"),
                           .hidden_dim = size("hidden_dim"),
                           .attention_units = size("attention_units"),
                           .dropout = dropout()};
  } else if (kind == "transformer") {
    result.transformer = transformer_config({.model_dim = size("model_dim"),
                                             .heads = size("heads"),
                                             .hidden_dim = size("hidden_dim"),
                                             .dropout = dropout(),
                                             .attention_dropout = dropout(),
                                             .activation_dropout = dropout()});
    result.transformer->source_vocab = size("source_vocab");
    result.transformer->target_vocab = size("target_vocab");
    result.transformer->encoder_layers = size("encoder_layers");
    result.transformer->decoder_layers = size("decoder_layers");
    result.transformer->max_length = size("max_length");
    if (config.contains("positions"))  // files from before there was a choice have sines
      result.transformer->positions = position_kind(heed::json_field<std::string>(config, "positions", place), place);
  } else {
    throw heed::FormatError(place, "", "no model of heed-translate");
  }
  return result;
}

heed::TextCodec read_codec(const heed::Checkpoint& checkpoint, const nlohmann::json& config, const std::string& side) {
  const std::string place = checkpoint.file().name();
  const auto name = heed::json_field<std::string>(config, side + "_tokenizer", place);
  try {
    heed::TextRules rules = heed::TextRules::from_name(name);
    const std::string merges = side + "_merges";
    if (rules.tokenizer.unit == heed::TokenUnit::byte_pairs)
      rules.merges = heed::BytePairEncoding::parse(checkpoint.text(merges), place + ": " + merges);
    heed::Vocabulary vocabulary(tokens_of(checkpoint.text(side + "_vocabulary")));
    return heed::TextCodec::restore(std::move(rules), std::move(vocabulary));
  } catch (const heed::Error& problem) {
    throw heed::FormatError(place, "", problem.what());
  }
}

/// The rules of both sides, with the merges that the pairs teach.
std::pair<heed::TextRules, heed::TextRules> learned_rules(const NetworkPlan& plan,
                                                          std::span<const heed::SentencePair> pairs) {
  heed::TextRules source = plan.source, target = plan.target;
  if (source.tokenizer.unit != heed::TokenUnit::byte_pairs) return {source, target};
  const heed::LearnOptions options{.merges = plan.subwords.merges};
  heed::TokenCounts words = heed::count_words(source, pairs, &heed::SentencePair::source);
  const heed::TokenCounts target_words = heed::count_words(target, pairs, &heed::SentencePair::target);
  if (plan.subwords.joint) {
    words.add(target_words);
    source.merges = target.merges = heed::learn_byte_pairs(words, options);
  } else {
    source.merges = heed::learn_byte_pairs(words, options);
    target.merges = heed::learn_byte_pairs(target_words, options);
  }
  return {source, target};
}

}  // namespace

TranslationModel new_translation_model(const NetworkPlan& plan, std::span<const heed::SentencePair> pairs) {
  const heed::VocabularyOptions vocabulary{.min_count = plan.sizes.min_count, .max_size = plan.sizes.max_vocab};
  TranslationModel model;
  auto [source, target] = learned_rules(plan, pairs);
  const heed::BytePairDropout dropout{.rate = plan.subwords.dropout, .rng = {plan.seed, 0}};
  model.source = heed::TextCodec::build(std::move(source), pairs, &heed::SentencePair::source, vocabulary, dropout);
  model.target = heed::TextCodec::build(std::move(target), pairs, &heed::SentencePair::target, vocabulary, dropout);
  const ModelSizes& sizes = plan.sizes;
  NetworkConfig config;
  if (sizes.architecture == Architecture::gru) {
    config.gru = GruConfig{.embedding_dim = sizes.embedding,
                           .hidden_dim = sizes.hidden,
                           .attention_units = sizes.attention_units,
                           .dropout = plan.dropout};
  } else {
    config.transformer = transformer_config({.model_dim = sizes.model_dim,
                                             .heads = sizes.heads,
                                             .hidden_dim = sizes.feed_forward,
                                             .dropout = plan.dropout,
                                             .attention_dropout = plan.dropout,
                                             .activation_dropout = plan.dropout});
    config.transformer->encoder_layers = sizes.layers;
    config.transformer->decoder_layers = sizes.decoder_layers > 0 ? sizes.decoder_layers : sizes.layers;
    config.transformer->max_length = plan.max_length;
    config.transformer->positions = position_kind(sizes.positions, "--positions");
  }
  config.source_vocab() = model.source.vocabulary.size();
  config.target_vocab() = model.target.vocabulary.size();
  model.network = new_network(config, plan.seed);
  return model;
}

void describe(heed::CheckpointWriter& writer, const TranslationModel& model) {
  writer.set_config(config_json(model).dump());
  writer.set_text("source_vocabulary", lines_of(model.source.vocabulary.tokens()));
  writer.set_text("target_vocabulary", lines_of(model.target.vocabulary.tokens()));
  if (model.source.unit() == heed::TokenUnit::byte_pairs) {
    writer.set_text("source_merges", model.source.rules.merges.text());
    writer.set_text("target_merges", model.target.rules.merges.text());
  }
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
  const NetworkConfig sizes = read_config(config, place);
  TranslationModel model;
  model.source = read_codec(checkpoint, config, "source");
  model.target = read_codec(checkpoint, config, "target");
  try {
    model.source.vocabulary.check_rows("the source side", "source_vocab", NetworkConfig(sizes).source_vocab());
    model.target.vocabulary.check_rows("the target side", "target_vocab", NetworkConfig(sizes).target_vocab());
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
