// heed-translate interactive: a prompt.

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include <heed/core/thread_pool.hpp>

#include "attention_map.hpp"
#include "console.hpp"
#include "files.hpp"
#include "options.hpp"
#include "translate.hpp"

namespace translator {
namespace {

constexpr const char* examples = R"(Example:
  heed-translate interactive --model m.safetensors --beam 5 --show-attention

One sentence per line; Ctrl-D ends.)";

constexpr std::size_t longest_line = 10'000;  // bytes; nobody types more

/// The next line, cut at longest_line + 1 bytes (the rest is read and dropped); nothing at the end of input.
std::optional<std::string> next_line() {
  std::string line;
  int c = std::getchar();
  if (c == EOF) return std::nullopt;
  for (; c != EOF && c != '\n'; c = std::getchar()) {
    if (line.size() <= longest_line) line += static_cast<char>(c);
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

void answer(const Translator& translator, const std::string& line, std::size_t place, const TranslateOptions& options) {
  if (line.size() > longest_line) {
    print_error("this line has more than " + std::to_string(longest_line) + " bytes; left out");
    return;
  }
  if (const std::string problem = line_problem(line); !problem.empty()) {
    print_error("this line is left out: " + problem);
    return;
  }
  const Translation translation = translate(translator, {&line, 1}, options.decode, place).front();
  print(output_text(translation, place, options.decode));
  if (options.show_attention && !translation.text.empty()) print(attention_text(translator.model, translation));
}

void run_interactive(TranslateOptions options) {
  check_decode_options(options.decode);
  heed::set_num_threads(options.decode.threads);
  const Translator translator(load_translation_model(options.model));
  options.decode = fitted(options.decode, translator.model);
  const bool prompt = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
  if (prompt) print_line("One sentence per line; Ctrl-D ends.");
  for (std::size_t place = 0;; ++place) {  // as `translate` counts lines, so that the same lines draw the same
    if (prompt) print("> ");
    flush_output();
    const std::optional<std::string> line = next_line();
    if (!line) break;
    answer(translator, *line, place, options);
  }
  if (prompt) print_line();
}

}  // namespace

Command interactive_command(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("interactive", "Translate what is typed, line by line");
  const auto options = std::make_shared<TranslateOptions>();
  add_file(*app, {"--model", "The model (safetensors)"}, options->model)->required();
  app->add_flag("--show-attention", options->show_attention, "Draw where the model looked");
  add_decode_options(*app, options->decode);
  add_n_best_option(*app, options->decode);
  app->footer(examples);
  return {app, [options] { run_interactive(*options); }};
}

}  // namespace translator
