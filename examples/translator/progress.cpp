#include "progress.hpp"

#include <algorithm>
#include <cmath>

#include "console.hpp"

namespace translator {
namespace {

constexpr int bar_cells = 24;
constexpr int plain_columns = 1000;  // no limit
constexpr auto redraw_every = std::chrono::milliseconds(100);
constexpr auto report_every = std::chrono::seconds(30);       // where epochs leave lines too
constexpr auto short_report_every = std::chrono::seconds(5);  // where they do not

std::string padded(std::int64_t number, std::size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), ' ') + digits;
}

std::string two_digits(long long number) { return (number < 10 ? "0" : "") + std::to_string(number); }

std::string bar(double done) {
  const auto cells = static_cast<int>(std::lround(std::clamp(done, 0.0, 1.0) * bar_cells));
  std::string text;
  for (int i = 0; i < bar_cells; ++i) text += i < cells ? "\u2588" : "\u2591";
  return text;
}

}  // namespace

std::string duration_text(double seconds) {
  const long long whole = std::llround(std::clamp(seconds, 0.0, 1e9));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + two_digits(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + two_digits(whole / 60 % 60) + " min";
}

Progress::Progress(Plan plan) : plan_(plan), rich_(output_is_rich()), start_(Clock::now()), last_(start_) {
  if (rich_) last_ -= redraw_every;  // the first step shows at once
}

double Progress::steps_done(const State& state) const {
  return static_cast<double>((state.epoch - 1) * plan_.steps_per_epoch + state.step);
}

double Progress::steps_in_all() const { return static_cast<double>(plan_.epochs * plan_.steps_per_epoch); }

double Progress::seconds_left(const State& state, Clock::time_point now) const {
  const double done = steps_done(state);
  const double here = std::max(1.0, done - static_cast<double>(plan_.steps_before));
  return std::chrono::duration<double>(now - start_).count() / here * std::max(0.0, steps_in_all() - done);
}

std::string Progress::line(const State& state, double left, int columns) const {
  const std::size_t epoch_width = std::to_string(plan_.epochs).size();
  const std::size_t step_width = std::to_string(plan_.steps_per_epoch).size();
  const std::string place = "epoch " + padded(state.epoch, epoch_width) + "/" + std::to_string(plan_.epochs);
  const std::string step = "  step " + padded(state.step, step_width) + "/" + std::to_string(plan_.steps_per_epoch);
  const std::string loss = "  loss " + fixed(state.loss, 3);
  const std::string speed = "  " + grouped(std::llround(state.tokens_per_second)) + " tokens/s";
  const std::string rest = "  " + duration_text(left) + " left";
  const auto width =
      static_cast<std::size_t>(std::max(columns - 1, 1));  // the last column would wrap on some terminals
  std::string text = (place + step + loss + speed + rest).substr(0, width);
  if (rich_ && text.size() + bar_cells + 2 <= width) {
    text = bar(steps_done(state) / std::max(1.0, steps_in_all())) + "  " + text;
  }
  return text;
}

void Progress::redraw(const State& state, Clock::time_point now) {
  last_ = now;
  if (rich_) {
    print("\r\033[K" + line(state, seconds_left(state, now), output_columns()));
  } else {
    print_line(line(state, seconds_left(state, now), plain_columns));
  }
  line_is_open_ = rich_;
  flush_output();
}

void Progress::step(const State& state) {
  const auto now = Clock::now();
  const Clock::duration plain = plan_.lines == EpochLines::few ? short_report_every : report_every;
  if (now - last_ >= (rich_ ? Clock::duration(redraw_every) : plain)) redraw(state, now);
}

void Progress::epoch_done(const State& state, const std::string& note) {
  const auto now = Clock::now();
  const bool last = state.epoch == plan_.epochs;
  if (plan_.lines == EpochLines::few) {
    if (rich_ || last) redraw(state, now);
    if (last) leave_line();
    return;
  }
  last_ = now;
  const std::string text = line(state, seconds_left(state, now), plain_columns) + (note.empty() ? "" : "  " + note);
  print_line((line_is_open_ ? "\r\033[K" : "") + text);
  line_is_open_ = false;
  flush_output();
}

void Progress::leave_line() {
  if (line_is_open_) print_line();
  line_is_open_ = false;
  flush_output();
}

}  // namespace translator
