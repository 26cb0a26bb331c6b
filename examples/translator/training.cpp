#include "training.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <new>
#include <stdexcept>

#include <heed/core/quote.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/version.hpp>

#include "console.hpp"
#include "files.hpp"
#include "trainer.hpp"

namespace translator {
namespace {

using heed::Index;

struct Data {
  heed::ParallelText training, validation;
};

/// "m.safetensors" and ".csv" give "m.csv".
std::string beside(const std::string& model, const std::string& extension) {
  return std::filesystem::path(model).replace_extension(extension).string();
}

/// Everything that can be found wrong before a file is read.
void check_files(const TrainOptions& options) {
  const std::vector<InputFile> inputs{{"--data", options.data}, {"--valid", options.valid}};
  const ExistingFile existing = options.resume ? ExistingFile::replace : options.existing;
  check_output({"--model", options.model, existing}, inputs);
  std::vector<InputFile> more = inputs;
  more.push_back({"--model", options.model});
  check_output({"--checkpoint", options.checkpoint}, more);
  std::error_code ignored;
  if (options.resume && !std::filesystem::exists(options.checkpoint, ignored)) {
    throw std::runtime_error("--resume: there is no checkpoint " + heed::quote(options.checkpoint));
  }
  more.push_back({"--checkpoint", options.checkpoint});
  check_output({"--log", options.log}, more);
}

/// What was not said, as the architecture is best trained.
void fill_in(TrainOptions& options) {
  const bool gru = options.sizes.architecture == Architecture::gru;
  if (!gru && options.sizes.model_dim % options.sizes.heads != 0) {
    throw UsageError("--heads is " + std::to_string(options.sizes.heads) + ", wanted a divisor of --model-dim " +
                     std::to_string(options.sizes.model_dim));
  }
  if (!gru && options.sizes.positions == "rotary" && options.sizes.model_dim / options.sizes.heads % 2 != 0) {
    throw UsageError("--positions is rotary, which turns pairs of features: wanted --model-dim " +
                     std::to_string(options.sizes.model_dim) + " to be an even multiple of --heads " +
                     std::to_string(options.sizes.heads));
  }
  if (options.dropout < 0) options.dropout = gru ? 0.2 : 0.1;
  const bool pieces = options.tokens == heed::TokenUnit::byte_pairs;
  if (!pieces && (options.subwords.joint || options.subwords.dropout > 0))
    throw UsageError(std::string(options.subwords.joint ? "--joint" : "--bpe-dropout") + " wants --tokens bpe");
  if (options.label_smoothing < 0) options.label_smoothing = gru ? 0 : 0.1;
  if (options.warmup < 0) options.warmup = gru ? 0 : 600;
}

Data read_data(const TrainOptions& options) {
  Data data{read_corpus(options.data, options.bad), read_corpus(options.valid, options.bad)};
  const Index shared = heed::count_shared(data.training.pairs, data.validation.pairs);
  if (shared > 0) {
    print_warning(heed::quote(options.valid) + ": " + counted(shared, "pair") + " of the training data");
  }
  return data;
}

/// The pairs of the file `path` that are short enough, as ids.
heed::EncodedText encode(const std::string& path, const std::vector<heed::SentencePair>& pairs,
                         const TranslationModel& model, Index max_length) {
  heed::EncodedText text = heed::encode_pairs(pairs, model.source, model.target, {.max_tokens = max_length - 1});
  const std::string limit = "--max-length " + std::to_string(max_length);
  if (text.pairs.empty()) throw std::runtime_error(heed::quote(path) + ": no pair is shorter than " + limit);
  if (text.dropped > 0) {
    print_warning(heed::quote(path) + ": " + counted(text.dropped, "pair") + " of " + limit +
                  " tokens or more left out");
  }
  return text;
}

/// A text that changes with any pair: FNV-1a over all bytes.
std::string fingerprint(const std::vector<heed::SentencePair>& pairs) {
  std::uint64_t hash = 14695981039346656037u;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  };
  for (const heed::SentencePair& pair : pairs) add(pair.source), add("\t"), add(pair.target), add("\n");
  return std::to_string(pairs.size()) + " pairs, checksum " + std::to_string(hash);
}

Settings settings_of(const TrainOptions& options, const Data& data) {
  return {{"--data", fingerprint(data.training.pairs)},
          {"--valid", fingerprint(data.validation.pairs)},
          {"--source-lang", options.source_language},
          {"--target-lang", options.target_language},
          {"--arch", options.sizes.architecture == Architecture::gru ? "gru" : "transformer"},
          {"--model-dim", std::to_string(options.sizes.model_dim)},
          {"--heads", std::to_string(options.sizes.heads)},
          {"--layers", std::to_string(options.sizes.layers)},
          {"--decoder-layers", std::to_string(options.sizes.decoder_layers)},
          {"--feed-forward", std::to_string(options.sizes.feed_forward)},
          {"--positions", options.sizes.positions},
          {"--label-smoothing", fixed(options.label_smoothing, 9)},
          {"--warmup", std::to_string(options.warmup)},
          {"--embedding", std::to_string(options.sizes.embedding)},
          {"--hidden", std::to_string(options.sizes.hidden)},
          {"--attention-units", std::to_string(options.sizes.attention_units)},
          {"--tokens", std::string(heed::unit_name(options.tokens))},
          {"--merges", std::to_string(options.subwords.merges)},
          {"--joint", options.subwords.joint ? "yes" : "no"},
          {"--bpe-dropout", fixed(options.subwords.dropout, 9)},
          {"--normalize", options.normalization == heed::Normalization::nfkc ? "nfkc" : "none"},
          {"--min-count", std::to_string(options.sizes.min_count)},
          {"--max-vocab", std::to_string(options.sizes.max_vocab)},
          {"--max-length", std::to_string(options.max_length)},
          {"--batch", std::to_string(options.batch)},
          {"--dropout", fixed(options.dropout, 9)},
          {"--learning-rate", fixed(options.learning_rate, 12)},
          {"--clip", fixed(options.clip, 9)},
          {"--seed", std::to_string(options.seed)}};
}

void describe_run(const TrainOptions& options, const TranslationModel& model, const Data& data) {
  print_line(heed::build_info().text());
  print_line("Data:  " + grouped(static_cast<long long>(data.training.pairs.size())) + " pairs to train on, " +
             grouped(static_cast<long long>(data.validation.pairs.size())) + " to validate with");
  print_line((options.tokens == heed::TokenUnit::words ? "Words: " : "Tokens: ") +
             grouped(model.source.vocabulary.size()) + " " + options.source_language + ", " +
             grouped(model.target.vocabulary.size()) + " " + options.target_language);
  print_line("Model: " + model.network.description() + ": " + grouped(heed::parameter_count(model.network)) + " parameters");
  flush_output();
}

void report(const TrainOptions& options, const Trainer& trainer) {
  print_line("Best epoch: " + std::to_string(trainer.best_epoch()) + ", validation loss " +
             fixed(trainer.best_loss(), 3) + " nats per token. The model is in " + options.model + ".");
  print_line();
  print_line("Next: " + program_text() + " translate --model " + file_text(options.model) + " \"...\"");
  print_line("      " + program_text() + " evaluate --model " + file_text(options.model) + " --data test.tsv --beam 5");
}

void train(const TrainOptions& options, TranslationModel& model, const Data& data) {
  describe_run(options, model, data);
  const heed::EncodedText training = encode(options.data, data.training.pairs, model, options.max_length);
  const heed::EncodedText validation = encode(options.valid, data.validation.pairs, model, options.max_length);
  std::function<std::vector<heed::EncodedPair>(Index)> epoch_pairs;
  if (options.subwords.dropout > 0)
    epoch_pairs = [&](Index epoch) {
      const heed::Rng rng{.seed = options.seed, .offset = static_cast<std::uint64_t>(epoch)};
      return heed::encode_with_dropout(training, data.training.pairs, model.source, model.target,
                                       {{.rate = options.subwords.dropout, .rng = rng}, options.max_length - 1});
    };
  Trainer trainer(model, {training.pairs, validation.pairs},
                  {.epochs = options.epochs,
                   .batch = options.batch,
                   .learning_rate = options.learning_rate,
                   .clip = options.clip,
                   .label_smoothing = options.label_smoothing,
                   .warmup = options.warmup,
                   .beta2 = options.sizes.architecture == Architecture::gru ? 0.999 : 0.98,
                   .seed = options.seed,
                   .model_file = options.model,
                   .checkpoint_file = options.checkpoint,
                   .log_file = options.log,
                   .checkpoint_steps = options.checkpoint_steps,
                   .settings = settings_of(options, data),
                   .epoch_pairs = epoch_pairs});
  if (options.resume) trainer.resume();
  if (options.epochs == 0) {
    const LossSum loss = total_loss(model.network, validation.pairs, options.batch);
    print_line("Validation loss " + fixed(loss.mean(), 4) + " nats per token");
    return;
  }
  trainer.run();
  report(options, trainer);
}

}  // namespace

void run_training(TrainOptions options) {
  if (options.checkpoint.empty()) options.checkpoint = beside(options.model, ".checkpoint");
  if (options.log.empty()) options.log = beside(options.model, ".csv");
  fill_in(options);
  check_files(options);
  heed::set_num_threads(options.threads);
  const Data data = read_data(options);
  NetworkPlan plan{.sizes = options.sizes,
                   .dropout = options.dropout,
                   .max_length = std::max<Index>(256, options.max_length),
                   .seed = options.seed,
                   .subwords = options.subwords};
  plan.source = {.tokenizer = {heed::language_from_name(options.source_language), options.tokens},
                 .normalization = options.normalization};
  plan.target = plan.source;
  plan.target.tokenizer.language = heed::language_from_name(options.target_language);
  TranslationModel model = new_translation_model(plan, data.training.pairs);
  try {
    train(options, model, data);
  } catch (const std::bad_alloc&) {
    const double bytes = 4.0 * sizeof(float) * static_cast<double>(heed::parameter_count(model.network));
    throw std::runtime_error("not enough memory: parameters, gradient and Adam's moments take " +
                             fixed(bytes / (1 << 20), 0) + " MiB, a step some more");
  }
}

}  // namespace translator
