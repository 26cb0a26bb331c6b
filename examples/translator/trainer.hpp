#pragma once
// Epochs of training: length-bucketed shuffled batches, Adam, clipping, the validation loss after every epoch, the
// best model kept. A checkpoint holds everything the next step depends on, so a run that was killed and resumed gives
// the same bits.

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <heed/text/batches.hpp>
#include <heed/train/adam.hpp>

#include "interrupt.hpp"
#include "progress.hpp"
#include "training_log.hpp"
#include "translation_model.hpp"

namespace translator {

using Settings = std::map<std::string, std::string>;  ///< "--hidden" and its value

struct TrainerOptions {
  heed::Index epochs = 10, batch = 64;
  double learning_rate = 1e-3, clip = 1.0, label_smoothing = 0;
  heed::Index warmup = 0;  ///< steps up to learning_rate, then down with the inverse square root; 0: it stays
  double beta2 = 0.999;    ///< Adam's
  std::uint64_t seed = 1;
  std::string model_file, checkpoint_file, log_file;  ///< an empty name: not written
  heed::Index checkpoint_steps = 500;
  Settings settings;  ///< what a run and its resumption must agree in
  EpochLines lines = EpochLines::every;
  /// As many training pairs as there are, made anew for an epoch, the first is 1; empty: always the same.
  std::function<std::vector<heed::EncodedPair>(heed::Index)> epoch_pairs = {};
};

/// Sentences as ids; no validation pairs: the last epoch is the best.
struct TrainingData {
  std::span<const heed::EncodedPair> training, validation;
};

struct LossSum {
  double nats = 0;
  heed::Index tokens = 0;
  double mean() const { return tokens > 0 ? nats / static_cast<double>(tokens) : 0; }
};

/// The loss over all pairs without dropout, in nats; target tokens are counted, end tokens included.
LossSum total_loss(const Network& network, std::span<const heed::EncodedPair> pairs, heed::Index batch);

class Trainer {
 public:
  /// `model` and the data must outlive the trainer; the model is trained in place.
  Trainer(TranslationModel& model, const TrainingData& data, TrainerOptions options);

  /// Goes on from the checkpoint. Throws std::runtime_error that lists the settings in which the checkpoint differs.
  void resume();

  /// Trains to the last epoch. Throws Interrupted after Ctrl-C, with the checkpoint written.
  void run();

  /// Of the model file, in nats per target token; infinite before the first epoch's end.
  double best_loss() const { return state_.best_loss; }
  heed::Index best_epoch() const { return state_.best_epoch; }

 private:
  // All that the next step depends on besides the model and the optimizer.
  struct State {
    heed::Index epoch = 1, step = 0;  // the running epoch, and its steps done
    heed::Index all_steps = 0;        // of all epochs
    heed::Rng dropout;
    LossSum epoch_loss;
    double best_loss;
    heed::Index best_epoch = 0;
  };

  void run_epoch(Progress& progress, const GracefulInterrupt& interrupt);
  double train_step(const heed::TokenBatch& batch);
  /// Of the step that comes next.
  double learning_rate() const;
  void finish_epoch(Progress& progress, const TrainingLog::Row& last_step);
  void stop(Progress& progress);
  void save_checkpoint() const;
  Progress::State progress_state() const;

  TranslationModel& model_;
  TrainingData data_;
  TrainerOptions options_;
  Network gradient_;
  Network::Cache cache_;  // its memory serves every step
  heed::Adam<Network> optimizer_;
  State state_;
  TrainingLog log_;
  double tokens_per_second_ = 0;
};

}  // namespace translator
