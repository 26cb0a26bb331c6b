// heed-translate evaluate: BLEU, chrF, loss and speed of a model on sentence pairs.

#include <algorithm>
#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>

#include <heed/core/thread_pool.hpp>
#include <heed/io/atomic_file.hpp>
#include <heed/text/bleu.hpp>
#include <heed/text/chrf.hpp>

#include "console.hpp"
#include "files.hpp"
#include "options.hpp"
#include "scores.hpp"
#include "trainer.hpp"
#include "translate.hpp"

namespace translator {
namespace {

constexpr const char* examples = R"(Examples:
  heed-translate evaluate --model m.safetensors --data test.tsv
  heed-translate evaluate --model m.safetensors --data test.tsv --beam 5 --output translations.txt

BLEU and chrF are sacreBLEU's, signature included; the loss is in nats per target token.)";

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

void print_scores(const Scores& scores, std::size_t sentences) {
  print_line("BLEU   " + fixed(scores.bleu, 2) + "  " + scores.bleu_signature);
  print_line("chrF   " + fixed(scores.chrf, 2) + "  " + scores.chrf_signature);
  print_line("exact  " + grouped(scores.exact) + " of " + grouped(static_cast<long long>(sentences)));
}

void run_evaluate(const EvaluateOptions& options) {
  check_decode_options(options.decode);
  check_output({"--output", options.output, options.existing}, {{"--model", options.model}, {"--data", options.data}});
  heed::set_num_threads(options.decode.threads);
  const Translator translator(load_translation_model(options.model));
  const TranslationModel& model = translator.model;
  const heed::ParallelText data = read_corpus(options.data, options.bad);
  std::vector<std::string> sources, references;
  for (const heed::SentencePair& pair : data.pairs) sources.push_back(pair.source), references.push_back(pair.target);

  const DecodeOptions decode = fitted(options.decode, model);
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::string> hypotheses;
  for (Translation& translation : translate(translator, sources, decode))
    hypotheses.push_back(std::move(translation.text));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!options.output.empty()) heed::write_file(options.output, joined_lines(hypotheses));

  print_scores(scores_of(hypotheses, references, model.target.language()), hypotheses.size());
  const heed::EncodedText pairs = heed::encode_pairs(data.pairs, model.source, model.target, {.max_tokens = 10000});
  const LossSum loss = total_loss(model.network, pairs.pairs, options.batch);
  print_line("loss   " + fixed(loss.mean(), 4) + "  nats per target token, " + grouped(loss.tokens) + " tokens");
  const std::string search = decode.sample      ? "sampling"
                             : decode.beam == 1 ? "greedy"
                                                : "beam " + std::to_string(decode.beam);
  print_line("speed  " + fixed(static_cast<double>(hypotheses.size()) / seconds, 1) + "  sentences/s, " + search +
             ", " + std::to_string(heed::num_threads()) + (heed::num_threads() == 1 ? " thread" : " threads"));
}

}  // namespace

Command evaluate_command(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("evaluate", "Measure a model: BLEU, chrF, loss, speed");
  const auto options = std::make_shared<EvaluateOptions>();
  add_file(*app, {"--model", "The model (safetensors)"}, options->model)->required();
  add_file(*app, {"--data", "Sentence pairs: source, tab, reference"}, options->data)->required();
  add_file(*app, {"--output", "Where the translations go, one per line"}, options->output);
  add_decode_options(*app, options->decode);
  add_existing_file_option(*app, options->existing);
  add_bad_lines_option(*app, options->bad);
  add_bad_bytes_option(*app, options->bad.bytes);
  app->footer(examples);
  return {app, [options] { run_evaluate(*options); }};
}

}  // namespace translator
