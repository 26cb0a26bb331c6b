// heed-translate train: a model from two files of sentence pairs.

#include <memory>

#include <CLI/CLI.hpp>

#include "options.hpp"
#include "training.hpp"

namespace translator {
namespace {

constexpr const char* examples = R"(Examples:
  heed-translate train --data train.tsv --valid valid.tsv --model m.safetensors
      The defaults: embedding 128, GRU 256, ten epochs; the best epoch by validation loss is kept.
  heed-translate train --data train.tsv --valid valid.tsv --model m.safetensors --epochs 20 --resume
      Goes on where the last run ended or was interrupted, to 20 epochs, with the same bits as one run of 20.
  heed-translate train --data train.tsv --valid valid.tsv --model t.safetensors --arch transformer --layers 3
      A Transformer: better translations, slower to train.
  heed-translate train --data train.tsv --valid valid.tsv --model b.safetensors --tokens bpe --merges 4000
      Pieces of words instead of words: nothing is unknown, and translations have capitals where they belong.
  heed-translate train --data en-fr.tsv --valid v.tsv --model fr.safetensors --target-lang fr --hidden 128

Data: UTF-8, one pair per line, source and target with a tab between; further columns are ignored.
Ctrl-C finishes the step and saves a checkpoint; a second Ctrl-C stops at once.)";

void add_files(CLI::App& app, TrainOptions& options) {
  add_file(app, {"--data", "Sentence pairs to train on (TSV)"}, options.data)->required()->group("Files");
  add_file(app, {"--valid", "Sentence pairs to measure each epoch with (TSV)"}, options.valid)
      ->required()
      ->group("Files");
  add_file(app, {"--model", "Where the best model goes (safetensors)"}, options.model)->required()->group("Files");
  add_file(app, {"--checkpoint", "Where the run's state goes; default: beside the model, .checkpoint"},
           options.checkpoint)
      ->group("Files");
  add_file(app, {"--log", "CSV of loss, learning rate and tokens/s; default: beside the model, .csv"}, options.log)
      ->group("Files");
  app.add_flag("--resume", options.resume, "Go on from the checkpoint")->group("Files");
  add_existing_file_option(app, options.existing)->group("Files");
  add_bad_lines_option(app, options.bad)->group("Files");
  add_bad_bytes_option(app, options.bad.bytes)->group("Files");
}

void add_text(CLI::App& app, TrainOptions& options) {
  const char* group = "Text";
  add_language(app, {"--source-lang", "Language of the first column: en, fr or zh"}, options.source_language)
      ->group(group);
  add_language(app, {"--target-lang", "Language of the second column"}, options.target_language)->group(group);
  add_token_unit(app, {"--tokens",
                  "What sentences are cut into: words, which lose their case, characters, bytes, "
                  "or bpe: learned pieces of words"},
                 options.tokens)
      ->group(group);
  add_count(app, {"--merges", "Byte pairs that are learned, of each side (bpe)"}, options.subwords.merges,
            {0, 10'000'000})
      ->group(group);
  app.add_flag("--joint", options.subwords.joint, "Learn one list of byte pairs from both sides (bpe)")->group(group);
  add_real(app, {"--bpe-dropout", "Part of the byte pairs left out in training, anew in every epoch (bpe)"},
           options.subwords.dropout, {0, 1, RealRange::Ends::open_above})
      ->group(group);
  add_normalization(app, {"--normalize",
                     "nfkc: full-width forms, ligatures and decomposed accents become ordinary characters, "
                     "here and when the model is used"},
                    options.normalization)
      ->group(group);
  add_count(app, {"--min-count", "A token enters the vocabulary when seen so often"}, options.sizes.min_count,
            {1, 1'000'000})
      ->group(group);
  add_count(app, {"--max-vocab", "Largest vocabulary, special symbols counted"}, options.sizes.max_vocab,
            {5, 10'000'000})
      ->group(group);
  add_count(app, {"--max-length", "Pairs with a side of this many tokens are left out"}, options.max_length, {2, 10000})
      ->group(group);
}

void add_sizes(CLI::App& app, TrainOptions& options) {
  constexpr CountRange size{1, 65536};
  const char* group = "Model";
  add_architecture(app, {"--arch", "gru, which trains fastest, or transformer, which translates better"},
                   options.sizes.architecture)
      ->group(group);
  add_count(app, {"--embedding", "Numbers per word (GRU)"}, options.sizes.embedding, size)->group(group);
  add_count(app, {"--hidden", "Numbers per state (GRU)"}, options.sizes.hidden, size)->group(group);
  add_count(app, {"--attention-units", "Units of the attention's tanh layer (GRU)"}, options.sizes.attention_units, size)
      ->group(group);
  add_count(app, {"--model-dim", "Features per word (Transformer)"}, options.sizes.model_dim, size)->group(group);
  add_count(app, {"--heads", "Attention heads, a divisor of --model-dim (Transformer)"}, options.sizes.heads, size)
      ->group(group);
  add_count(app, {"--layers", "Layers of the encoder, and of the decoder (Transformer)"}, options.sizes.layers, {1, 1000})
      ->group(group);
  add_count(app, {"--decoder-layers", "Layers of the decoder where it has others; 0: as --layers"},
            options.sizes.decoder_layers, {0, 1000})
      ->group(group);
  add_count(app, {"--feed-forward", "Hidden features of a layer (Transformer)"}, options.sizes.feed_forward, size)
      ->group(group);
  add_positions(app, {"--positions", "Where words stand: sinusoidal, learned, rotary, alibi or t5 (Transformer)"},
                options.sizes.positions)
      ->group(group);
}

void add_rates(CLI::App& app, TrainOptions& options) {
  using Ends = RealRange::Ends;
  const char* group = "Training";
  add_count(app, {"--epochs", "Passes over the data; 0: only measure the validation loss"}, options.epochs,
            {0, 1'000'000})
      ->group(group);
  add_count(app, {"--batch", "Sentence pairs per step"}, options.batch, {1, 65536})->group(group);
  add_real(app, {"--dropout", "Part that is dropped; default: 0.2 of a GRU's embeddings, 0.1 everywhere in a Transformer"}, options.dropout, {0, 1, Ends::open_above})
      ->default_str("")
      ->group(group);
  add_real(app, {"--label-smoothing", "Part of the target's probability spread over all words; default: 0, Transformer 0.1"},
           options.label_smoothing, {0, 1, Ends::open_above})
      ->default_str("")
      ->group(group);
  add_real(app, {"--learning-rate", "Adam's step, the highest where it warms up"}, options.learning_rate,
           {0, 1e3, Ends::open_below})
      ->group(group);
  add_count(app, {"--warmup", "Steps up to the learning rate, which then falls; default: 0 (it stays), Transformer 600"},
            options.warmup, {0, 1'000'000'000})
      ->default_str("")
      ->group(group);
  add_real(app, {"--clip", "Largest norm of the gradient"}, options.clip, {0, 1e9, Ends::open_below})->group(group);
  add_seed(app, {"--seed", "Start of all random numbers"}, options.seed)->group(group);
  add_count(app, {"--checkpoint-steps", "Steps between two checkpoints"}, options.checkpoint_steps, {1, 1'000'000'000})
      ->group(group);
  add_threads_option(app, options.threads)->group(group);
}

}  // namespace

Command train_command(CLI::App& parent) {
  CLI::App* app = parent.add_subcommand("train", "Train a model on sentence pairs");
  const auto options = std::make_shared<TrainOptions>();
  add_files(*app, *options);
  add_text(*app, *options);
  add_sizes(*app, *options);
  add_rates(*app, *options);
  app->footer(examples);
  return {app, [options] { run_training(*options); }};
}

}  // namespace translator
