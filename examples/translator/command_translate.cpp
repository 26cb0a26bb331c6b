// heed-translate translate: sentences from the command line, a file or standard input.

#include <iostream>
#include <memory>

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

A text that begins with a dash goes after --.)";

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void check(const TranslateOptions& options) {
  if (!options.text.empty() && !options.input.empty()) throw UsageError("a text and --input exclude each other");
  if (!options.attention_svg.empty() && options.text.empty()) {
    throw UsageError("--attention-svg draws one sentence: wanted a text on the command line");
  }
  const std::vector<InputFile> inputs{{"--model", options.model}, {"--input", options.input}};
  check_output({"--output", options.output, options.existing}, inputs);
  check_output({"--attention-svg", options.attention_svg, options.existing}, inputs);
}

void run_translate(const TranslateOptions& options) {
  check(options);
  heed::set_num_threads(options.decode.threads);
  const TranslationModel model = load_translation_model(options.model);
  std::vector<std::string> sentences;
  if (options.text.empty()) {
    sentences = read_lines(options.input.empty() ? "-" : options.input);
  } else {
    sentences.push_back(joined(options.text));
  }
  std::string text;
  for (const Translation& translation : translate(model, sentences, fitted(options.decode, model))) {
    text += translation.text + '\n';
    if (options.show_attention) text += attention_text(model, translation);
    if (!options.attention_svg.empty()) heed::write_file(options.attention_svg, attention_svg(model, translation));
  }
  if (options.output.empty()) {
    print(text);
  } else {
    heed::write_file(options.output, text);
  }
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
  add_file(*app, {"--attention-svg", "Draw where the model looked, as SVG"}, options->attention_svg);
  app->add_flag("--show-attention", options->show_attention, "Draw where the model looked, in the terminal");
  add_decode_options(*app, options->decode);
  add_existing_file_option(*app, options->existing);
  app->footer(examples);
  return {app, [options] { run_translate(*options); }};
}

}  // namespace translator
