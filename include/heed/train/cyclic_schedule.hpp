#pragma once
// Learning-rate schedules that rise again: cosine with warm restarts, and one cycle. As in schedule.hpp, schedule(step)
// is the rate in force for step 0, 1, 2, ...

#include <heed/train/schedule.hpp>

namespace heed::inline HEED_ABI {

/// Cosine from the peak to `minimum` over first_steps steps, then again over step_factor times as many, and so on; each
/// peak is peak_factor times the one before: minimum + (rate - minimum) peak_factor^i (1 + cos(pi progress)) / 2.
/// I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, eq. 5.
struct CosineRestartSchedule {
  double rate = 1e-3;
  Index first_steps = 1000;
  double step_factor = 2;  // at least 1
  double peak_factor = 1;
  double minimum = 0;

  double operator()(Index step) const {
    detail::check_steps("CosineRestartSchedule", "first_steps", first_steps, 1);
    check(step_factor >= 1, [&] {
      return "CosineRestartSchedule: step_factor is " + std::to_string(step_factor) + ", wanted at least 1";
    });
    double length = static_cast<double>(first_steps), done = static_cast<double>(step), peak = 1;
    for (; done >= length; length *= step_factor) {
      done -= length;
      peak *= peak_factor;
    }
    return minimum + (rate - minimum) * peak * (1 + std::cos(std::numbers::pi * done / length)) / 2;
  }
};

/// Up from peak / start_divisor to peak, then down to peak / start_divisor / end_divisor, each along half a cosine.
/// L. N. Smith, N. Topin, "Super-Convergence", arXiv:1708.07120; the phases are PyTorch's.
struct OneCycleSchedule {
  double peak = 1e-2;
  Index steps = 1000;
  double rise = 0.3;  // the part of the steps that go up
  double start_divisor = 25;
  double end_divisor = 1e4;

  double operator()(Index step) const {
    detail::check_steps("OneCycleSchedule", "steps", steps, 2);
    const double start = peak / start_divisor;
    const double top = rise * static_cast<double>(steps) - 1, last = static_cast<double>(steps - 1);
    const double at = std::min(static_cast<double>(step), last);
    if (at <= top) return between(start, peak, top > 0 ? at / top : 1);
    return between(peak, start / end_divisor, (at - top) / (last - top));
  }

 private:
  static double between(double from, double to, double progress) {
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * progress));
  }
};

}  // namespace heed::inline HEED_ABI
