#pragma once
// The options of every command, and how numbers on the command line are read: whole and exact, a point whatever the
// locale, and refused with the option's name, what was found and what is wanted.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <heed/core/view.hpp>
#include <heed/models/generate_options.hpp>
#include <heed/text/corpus.hpp>
#include <heed/text/text_codec.hpp>

// Only the files that define options pay for compiling CLI11.
namespace CLI {
class App;
class Option;
class ParseError;
}  // namespace CLI

namespace translator {

using heed::Index;

/// Options that are each right but do not fit together: exit code 2, as for CLI::ParseError.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class ExistingFile { replace, refuse };

/// What lines of text files get that are no sentence pair, and bytes in them that are no UTF-8.
struct BadText {
  heed::BadLine lines = heed::BadLine::refuse;
  heed::InvalidUtf8 bytes = heed::InvalidUtf8::refuse;
};

enum class Architecture { gru, transformer };

/// How a Transformer may know where a word stands, as options and files name it.
inline constexpr std::array<std::string_view, 5> position_names{"sinusoidal", "learned", "rotary", "alibi", "t5"};

struct ModelSizes {
  Architecture architecture = Architecture::gru;
  Index embedding = 128, hidden = 256, attention_units = 256;                             // of a GRU
  Index model_dim = 256, heads = 4, layers = 3, decoder_layers = 0, feed_forward = 1024;  // of a Transformer; 0: layers
  std::string positions = "sinusoidal";  // of a Transformer: one of position_names
  Index min_count = 2, max_vocab = 10000;
};

/// How words are cut into byte pairs.
struct Subwords {
  Index merges = 8000;
  bool joint = false;  // one list of merges for both sides
  double dropout = 0;  // part of the merges left out in training, anew in every epoch
};

struct TrainOptions {
  std::string data, valid, model, checkpoint, log;
  std::string source_language = "en", target_language = "zh";
  heed::TokenUnit tokens = heed::TokenUnit::words;
  heed::Normalization normalization = heed::Normalization::none;
  Subwords subwords;
  ModelSizes sizes;
  Index epochs = 10, batch = 64, max_length = 50, checkpoint_steps = 500, threads = 0;
  double learning_rate = 1e-3, clip = 1.0;
  double dropout = -1, label_smoothing = -1;  // below 0: as the architecture is best trained
  Index warmup = -1;                          // the same
  std::uint64_t seed = 1;
  bool resume = false;
  ExistingFile existing = ExistingFile::replace;
  BadText bad;
};

/// How sentences are searched for. What the library knows by the same name is told to it as it is.
struct DecodeOptions {
  Index beam = 1, n_best = 1, max_length = 50, batch = 64, threads = 0;
  bool sample = false, replace_unknown = false;
  heed::SamplingOptions sampling;
  heed::TokenRules rules;  ///< fitted() adds `banned` to them
  std::vector<std::string> banned;
  std::string prefix;
  heed::LengthPenalty length_penalty = heed::LengthPenalty::power;
  heed::CoveragePenalty coverage_penalty = heed::CoveragePenalty::none;
  double alpha = 0.6, beta = 0.2;  ///< of the length and of the coverage penalty
};

struct TranslateOptions {
  std::string model, input, output, attention_svg;
  std::vector<std::string> text;
  DecodeOptions decode;
  bool show_attention = false;
  heed::InvalidUtf8 bad_bytes = heed::InvalidUtf8::refuse;
  ExistingFile existing = ExistingFile::replace;
};

struct EvaluateOptions {
  std::string model, data, output;
  DecodeOptions decode;
  Index batch = 64;
  BadText bad;
  ExistingFile existing = ExistingFile::replace;
};

struct DemoOptions {
  std::string model = "phrasebook.safetensors", attention_svg = "attention.svg";
  Index threads = 0, epochs = 0;  // 0: as many as the demo is made for
  bool list = false;
  ExistingFile existing = ExistingFile::replace;
};

/// One subcommand: what was parsed into it, and what runs it.
struct Command {
  CLI::App* app;
  std::function<void()> run;
};

Command demo_command(CLI::App& parent);
Command train_command(CLI::App& parent);
Command translate_command(CLI::App& parent);
Command evaluate_command(CLI::App& parent);
Command interactive_command(CLI::App& parent);
Command inspect_command(CLI::App& parent);

struct CountRange {
  Index least, most;
};
struct RealRange {
  double least, most;
  enum class Ends { closed, open_below, open_above } ends = Ends::closed;
};
struct OptionText {
  const char *name, *help;
};

CLI::Option* add_count(CLI::App& app, OptionText text, Index& value, CountRange range);
CLI::Option* add_real(CLI::App& app, OptionText text, double& value, RealRange range);
/// 0 to 2^64 - 1.
CLI::Option* add_seed(CLI::App& app, OptionText text, std::uint64_t& value);
CLI::Option* add_file(CLI::App& app, OptionText text, std::string& value);
/// en, fr or zh.
CLI::Option* add_language(CLI::App& app, OptionText text, std::string& value);
/// gru or transformer.
CLI::Option* add_architecture(CLI::App& app, OptionText text, Architecture& value);
CLI::Option* add_positions(CLI::App& app, OptionText text, std::string& value);

/// words, characters, bytes or bpe.
CLI::Option* add_token_unit(CLI::App& app, OptionText text, heed::TokenUnit& value);
/// none or nfkc.
CLI::Option* add_normalization(CLI::App& app, OptionText text, heed::Normalization& value);

/// An option whose text `read` takes, or that is refused as not what is `wanted`.
CLI::Option* add_text(CLI::App& app, OptionText text, std::function<bool(const std::string&)> read, std::string wanted);
/// The whole text as a finite number, with a point.
std::optional<double> real_number(const std::string& text);

/// Everything about search but --n-best, which only those offer that show more than one translation.
void add_decode_options(CLI::App& app, DecodeOptions& options);
CLI::Option* add_n_best_option(CLI::App& app, DecodeOptions& options);
/// Throws UsageError for options that are each right but do not fit together.
void check_decode_options(const DecodeOptions& options);
CLI::Option* add_threads_option(CLI::App& app, Index& threads);
CLI::Option* add_existing_file_option(CLI::App& app, ExistingFile& existing);
CLI::Option* add_bad_lines_option(CLI::App& app, BadText& bad);
CLI::Option* add_bad_bytes_option(CLI::App& app, heed::InvalidUtf8& bad_bytes);

/// What is wrong with a command line: "unknown option --epoch; did you mean --epochs?" of the options that `app` and
/// its chosen subcommand have, before the required option that is missing for it.
std::string usage_message(const CLI::App& app, const CLI::ParseError& problem);

}  // namespace translator
