// heed-translate inspect: what a model file holds.

#include <memory>

#include <CLI/CLI.hpp>

#include <heed/core/quote.hpp>

#include "console.hpp"
#include "options.hpp"
#include "translation_model.hpp"

namespace translator {
namespace {

constexpr const char* examples = R"(Examples:
  heed-translate inspect --model m.safetensors
  heed-translate inspect --model m.safetensors --tensors
  heed-translate inspect --model m.safetensors --check-finite)";

struct InspectOptions {
  std::string model;
  bool tensors = false, check_finite = false;
};

std::string language_text(heed::Language language) {
  switch (language) {
    case heed::Language::english:
      return "English";
    case heed::Language::french:
      return "French";
    case heed::Language::chinese:
      return "Chinese";
  }
  return "?";
}

/// "bpe with 8,000 merges, NFKC"
std::string rules_text(const heed::TextCodec& codec) {
  std::string text(heed::unit_name(codec.unit()));
  if (codec.unit() == heed::TokenUnit::byte_pairs)
    text += " with " + grouped(static_cast<long long>(codec.rules.merges.merges().size())) + " merges";
  return text + (codec.rules.normalization == heed::Normalization::nfkc ? ", NFKC" : "");
}

void print_tensors(const Network& network) {
  heed::for_each_parameter(
      [](std::string_view name, heed::Role, const auto& tensor) {
        const auto shape = heed::extents(tensor);
        print_line("  " + std::string(name) + "  " + heed::shape_text(shape));
      },
      network);
}

void run_inspect(const InspectOptions& options) {
  const heed::Checkpoint checkpoint(options.model);
  const TranslationModel model = read_translation_model(checkpoint);
  print_line("File         " + options.model);
  print_line("Written by   " + checkpoint.written_by());
  print_line("Translates   " + language_text(model.source.language()) + " to " + language_text(model.target.language()));
  print_line("Tokens       " + rules_text(model.source) + "; " + rules_text(model.target));
  print_line("Vocabulary   " + grouped(model.network.source_vocab()) + " and " + grouped(model.network.target_vocab()) + " tokens");
  print_line("Network      " + model.network.description());
  print_line("Parameters   " + grouped(heed::parameter_count(model.network)));
  for (const auto& [name, value] : model.facts) print_line("Trained      " + name + " " + value);
  if (checkpoint.has_section("training")) print_line("State        checkpoint of a training run, can be resumed");
  if (options.tensors) print_tensors(model.network);
  if (options.check_finite) {
    const std::string broken = heed::find_non_finite(model.network);
    if (!broken.empty())
      throw std::runtime_error(options.model + ": " + heed::quote(broken) + " holds NaN or infinity");
    print_line("Finite       all numbers");
  }
  verify_self_test(checkpoint, model);
  print_line(std::string("Self-test    ") + (checkpoint.has_self_test() ? "passed" : "none in the file"));
}

}  // namespace

Command inspect_command(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("inspect", "Show what a model file holds");
  const auto options = std::make_shared<InspectOptions>();
  add_file(*app, {"--model", "The model (safetensors)"}, options->model)->required();
  app->add_flag("--tensors", options->tensors, "List every tensor with its shape");
  app->add_flag("--check-finite", options->check_finite, "Fail when a number is NaN or infinite");
  app->footer(examples);
  return {app, [options] { run_inspect(*options); }};
}

}  // namespace translator
