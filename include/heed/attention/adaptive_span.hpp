#pragma once
// Attention that learns per head how far it looks: weights are proportional to m(distance) exp(score), where m falls
// from 1 at the head's span z to 0 at z + ramp. A score callable (attention/modifier.hpp): score + log m.
//   S. Sukhbaatar et al., "Adaptive Attention Span in Transformers", ACL 2019, eq. 2 and 3.

#include <algorithm>
#include <cmath>
#include <string>

#include <heed/core/check.hpp>
#include <heed/core/role.hpp>
#include <heed/core/tensor.hpp>
#include <heed/kernels/score_modifier.hpp>
#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

/// attend(query, key, value, {.mask = causal() & window(span.reach(), 0)}, span); in the backward score(span, grad).
/// The window changes no result: it spares the work behind the farthest head's ramp. Loss: add_penalty; after a step:
/// clamp.
template <class T>
struct AdaptiveSpan {
  struct Config {
    Index heads = 0;
    Index max_span = 0;   // S: the span of fraction 1
    Index ramp = 32;      // R: over how many positions m falls
    double fraction = 0;  // of the start
  };

  Tensor<T, 1> fraction;  // (heads), z = max_span * fraction, held within 0 to 1
  T max_span = 0, ramp = 1;

  static void fields(auto&& visit, auto&... self) { visit("fraction", self.fraction..., Role::no_decay); }

  AdaptiveSpan() = default;
  /// Throws heed::Error for sizes below 1 and a fraction outside 0 to 1.
  explicit AdaptiveSpan(const Config& config) : max_span(T(config.max_span)), ramp(T(config.ramp)) {
    check(config.heads > 0 && config.max_span > 0 && config.ramp > 0, [&] {
      return "AdaptiveSpan: heads is " + std::to_string(config.heads) + ", max_span " +
             std::to_string(config.max_span) + " and ramp " + std::to_string(config.ramp) + ", wanted all positive";
    });
    check(config.fraction >= 0 && config.fraction <= 1,
          [&] { return "AdaptiveSpan: fraction is " + std::to_string(config.fraction) + ", wanted 0 to 1"; });
    fraction = Tensor<T, 1>(config.heads).setConstant(T(config.fraction));
  }

  /// z of a head.
  T span(Index head) const { return max_span * std::clamp(fraction(head), T(0), T(1)); }
  /// The largest distance that any head sees.
  Index reach() const {
    T longest = 0;
    for (Index h = 0; h < fraction.size(); ++h) longest = std::max(longest, span(h));
    return static_cast<Index>(std::ceil(longest + ramp)) - 1;
  }

  auto operator()(auto score, auto at) const { return score + heed::log(visibility(at)); }
  void backward(T, auto at, T d_score, AdaptiveSpan& grad) const {
    const T seen = visibility(at);
    const bool held = fraction(at.head) < T(0) || fraction(at.head) > T(1);
    if (seen > T(0) && seen < T(1) && !held) grad.fraction(at.head) += d_score * max_span / (ramp * seen);
  }

  /// The penalty weight * (mean over heads of z), which keeps spans short: its value; its gradient is added to grad.
  double add_penalty(double weight, AdaptiveSpan& grad) const {
    double total = 0;
    for (Index h = 0; h < fraction.size(); ++h) {
      total += static_cast<double>(span(h));
      grad.fraction(h) += static_cast<T>(weight * static_cast<double>(max_span) / static_cast<double>(fraction.size()));
    }
    return weight * total / static_cast<double>(fraction.size());
  }
  /// Puts fractions back into 0 to 1: after a step, since outside there is no gradient that would bring them back.
  void clamp() {
    for (T& x : flat(fraction)) x = std::clamp(x, T(0), T(1));
  }

 private:
  /// m: clamp((ramp + z - distance) / ramp, 0, 1).
  auto visibility(const auto& at) const {
    const auto far = distance(at);
    using V = std::remove_cvref_t<decltype(far)>;
    return heed::minimum(heed::maximum((V(ramp + span(at.head)) - far) / V(ramp), V(T(0))), V(T(1)));
  }
};

}  // namespace heed::inline HEED_ABI
