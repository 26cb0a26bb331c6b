#pragma once
// Rotary embeddings for sequences longer than a model was trained with: which angle a pair of channels turns by per
// position, and what its cosines and sines are multiplied by. Computed in double.
//   linear  S. Chen et al., "Extending Context Window of Large Language Models via Positional Interpolation", 2023
//   ntk     bloc97, "NTK-Aware Scaled RoPE", 2023: base * factor^(d / (d - 2))
//   llama3  Llama Team, "The Llama 3 Herd of Models", 2024, and the configuration of its version 3.1
//   yarn    B. Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models", 2023, section 3

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// none; linear: every angle is divided by the factor; ntk: the base grows, so that the slowest pair is divided by the
/// factor and the fastest stays; llama3 and yarn: pairs that turn often within the trained length stay, those that turn
/// seldom are divided, and the ones between are mixed.
enum class RotaryStretch { none, linear, ntk, llama3, yarn };

struct RotaryScaling {
  RotaryStretch kind = RotaryStretch::none;
  double factor = 1;             // how many times the trained length is read
  double trained_length = 8192;  // positions; llama3 and yarn
  double slow_turns = 1;         // within the trained length: those that turn less are divided; llama3 and yarn
  double fast_turns = 0;         // those that turn more stay; 0: 4 with llama3, 32 with yarn
  std::optional<double> amplitude = {};  // of cosines and sines; absent: yarn's 0.1 ln(factor) + 1, otherwise 1
};

namespace detail {

inline void check_scaling(const char* function, Index rotary_dim, double base, const RotaryScaling& scaling) {
  const auto positive = [&](const char* what, double x) {
    check(x > 0 && std::isfinite(x), [&] {
      return std::string(function) + ": scaling." + what + " is " + std::to_string(x) + ", wanted a positive number";
    });
  };
  positive("factor", scaling.factor);
  positive("trained_length", scaling.trained_length);
  if (scaling.amplitude) positive("amplitude", *scaling.amplitude);
  check(scaling.kind != RotaryStretch::ntk || rotary_dim != 2, [&] {
    return std::string(function) + ": rotary_dim is 2, wanted more for RotaryStretch::ntk: one pair has no slower one";
  });
  if (scaling.kind != RotaryStretch::llama3 && scaling.kind != RotaryStretch::yarn) return;
  positive("slow_turns", scaling.slow_turns);
  check(scaling.fast_turns == 0 || scaling.fast_turns > scaling.slow_turns, [&] {
    return std::string(function) + ": scaling.fast_turns is " + std::to_string(scaling.fast_turns) +
           ", wanted 0 or more than slow_turns, which is " + std::to_string(scaling.slow_turns);
  });
  check(scaling.kind != RotaryStretch::yarn || base > 1, [&] {
    return std::string(function) + ": base is " + std::to_string(base) + ", wanted more than 1 for RotaryStretch::yarn";
  });
}

/// How much of pair i is left as it is, from 0 (divided by the factor) to 1.
inline double llama3_share(double frequency, const RotaryScaling& scaling) {
  const double fast = scaling.fast_turns > 0 ? scaling.fast_turns : 4;
  const double turns = scaling.trained_length * frequency / (2 * std::numbers::pi);
  return std::clamp((turns - scaling.slow_turns) / (fast - scaling.slow_turns), 0.0, 1.0);
}
/// The same of YaRN, whose ramp runs over the pairs' indices, between whole ones.
inline double yarn_share(Index pair, Index rotary_dim, double base, const RotaryScaling& scaling) {
  const auto index = [&](double turns) {
    return static_cast<double>(rotary_dim) * std::log(scaling.trained_length / (2 * std::numbers::pi * turns)) /
           (2 * std::log(base));
  };
  const double first = std::max(std::floor(index(scaling.fast_turns > 0 ? scaling.fast_turns : 32)), 0.0);
  const double last = std::min(std::ceil(index(scaling.slow_turns)), static_cast<double>(rotary_dim - 1));
  const double width = last == first ? 0.001 : last - first;
  return 1 - std::clamp((static_cast<double>(pair) - first) / width, 0.0, 1.0);
}

}  // namespace detail

/// The angle per position of each of the rotary_dim / 2 pairs: base^(-2i / rotary_dim), scaled. Throws heed::Error for
/// numbers that are not positive and a scaling that does not fit.
inline std::vector<double> rotary_frequencies(Index rotary_dim, double base, const RotaryScaling& scaling = {}) {
  detail::check_scaling("rotary_frequencies", rotary_dim, base, scaling);
  const auto width = static_cast<double>(rotary_dim);
  if (scaling.kind == RotaryStretch::ntk) base *= std::pow(scaling.factor, width / (width - 2));
  std::vector<double> frequencies;
  for (Index i = 0; i < rotary_dim / 2; ++i) {
    const double own = std::pow(base, -2.0 * static_cast<double>(i) / width);
    const double share = scaling.kind == RotaryStretch::linear   ? 0
                         : scaling.kind == RotaryStretch::llama3 ? detail::llama3_share(own, scaling)
                         : scaling.kind == RotaryStretch::yarn ? detail::yarn_share(i, rotary_dim, base, scaling)
                                                               : 1;
    frequencies.push_back(share * own + (1 - share) * own / scaling.factor);
  }
  return frequencies;
}

/// What cosines and sines are multiplied by: scores grow by its square.
inline double rotary_amplitude(const RotaryScaling& scaling) {
  const bool grows = scaling.kind == RotaryStretch::yarn && scaling.factor > 1;
  return scaling.amplitude.value_or(grows ? 0.1 * std::log(scaling.factor) + 1 : 1);
}

}  // namespace heed::inline HEED_ABI
