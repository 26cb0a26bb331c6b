// heed-translate translate: sentences from the command line, a file or standard input.

#include <unistd.h>

#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>

#include <heed/core/thread_pool.hpp>
#include <heed/io/atomic_file.hpp>

#include "attention_map.hpp"
#include "console.hpp"
#include "files.hpp"
#include "options.hpp"
#include "translate.hpp"

namespace translator {
namespace {

constexpr const char* examples = R"(Examples:
  heed-translate translate --model m.safetensors "How are you?"
  heed-translate translate --model m.safetensors --beam 5 --show-attention "Where is the train station?"
  heed-translate translate --model m.safetensors --attention-svg attention.svg "I like tea."
  heed-translate translate --model m.safetensors --input english.txt --output chinese.txt
  cat english.txt | heed-translate translate --model m.safetensors
  heed-translate translate --model m.safetensors --beam 8 --n-best 8 "I like tea."
  heed-translate translate --model m.safetensors --sample --top-p 0.9 --seed 7 --n-best 3 "I like tea."
  heed-translate translate --model m.safetensors --beam 5 --length-penalty gnmt:1 --no-repeat-ngram 3 --input in.txt

A text that begins with a dash goes after --.)";

constexpr std::size_t sentences_at_once = 1024;  // sorted by length, in 16 batches, before they are printed

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void check(const TranslateOptions& options) {
  check_decode_options(options.decode);
  if (!options.text.empty() && !options.input.empty()) throw UsageError("a text and --input exclude each other");
  std::vector<InputFile> inputs{{"--model", options.model}, {"--input", options.input}};
  check_output({"--output", options.output, options.existing}, inputs);
  inputs.push_back({"--output", options.output});
  check_output({"--attention-svg", options.attention_svg, options.existing}, inputs);
}

std::vector<std::string> sentences_of(const TranslateOptions& options) {
  if (!options.text.empty()) return {joined(options.text)};
  const bool typed = options.input.empty() && isatty(STDIN_FILENO) != 0;
  if (typed) print_error("one sentence per line; Ctrl-D ends");
  return read_lines(options.input.empty() ? "-" : options.input, options.bad_bytes);
}

void run_translate(const TranslateOptions& options) {
  check(options);
  heed::set_num_threads(options.decode.threads);
  const Translator translator(load_translation_model(options.model));
  const std::vector<std::string> sentences = sentences_of(options);
  if (!options.attention_svg.empty() && sentences.size() != 1) {
    throw UsageError("--attention-svg draws one sentence, found " + std::to_string(sentences.size()) + " lines");
  }
  const DecodeOptions decode = fitted(options.decode, translator.model);
  std::string text;
  for (std::size_t first = 0; first < sentences.size(); first += sentences_at_once) {
    const std::size_t count = std::min(sentences_at_once, sentences.size() - first);
    std::size_t place = first;
    for (const Translation& translation : translate(translator, {sentences.data() + first, count}, decode, first)) {
      text += output_text(translation, place++, decode);
      if (options.show_attention) text += attention_text(translator.model, translation);
      if (!options.attention_svg.empty()) {
        heed::write_file(options.attention_svg, attention_svg(translator.model, translation));
      }
    }
    if (!options.output.empty()) continue;  // a file is written as a whole
    print(text);
    flush_output();
    text.clear();
  }
  if (!options.output.empty()) heed::write_file(options.output, text);
}

}  // namespace

Command translate_command(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("translate", "Translate a text, a file or standard input");
  const auto options = std::make_shared<TranslateOptions>();
  app->add_option("text", options->text, "What to translate; without it, lines are read from --input or standard input")
      ->option_text("");
  add_file(*app, {"--model", "The model (safetensors)"}, options->model)->required();
  add_file(*app, {"--input", "One sentence per line; default: standard input"}, options->input);
  add_file(*app, {"--output", "One translation per line; default: standard output"}, options->output);
  add_file(*app, {"--attention-svg", "Draw where the model looked at one sentence, as SVG"}, options->attention_svg);
  app->add_flag("--show-attention", options->show_attention, "Draw where the model looked, in the terminal");
  add_decode_options(*app, options->decode);
  add_n_best_option(*app, options->decode);
  add_existing_file_option(*app, options->existing);
  add_bad_bytes_option(*app, options->bad_bytes);
  app->footer(examples);
  return {app, [options] { run_translate(*options); }};
}

}  // namespace translator
