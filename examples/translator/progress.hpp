#pragma once
// How far a training run is: one line that redraws itself on a terminal, one plain line per report elsewhere.

#include <chrono>
#include <cstdint>
#include <string>

namespace translator {

/// Whether every epoch leaves a line behind, or only a look now and then.
enum class EpochLines { every, few };

class Progress {
 public:
  struct Plan {
    std::int64_t epochs = 0, steps_per_epoch = 0;
    std::int64_t steps_before = 0;  ///< done by the run that this one resumes
    EpochLines lines = EpochLines::every;
  };
  struct State {
    std::int64_t epoch = 0, step = 0;  ///< from 1; step counts within the epoch
    double loss = 0;                   ///< running mean of this epoch, nats per target token
    double tokens_per_second = 0;
  };

  explicit Progress(Plan plan);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// A step is done. Draws at most ten times a second on a terminal, and every 30 (few epoch lines: 5)
  /// seconds elsewhere.
  void step(const State& state);
  /// An epoch is done: reported with `note` (validation loss, "best") at its end, where epochs leave lines.
  void epoch_done(const State& state, const std::string& note);
  /// Leaves the terminal's cursor on a fresh line; for interruptions.
  void leave_line();

  /// What a line says, for a terminal of this many columns. Public for its test.
  std::string line(const State& state, double seconds_left, int columns) const;

 private:
  using Clock = std::chrono::steady_clock;
  double steps_done(const State& state) const;
  double steps_in_all() const;
  void redraw(const State& state, Clock::time_point now);
  double seconds_left(const State& state, Clock::time_point now) const;

  Plan plan_;
  bool rich_;
  bool line_is_open_ = false;
  Clock::time_point start_, last_;
};

/// "7 s", "3 min 05 s", "2 h 10 min"
std::string duration_text(double seconds);

}  // namespace translator
