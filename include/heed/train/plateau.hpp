#pragma once
// A learning rate that falls when a metric (validation loss, BLEU) has stopped getting better.

#include <algorithm>
#include <cmath>
#include <limits>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/train/early_stopping.hpp>

namespace heed::inline HEED_ABI {

/// rate = plateau(metric) after each epoch: after more than `patience` epochs in a row that were no better, the rate is
/// multiplied by `factor`, not below `minimum`, and `cooldown` epochs pass before bad ones count again. PyTorch's
/// ReduceLROnPlateau; its state saves and loads through `fields`.
struct PlateauSchedule {
  struct Options {
    double rate = 1e-3;
    double factor = 0.1;
    Index patience = 10;
    Index cooldown = 0;
    double minimum = 0;
    double least_change = 1e-8;  // smaller falls are left out
    Improvement improvement = {};
  };

  Options options;
  Tensor<double, 1> state = Tensor<double, 1>(4);  // rate, best, bad epochs, epochs left to cool down

  static void fields(auto&& visit, auto&... self) { visit("state", self.state..., Role::buffer); }

  PlateauSchedule() : PlateauSchedule(Options{}) {}
  /// Throws heed::Error for a factor outside (0, 1) or a negative count.
  explicit PlateauSchedule(const Options& chosen) : options(chosen) {
    check(options.factor > 0 && options.factor < 1,
          [&] { return "PlateauSchedule: factor is " + std::to_string(options.factor) + ", wanted between 0 and 1"; });
    check(options.patience >= 0 && options.cooldown >= 0, [&] {
      return "PlateauSchedule: patience is " + std::to_string(options.patience) + " and cooldown " +
             std::to_string(options.cooldown) + ", wanted no negative ones";
    });
    state.setValues({options.rate, options.improvement.worst(), 0, 0});
  }

  double rate() const { return state(0); }

  /// Takes the metric of one more epoch; returns the rate from now on. NaN is never better.
  double operator()(double metric) {
    double &best = state(1), &bad = state(2), &cooling = state(3);
    const bool better = options.improvement.better(metric, best);
    if (better) best = metric;
    bad = better ? 0 : bad + 1;
    if (cooling > 0) --cooling, bad = 0;
    if (bad > static_cast<double>(options.patience)) {
      const double lower = std::max(state(0) * options.factor, options.minimum);
      if (state(0) - lower > options.least_change) state(0) = lower;
      cooling = static_cast<double>(options.cooldown);
      bad = 0;
    }
    return state(0);
  }
};

}  // namespace heed::inline HEED_ABI
