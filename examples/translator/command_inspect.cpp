// heed-translate inspect: what a model file holds.

#include <charconv>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include <heed/core/quote.hpp>

#include "console.hpp"
#include "options.hpp"
#include "self_test.hpp"
#include "translation_model.hpp"

namespace translator {
namespace {

constexpr const char* examples = R"(Examples:
  heed-translate inspect --model m.safetensors
  heed-translate inspect --model m.safetensors --tensors
  heed-translate inspect --model m.safetensors --check-finite
  heed-translate inspect --model m.safetensors --verify)";

struct InspectOptions {
  std::string model;
  bool tensors = false, check_finite = false, verify = false;
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

/// "8.1e-08"
std::string short_text(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::scientific, 1);
  return {text, end.ptr};
}

/// Runs the self-test; with --verify a file without one fails, and the numbers are shown.
void print_self_test(const heed::Checkpoint& checkpoint, const TranslationModel& model, bool verify) {
  verify_self_test(checkpoint, model);
  const std::optional<heed::SelfTest>& test = checkpoint.self_test();
  if (!test && verify)
    throw std::runtime_error(checkpoint.file().name() + ": no self-test in the file, wanted one to --verify");
  print_line(std::string("Self-test    ") + (test ? "passed" : "none in the file"));
  if (!verify) return;
  for (const auto& [name, numbers] : test->input)
    print_line("  input      " + heed::quote(name) + ", " + counted(static_cast<Index>(numbers.size()), "number"));
  for (const auto& [name, numbers] : test->output)
    print_line("  output     " + heed::quote(name) + ", " + counted(static_cast<Index>(numbers.size()), "number"));
  const double distance = heed::self_test_distance(test->output, self_test_output(model, test->input));
  print_line("  farthest   " + short_text(distance) + " of a list's size, tolerated " + short_text(test->tolerance));
  print_line("  saved by   " + heed::escaped(checkpoint.written_by()));
  print_line("  read by    " + heed::library_text());
}

void run_inspect(const InspectOptions& options) {
  const heed::Checkpoint checkpoint(options.model);
  const TranslationModel model = read_translation_model(checkpoint);
  print_line("File         " + checkpoint.file().name());
  print_line("Written by   " + heed::escaped(checkpoint.written_by()));
  print_line("Translates   " + language_text(model.source.language()) + " to " + language_text(model.target.language()));
  print_line("Tokens       " + rules_text(model.source) + "; " + rules_text(model.target));
  print_line("Vocabulary   " + grouped(model.network.source_vocab()) + " and " + grouped(model.network.target_vocab()) +
             " tokens");
  print_line("Network      " + model.network.description());
  print_line("Parameters   " + grouped(heed::parameter_count(model.network)));
  for (const auto& [name, value] : model.facts) print_line("Trained      " + heed::escaped(name + " " + value));
  if (checkpoint.has_section("training")) print_line("State        checkpoint of a training run, can be resumed");
  if (options.tensors) print_tensors(model.network);
  if (options.check_finite) {
    const std::string broken = heed::find_non_finite(model.network);
    if (!broken.empty())
      throw std::runtime_error(options.model + ": " + heed::quote(broken) + " holds NaN or infinity");
    print_line("Finite       all numbers");
  }
  print_self_test(checkpoint, model, options.verify);
}

}  // namespace

Command inspect_command(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("inspect", "Show what a model file holds");
  const auto options = std::make_shared<InspectOptions>();
  add_file(*app, {"--model", "The model (safetensors)"}, options->model)->required();
  app->add_flag("--tensors", options->tensors, "List every tensor with its shape");
  app->add_flag("--check-finite", options->check_finite, "Fail when a number is NaN or infinite");
  app->add_flag("--verify", options->verify, "Show the self-test's numbers; fail where the file has none");
  app->footer(examples);
  return {app, [options] { run_inspect(*options); }};
}

}  // namespace translator
