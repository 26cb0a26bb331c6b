#pragma once
// When to stop, and which epoch was best: what to compare, by how much, and for how long to wait.
// L. Prechelt, "Early Stopping - But When?", 1998.

#include <cmath>
#include <limits>
#include <string>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>
#include <heed/nn/parameters.hpp>

namespace heed::inline HEED_ABI {

/// What counts as better: lower (a loss) or higher (BLEU), by more than a threshold that is absolute or a share of the
/// best so far. NaN is never better.
struct Improvement {
  enum class Direction { lower, higher };
  enum class Threshold { relative, absolute };

  Direction direction = Direction::lower;
  double threshold = 1e-4;
  Threshold kind = Threshold::relative;

  /// The metric that every other is better than.
  double worst() const {
    const double infinity = std::numeric_limits<double>::infinity();
    return direction == Direction::lower ? infinity : -infinity;
  }
  bool better(double metric, double best) const {
    if (std::isinf(best)) return direction == Direction::lower ? metric < best : metric > best;
    // PyTorch's: the share is of best itself, so with a negative best the bar moves the other way
    const double margin = kind == Threshold::relative ? threshold * best : threshold;
    return direction == Direction::lower ? metric < best - margin : metric > best + margin;
  }
};

/// if (stopping.update(validation_loss)) save(model); if (stopping.finished()) break; State saves and loads through
/// `fields`.
struct EarlyStopping {
  struct Options {
    Index patience = 3;  // epochs in a row that may be no better
    Improvement improvement{.threshold = 0};
  };

  Options options;
  Tensor<double, 1> state = Tensor<double, 1>(4);  // best, its epoch, bad epochs in a row, epochs seen

  static void fields(auto&& visit, auto&... self) { visit("state", self.state..., Role::buffer); }

  EarlyStopping() : EarlyStopping(Options{}) {}
  /// Throws heed::Error for a negative patience.
  explicit EarlyStopping(const Options& chosen) : options(chosen) {
    check(options.patience >= 0,
          [&] { return "EarlyStopping: patience is " + std::to_string(options.patience) + ", wanted 0 or more"; });
    state.setValues({options.improvement.worst(), -1, 0, 0});
  }

  /// Takes the metric of the next epoch; true when it is the best so far.
  bool update(double metric) {
    const bool better = options.improvement.better(metric, best());
    if (better) state(0) = metric, state(1) = state(3);
    state(2) = better ? 0 : state(2) + 1;
    state(3) += 1;
    return better;
  }
  /// More than `patience` epochs in a row were no better.
  bool finished() const { return state(2) > static_cast<double>(options.patience); }
  double best() const { return state(0); }
  Index best_epoch() const { return static_cast<Index>(state(1)); }  // counted from 0; -1 before the first
};

}  // namespace heed::inline HEED_ABI
