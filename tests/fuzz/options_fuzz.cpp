// Lines of bytes as a command line, read by heed-translate's kinds of options: taken, and then every value is in its
// range, or refused with a message of one line.

#include <cmath>
#include <vector>

#include <CLI/CLI.hpp>

#include "fuzzing.hpp"
#include "options.hpp"

using namespace heed_fuzz;
using translator::Index;

namespace {

/// A tool of one command with every kind of option.
struct Tool {
  CLI::App app{"Trains and runs small neural translators on the CPU.", "heed-translate"};
  CLI::App* train = app.add_subcommand("train", "Train a translator");
  Index epochs = 10, heads = 4;
  double rate = 1e-3, dropout = 0;
  std::uint64_t seed = 1;
  std::string data, language = "en";
  translator::Architecture architecture = translator::Architecture::gru;
  translator::DecodeOptions decode;
  translator::ExistingFile existing = translator::ExistingFile::replace;
  translator::BadText bad;

  Tool() {
    using Ends = translator::RealRange::Ends;
    app.require_subcommand(1);
    translator::add_count(*train, {"--epochs", "Epochs"}, epochs, {0, 1000});
    translator::add_count(*train, {"--heads", "Heads"}, heads, {1, PTRDIFF_MAX});
    translator::add_real(*train, {"--learning-rate", "Rate"}, rate, {0, 1e300, Ends::open_below});
    translator::add_real(*train, {"--dropout", "Dropout"}, dropout, {0, 1, Ends::open_above});
    translator::add_seed(*train, {"--seed", "Seed"}, seed);
    translator::add_file(*train, {"--data", "Pairs"}, data)->required();
    translator::add_language(*train, {"--source-lang", "Language"}, language);
    translator::add_architecture(*train, {"--arch", "Network"}, architecture);
    translator::add_decode_options(*train, decode);
    translator::add_existing_file_option(*train, existing);
    translator::add_bad_lines_option(*train, bad);
    translator::add_bad_bytes_option(*train, bad.bytes);
  }

  void require_ranges() const {
    require(epochs >= 0 && epochs <= 1000, "--epochs is in its range");
    require(heads >= 1, "--heads is in its range");
    require(rate > 0 && rate <= 1e300, "--learning-rate is in its range");
    require(dropout >= 0 && dropout < 1, "--dropout is in its range");
    require(!data.empty(), "--data names a file");
    require(language == "en" || language == "fr" || language == "zh", "--source-lang is one of three");
    require(decode.beam >= 1 && decode.max_length >= 1 && decode.threads >= 0, "the search's options are in range");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Tool tool;
  std::vector<std::string> arguments{"heed-translate"};
  const std::string_view text = text_of(data, size);
  for (std::size_t at = 0, end; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    arguments.emplace_back(line.substr(0, line.find('\0')));  // as the system hands it over
  }
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  try {
    tool.app.parse(static_cast<int>(pointers.size()), pointers.data());
    require(tool.train->parsed(), "a command is chosen");
  } catch (const CLI::Success&) {  // --help
  } catch (const CLI::ParseError& problem) {
    const std::string message = translator::usage_message(tool.app, problem);
    require(!message.empty() && message.size() < 4 * size + 2000, "a refusal has a message");
  }
  if (!tool.data.empty()) tool.require_ranges();
  return 0;
}
