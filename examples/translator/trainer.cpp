#include "trainer.hpp"

#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include <heed/core/quote.hpp>
#include <heed/io/checkpoint.hpp>
#include <heed/train/clip.hpp>
#include <heed/train/schedule.hpp>

#include "console.hpp"

namespace translator {
namespace {

using heed::Index;
using Clock = std::chrono::steady_clock;

constexpr const char* section = "training";
constexpr const char* setting_prefix = "setting ";

/// "--hidden is 64, the checkpoint has 128", for every setting that differs.
std::string differences(const heed::Checkpoint& checkpoint, const Settings& settings) {
  std::string text;
  for (const auto& [name, value] : settings) {
    const std::string& before = checkpoint.text(setting_prefix + name);
    if (before == value) continue;
    text += (text.empty() ? "" : ", ") + name + " is " + heed::quote(value) + " (before: " + heed::quote(before) + ")";
  }
  return text;
}

}  // namespace

LossSum total_loss(const Network& network, std::span<const heed::EncodedPair> pairs, Index batch_size) {
  LossSum sum;
  for (const std::vector<Index>& places : heed::batch_plan(pairs, batch_size)) {
    const heed::TokenBatch batch = heed::make_batch(pairs, places);
    const auto loss = network.loss(batch);
    sum.nats += loss.sum;
    sum.tokens += loss.counted;
  }
  return sum;
}

Trainer::Trainer(TranslationModel& model, const TrainingData& data, TrainerOptions options)
    : model_(model),
      data_(data),
      options_(std::move(options)),
      gradient_(heed::zeros_like(model.network)),
      optimizer_(model.network, {.learning_rate = options_.learning_rate, .beta2 = options_.beta2}),
      state_{.dropout = {.seed = options_.seed + 1, .offset = 0},
             .epoch_loss = {},
             .best_loss = std::numeric_limits<double>::infinity()} {}

void Trainer::save_checkpoint() const {
  if (options_.checkpoint_file.empty()) return;
  heed::CheckpointWriter writer;
  describe(writer, model_);
  writer.add("adam", optimizer_);
  for (const auto& [name, value] : options_.settings) writer.set_text(setting_prefix + name, value);
  writer.add_scalar<std::int64_t>(section, "epoch", state_.epoch);
  writer.add_scalar<std::int64_t>(section, "step", state_.step);
  writer.add_scalar<std::int64_t>(section, "all_steps", state_.all_steps);
  writer.add_scalar<std::uint64_t>(section, "dropout_seed", state_.dropout.seed);
  writer.add_scalar<std::uint64_t>(section, "dropout_offset", state_.dropout.offset);
  writer.add_scalar<double>(section, "epoch_nats", state_.epoch_loss.nats);
  writer.add_scalar<std::int64_t>(section, "epoch_tokens", state_.epoch_loss.tokens);
  writer.add_scalar<double>(section, "best_loss", state_.best_loss);
  writer.add_scalar<std::int64_t>(section, "best_epoch", state_.best_epoch);
  writer.save(options_.checkpoint_file);
}

void Trainer::resume() {
  const heed::Checkpoint checkpoint(options_.checkpoint_file);
  if (!checkpoint.has_section(section)) {
    throw std::runtime_error(heed::quote(options_.checkpoint_file) + " is no checkpoint of a training run");
  }
  const std::string different = differences(checkpoint, options_.settings);
  if (!different.empty()) {
    throw std::runtime_error("cannot resume from " + heed::quote(options_.checkpoint_file) + ": " + different);
  }
  checkpoint.load("", model_.network);
  verify_self_test(checkpoint, model_);
  checkpoint.load("adam", optimizer_);
  state_.epoch = checkpoint.scalar<std::int64_t>(section, "epoch");
  state_.step = checkpoint.scalar<std::int64_t>(section, "step");
  state_.all_steps = checkpoint.scalar<std::int64_t>(section, "all_steps");
  state_.dropout.seed = checkpoint.scalar<std::uint64_t>(section, "dropout_seed");
  state_.dropout.offset = checkpoint.scalar<std::uint64_t>(section, "dropout_offset");
  state_.epoch_loss.nats = checkpoint.scalar<double>(section, "epoch_nats");
  state_.epoch_loss.tokens = checkpoint.scalar<std::int64_t>(section, "epoch_tokens");
  state_.best_loss = checkpoint.scalar<double>(section, "best_loss");
  state_.best_epoch = checkpoint.scalar<std::int64_t>(section, "best_epoch");
}

double Trainer::learning_rate() const {
  if (options_.warmup == 0) return options_.learning_rate;
  return heed::InverseSqrtSchedule{options_.learning_rate, options_.warmup}(state_.all_steps + 1);
}

double Trainer::train_step(const heed::TokenBatch& batch) {
  const auto loss =
      model_.network.loss(batch, {.rng = &state_.dropout, .label_smoothing = options_.label_smoothing}, &cache_);
  heed::set_zero(gradient_);
  model_.network.backward(cache_, gradient_);
  heed::clip_by_global_norm(gradient_, {.limit = options_.clip});
  optimizer_.options.learning_rate = learning_rate();
  optimizer_.step(model_.network, gradient_);
  ++state_.all_steps;
  state_.epoch_loss.nats += loss.sum;
  state_.epoch_loss.tokens += loss.counted;
  return loss.loss;
}

void Trainer::run() {
  const bool resumed = state_.epoch > 1 || state_.step > 0;
  log_ = resumed ? TrainingLog(options_.log_file, state_.epoch, state_.step) : TrainingLog(options_.log_file);
  const auto pairs = static_cast<Index>(data_.training.size());
  const Index steps = (pairs + options_.batch - 1) / options_.batch;
  const GracefulInterrupt interrupt;
  if (!resumed) save_checkpoint();  // a run that is killed before its first periodic one can be resumed too
  Progress progress({.epochs = options_.epochs,
                     .steps_per_epoch = steps,
                     .steps_before = (state_.epoch - 1) * steps + state_.step,
                     .lines = options_.lines});
  try {
    while (state_.epoch <= options_.epochs) run_epoch(progress, interrupt);
  } catch (const OutputClosed&) {
    save_checkpoint();
    throw;
  }
}

void Trainer::run_epoch(Progress& progress, const GracefulInterrupt& interrupt) {
  const auto epoch = static_cast<std::uint64_t>(state_.epoch);
  const std::vector<heed::EncodedPair> own =
      options_.epoch_pairs ? options_.epoch_pairs(state_.epoch) : std::vector<heed::EncodedPair>();
  const std::span<const heed::EncodedPair> pairs = options_.epoch_pairs ? own : data_.training;
  const heed::BatchPlan plan = heed::batch_plan(pairs, options_.batch, {options_.seed, epoch});
  const auto steps = static_cast<Index>(plan.size());
  auto before = Clock::now();
  TrainingLog::Row row;
  double tokens = 0, seconds = 0;  // of the steps made here
  while (state_.step < steps) {
    const heed::TokenBatch batch = heed::make_batch(pairs, plan[static_cast<std::size_t>(state_.step)]);
    const double rate = learning_rate(), loss = train_step(batch);
    ++state_.step;
    if (!std::isfinite(loss)) {
      throw std::runtime_error("the loss is not finite in epoch " + std::to_string(state_.epoch) + ", step " +
                               std::to_string(state_.step) + "; try a smaller --learning-rate");
    }
    const auto now = Clock::now();
    seconds += std::chrono::duration<double>(now - before).count();
    before = now;
    tokens += static_cast<double>(heed::token_count(batch));
    tokens_per_second_ = tokens / seconds;
    row = {state_.epoch, state_.step, loss, rate, tokens_per_second_, std::nullopt};
    if (state_.step == steps) break;
    log_.write(row);
    progress.step(progress_state());
    if (interrupt.requested()) stop(progress);
    if (state_.step % options_.checkpoint_steps == 0) save_checkpoint();
  }
  finish_epoch(progress, row);
  if (interrupt.requested() && state_.epoch <= options_.epochs) stop(progress);
}

void Trainer::finish_epoch(Progress& progress, const TrainingLog::Row& last_step) {
  TrainingLog::Row row = last_step;
  std::string note;
  bool best = true;
  if (!data_.validation.empty()) {
    row.valid_loss = total_loss(model_.network, data_.validation, options_.batch).mean();
    best = *row.valid_loss < state_.best_loss;
    note = "valid " + fixed(*row.valid_loss, 3) + (best ? "  best" : "");
  }
  if (best) {
    state_.best_loss = row.valid_loss.value_or(state_.epoch_loss.mean());
    state_.best_epoch = state_.epoch;
    model_.facts["epoch"] = std::to_string(state_.epoch);
    model_.facts[row.valid_loss ? "valid loss" : "training loss"] = fixed(state_.best_loss, 4);
    if (!options_.model_file.empty()) save_translation_model(options_.model_file, model_);
  }
  log_.write(row);
  const Progress::State shown = progress_state();
  ++state_.epoch;
  state_.step = 0;
  state_.epoch_loss = {};
  save_checkpoint();
  progress.epoch_done(shown, note);
}

void Trainer::stop(Progress& progress) {
  save_checkpoint();
  progress.leave_line();
  const bool saved = !options_.checkpoint_file.empty();
  throw Interrupted(saved ? "interrupted; the run is saved in " + heed::quote(options_.checkpoint_file) +
                                ", the same command with --resume goes on"
                          : "interrupted");
}

Progress::State Trainer::progress_state() const {
  return {state_.epoch, state_.step, state_.epoch_loss.mean(), tokens_per_second_};
}

}  // namespace translator
