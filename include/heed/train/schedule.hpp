#pragma once
// Learning-rate schedules as plain values: schedule(step) is the rate in force for step 0, 1, 2, ...; any of them fits
// a std::function<double(Index)>. A rate that answers to a metric is in plateau.hpp, restarts and one cycle in
// cyclic_schedule.hpp.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <heed/core/check.hpp>

namespace heed::inline HEED_ABI {

/// Which step the last warm-up step is: step / warmup reaches 1 at step `warmup`; (step + 1) / warmup one step earlier,
/// and starts above 0.
enum class WarmupCount { from_zero, from_one };

/// What comes after the last step of a schedule: its last rate; or the formula goes on.
enum class AfterEnd { hold, go_on };

namespace detail {

inline void check_steps(const char* schedule, const char* name, Index found, Index least) {
  check(found >= least, [&] {
    return std::string(schedule) + ": " + name + " is " + std::to_string(found) + ", wanted at least " +
           std::to_string(least);
  });
}
inline double ratio(Index a, Index b) { return static_cast<double>(a) / static_cast<double>(b); }

/// The rate of a straight line from `from` to `to` during warm-up.
inline double warm(double from, double to, Index step, Index warmup, WarmupCount count) {
  return from + (to - from) * ratio(count == WarmupCount::from_zero ? step : step + 1, warmup);
}

}  // namespace detail

struct ConstantSchedule {
  double rate = 1e-3;
  double operator()(Index) const { return rate; }
};

/// factor model_dim^-0.5 min(s^-0.5, s warmup^-1.5) with s = max(step, 1).
/// A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 5.3.
struct NoamSchedule {
  Index model_dim = 512;
  Index warmup = 4000;
  double factor = 1;

  double operator()(Index step) const {
    detail::check_steps("NoamSchedule", "model_dim", model_dim, 1);
    detail::check_steps("NoamSchedule", "warmup", warmup, 1);
    const double s = static_cast<double>(std::max<Index>(step, 1));
    return factor / std::sqrt(static_cast<double>(model_dim)) *
           std::min(1 / std::sqrt(s), s * std::pow(static_cast<double>(warmup), -1.5));
  }
};

/// A straight line from warmup_rate to rate over `warmup` steps, then over `steps` more
/// minimum + (rate - minimum) max(0, (1 + cos(2 pi cycles progress)) / 2). I. Loshchilov, F. Hutter, ICLR 2017, eq. 5.
struct CosineSchedule {
  double rate = 1e-3;
  Index steps = 1000;
  double minimum = 0;
  Index warmup = 0;
  double warmup_rate = 0;
  WarmupCount warmup_count = WarmupCount::from_zero;
  double cycles = 0.5;  // 0.5: once down
  AfterEnd after = AfterEnd::hold;

  double operator()(Index step) const {
    detail::check_steps("CosineSchedule", "steps", steps, 1);
    detail::check_steps("CosineSchedule", "warmup", warmup, 0);
    if (step < warmup) return detail::warm(warmup_rate, rate, step, warmup, warmup_count);
    const Index after_warmup = after == AfterEnd::hold ? std::min(step - warmup, steps) : step - warmup;
    const double turn = 2 * std::numbers::pi * cycles * detail::ratio(after_warmup, steps);
    return minimum + (rate - minimum) * std::max(0.0, (1 + std::cos(turn)) / 2);
  }
};

/// A straight line from 0 to rate over `warmup` steps, then over `steps` more end + (rate - end) (1 - progress)^power;
/// `end` afterwards, or where repeat says so, again from the rate that each next multiple of `steps` gives (Keras'
/// cycle).
struct PolynomialSchedule {
  enum class Repeat { no, stretched };

  double rate = 1e-3;
  Index steps = 1000;
  double end = 0;
  double power = 1;
  Index warmup = 0;
  Repeat repeat = Repeat::no;

  double operator()(Index step) const {
    detail::check_steps("PolynomialSchedule", "steps", steps, 1);
    detail::check_steps("PolynomialSchedule", "warmup", warmup, 0);
    if (step < warmup) return detail::warm(0, rate, step, warmup, WarmupCount::from_zero);
    const Index done = step - warmup;
    const Index periods = repeat == Repeat::no ? 1 : std::max<Index>(1, (done + steps - 1) / steps);
    const double left = 1 - detail::ratio(std::min(done, steps * periods), steps * periods);
    return end + (rate - end) * std::pow(left, power);
  }
};

/// A straight line from 0 to rate over `warmup` steps, then rate sqrt(warmup / step).
struct InverseSqrtSchedule {
  double rate = 1e-3;
  Index warmup = 1000;

  double operator()(Index step) const {
    detail::check_steps("InverseSqrtSchedule", "warmup", warmup, 1);
    if (step < warmup) return detail::warm(0, rate, step, warmup, WarmupCount::from_zero);
    return rate * std::sqrt(detail::ratio(warmup, step));
  }
};

/// rate factor^floor(step / steps): a stair.
struct StepSchedule {
  double rate = 1e-3;
  Index steps = 1000;
  double factor = 0.1;

  double operator()(Index step) const {
    detail::check_steps("StepSchedule", "steps", steps, 1);
    return rate * std::pow(factor, static_cast<double>(step / steps));
  }
};

/// rate times factor for every milestone that step has reached; milestones in any order, repeats count.
struct MultiStepSchedule {
  double rate = 1e-3;
  std::vector<Index> milestones;
  double factor = 0.1;

  double operator()(Index step) const {
    const auto reached = std::count_if(milestones.begin(), milestones.end(), [&](Index m) { return m <= step; });
    return rate * std::pow(factor, static_cast<double>(reached));
  }
};

/// rate factor^(step / steps).
struct ExponentialSchedule {
  double rate = 1e-3;
  double factor = 0.9;
  Index steps = 1;

  double operator()(Index step) const {
    detail::check_steps("ExponentialSchedule", "steps", steps, 1);
    return rate * std::pow(factor, detail::ratio(step, steps));
  }
};

/// rate / (1 + factor step / steps).
struct InverseTimeSchedule {
  double rate = 1e-3;
  double factor = 0.5;
  Index steps = 1;

  double operator()(Index step) const {
    detail::check_steps("InverseTimeSchedule", "steps", steps, 1);
    return rate / (1 + factor * detail::ratio(step, steps));
  }
};

/// rates[i] up to and including step boundaries[i]; the last of the rates, one more than boundaries, afterwards.
struct PiecewiseSchedule {
  std::vector<Index> boundaries;  // ascending
  std::vector<double> rates;

  double operator()(Index step) const {
    check_extent("PiecewiseSchedule", "rates", "size", static_cast<Index>(rates.size()),
                 static_cast<Index>(boundaries.size()) + 1);
    check(std::is_sorted(boundaries.begin(), boundaries.end()),
          [] { return std::string("PiecewiseSchedule: boundaries are not ascending, wanted ascending ones"); });
    const auto place = std::lower_bound(boundaries.begin(), boundaries.end(), step) - boundaries.begin();
    return rates[static_cast<std::size_t>(place)];
  }
};

}  // namespace heed::inline HEED_ABI
