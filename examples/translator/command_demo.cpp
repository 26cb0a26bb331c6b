// heed-translate demo: trains on the phrasebook and shows what was learnt. Nothing here is prepared: every translation
// comes from the model that was just trained, and half of the sentences shown were never part of the training.

#include <algorithm>
#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>

#include <heed/core/display_width.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/io/atomic_file.hpp>
#include <heed/version.hpp>

#include "attention_map.hpp"
#include "console.hpp"
#include "files.hpp"
#include "options.hpp"
#include "phrasebook.hpp"
#include "scores.hpp"
#include "trainer.hpp"
#include "translate.hpp"

namespace translator {
namespace {

constexpr const char* examples = R"(Examples:
  heed-translate demo
  heed-translate demo --model phrases.safetensors --attention-svg where-it-looked.svg
  heed-translate demo --list | grep "held out")";

constexpr ModelSizes demo_sizes{
    .embedding = 96, .hidden = 160, .attention_units = 96, .min_count = 1, .max_vocab = 10000};
constexpr heed::Index demo_epochs = 50, demo_batch = 16;
constexpr double demo_dropout = 0.35, demo_learning_rate = 2e-3;

constexpr const char* shown_training[] = {"Hello, how are you?",       "Where is the toilet?",
                                          "How is the weather today?", "I would like a ticket to Shanghai.",
                                          "This is my passport.",      "A table for two, please."};
constexpr std::size_t shown_held_out[] = {3, 10, 20, 26, 40, 47};  // one of most subjects
constexpr std::size_t drawn_held_out = 47;

std::string padded(const std::string& text, Index columns) {
  const Index missing = columns - heed::display_width(text);
  return text + std::string(static_cast<std::size_t>(std::max<Index>(missing, 1)), ' ');
}

/// One line: the sentence, its translation, and for a wrong one what the phrasebook says.
void print_translation(const heed::SentencePair& pair, const std::string& translation) {
  const std::string line = "  " + padded(pair.source, 46) + translation;
  const bool right = translation == pair.target;
  print_line(right ? line : padded(line, 78) + "(phrasebook: " + pair.target + ")");
}

std::vector<std::string> sources_of(const std::vector<heed::SentencePair>& pairs) {
  std::vector<std::string> sources;
  for (const heed::SentencePair& pair : pairs) sources.push_back(pair.source);
  return sources;
}

void show_examples(const Translator& translator, const Phrasebook& book, const std::vector<Translation>& held_out) {
  print_line();
  print_line("Sentences of the training part:");
  for (const char* sentence : shown_training) {
    const auto pair = std::find_if(book.training.begin(), book.training.end(),
                                   [&](const heed::SentencePair& each) { return each.source == sentence; });
    print_translation(*pair, translate(translator, {&pair->source, 1}, {}).front().text);
  }
  print_line();
  print_line("Held-out sentences: the model has seen their parts, never together:");
  for (const std::size_t i : shown_held_out) print_translation(book.held_out[i], held_out[i].text);
}

void show_attention(const TranslationModel& model, const Translation& translation, const std::string& source,
                    const DemoOptions& options) {
  print_line();
  print_line("Where the model looked while it wrote \"" + translation.text + "\" for \"" + source + "\" (percent):");
  print_line();
  print(attention_text(model, translation));
  heed::write_file(options.attention_svg, attention_svg(model, translation));
}

void show_scores(const std::vector<Translation>& held_out, const Phrasebook& book) {
  std::vector<std::string> hypotheses, references;
  for (const Translation& translation : held_out) hypotheses.push_back(translation.text);
  for (const heed::SentencePair& pair : book.held_out) references.push_back(pair.target);
  const Scores scores = scores_of(hypotheses, references, heed::Language::chinese);
  const auto count = static_cast<double>(hypotheses.size());
  print_line();
  print_line("On all " + std::to_string(hypotheses.size()) + " held-out sentences: BLEU " + fixed(scores.bleu, 1) +
             ", " + std::to_string(scores.exact) + " of " + std::to_string(hypotheses.size()) +
             " translated exactly (" + fixed(100 * static_cast<double>(scores.exact) / count, 0) + " %).");
}

void show_next(const DemoOptions& options) {
  const std::string model = file_text(options.model);
  print_line();
  print_line("The model is in " + model + ", the drawing in " + file_text(options.attention_svg) + ". Next, type:");
  print_line("  " + program_text() + " translate --model " + model + " \"Where is the bank?\"");
  print_line("  " + program_text() + " interactive --model " + model + " --show-attention");
  print_line("  " + program_text() + " train --data train.tsv --valid valid.tsv --model m.safetensors");
}

void train(TranslationModel& model, const Phrasebook& book, const DemoOptions& options) {
  const heed::EncodedText training = heed::encode_pairs(book.training, model.source, model.target);
  Trainer trainer(model, {training.pairs, {}},
                  {.epochs = options.epochs == 0 ? demo_epochs : options.epochs,
                   .batch = demo_batch,
                   .learning_rate = demo_learning_rate,
                   .model_file = options.model,
                   .checkpoint_file = {},
                   .log_file = {},
                   .settings = {},
                   .lines = EpochLines::few});
  trainer.run();
}

void run_demo(const DemoOptions& options) {
  if (options.list) {
    print(phrasebook_table());
    return;
  }
  check_output({"--model", options.model, options.existing}, {});
  check_output({"--attention-svg", options.attention_svg, options.existing}, {{"--model", options.model}});
  heed::set_num_threads(options.threads);
  const Phrasebook book = phrasebook();
  TranslationModel model = new_translation_model({.sizes = demo_sizes, .dropout = demo_dropout}, book.training);
  print_line(heed::build_info().text());
  print_line();
  print_line("Training on the phrasebook: " + grouped(static_cast<long long>(book.training.size())) +
             " English-Chinese pairs; " + std::to_string(book.held_out.size()) + " more are held out.");
  print_line("A GRU encoder and decoder with Bahdanau attention, " + grouped(heed::parameter_count(model.network)) +
             " parameters.");
  print_line();
  flush_output();
  const auto start = std::chrono::steady_clock::now();
  train(model, book, options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  print_line("Trained in " + fixed(seconds, 1) + " s.");
  const Translator translator(std::move(model));
  const std::vector<Translation> held_out = translate(translator, sources_of(book.held_out), {});
  show_examples(translator, book, held_out);
  show_attention(translator.model, held_out[drawn_held_out], book.held_out[drawn_held_out].source, options);
  show_scores(held_out, book);
  show_next(options);
}

}  // namespace

Command demo_command(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("demo", "Train on the phrasebook that comes with heed, and translate");
  const auto options = std::make_shared<DemoOptions>();
  add_file(*app, {"--model", "Where the model goes"}, options->model);
  add_file(*app, {"--attention-svg", "Where the drawing of the attention goes"}, options->attention_svg);
  add_count(*app, {"--epochs", "Passes over the phrasebook; 0: as many as the demo is made for"}, options->epochs,
            {0, 10000});
  add_existing_file_option(*app, options->existing);
  add_threads_option(*app, options->threads);
  app->add_flag("--list", options->list, "Print the phrasebook instead, held-out sentences marked");
  app->footer(examples);
  return {app, [options] { run_demo(*options); }};
}

}  // namespace translator
