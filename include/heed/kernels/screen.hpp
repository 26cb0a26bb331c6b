#pragma once
// Finding the largest of many logits y = W x + b without reading W in full. Where one row is multiplied, the time is what
// reading the weights takes; so first W is read in halves (simd/halves.hpp: half the bytes), which gives every logit to
// within a bound that is known, and then only the logits that may be the largest are computed as the product would:
//
//   |y_n - s_n| <= |x| |w_n - h_n| + rounding,   rounding <= 2 (k + 1) u (|x| |w_n| + |b_n|) and terms in u^2
//
// s_n the sum over the halves h_n, |.| Euclid's norm (Cauchy and Schwarz), u = 2^-24: what is screened out was smaller for
// sure. Cost: n k multiply-adds at 2 bytes each, and k per survivor; of 10,000 logits of a translator one to three survive.

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include <heed/simd/halves.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// Panels of columns: four registers of words are eight chains, which hides the latency of an fma.
template <class Arch = default_arch>
inline constexpr Index screen_cols = 4 * lanes<float, Arch>;

/// Words that the halves of a weight (n, k) take.
template <class Arch = default_arch>
constexpr Index screen_size(Index n, Index k) {
  return (n + screen_cols<Arch> - 1) / screen_cols<Arch> * screen_cols<Arch> * ((k + 1) / 2);
}

/// What bounds the screened logits of a layer beside its radii.
struct ScreenBound {
  float floor = 0;         // added to every bound
  float largest_norm = 0;  // of a row of the weight
  bool usable = true;      // false: a weight is not finite or too large, screening would say nothing
};

namespace screen_detail {

/// Twice what the roundings of both sums of k terms cost, relative to the terms' norms.
inline double rounding(Index k) { return 4 * static_cast<double>(k + 4) * 0x1p-24; }

/// x rounded up to float, with a little to spare.
inline float above(double x) {
  const double more = x * (1 + 0x1p-20);
  return more <= double(std::numeric_limits<float>::max()) ? static_cast<float>(more) : std::numeric_limits<float>::infinity();
}

}  // namespace screen_detail

/// weight (n, k), bias (n) -> words (screen_size(n, k)) and radius (n): |x| radius[n] + floor bounds column n's error.
template <class Arch = default_arch>
ScreenBound pack_screen(MatrixView<const float> weight, const float* bias, float* words, float* radius) {
  constexpr Index cols = screen_cols<Arch>;
  const Index k = weight.cols, pairs = (k + 1) / 2;
  const double rounding = screen_detail::rounding(k);
  std::fill_n(words, screen_size<Arch>(weight.rows, k), 0.0f);
  ScreenBound bound;
  double largest_bias = 0;
  for (Index n = 0; n < weight.rows; ++n) {
    const float* const row = weight.row(n);
    float* const to = words + n / cols * cols * pairs + n % cols;
    double norm = 0, error = 0;
    const auto count = [&](double exact, double half) {
      norm += exact * exact;
      error += (exact - half) * (exact - half);
    };
    for (Index p = 0; p < pairs; ++p) {
      const bool last = 2 * p + 1 == k;
      const float word = join_halves(row[2 * p], last ? 0.0f : row[2 * p + 1]);
      to[p * cols] = word;
      count(double(row[2 * p]), double(even_half(word)));
      if (!last) count(double(row[2 * p + 1]), double(word));
    }
    radius[n] = screen_detail::above(std::sqrt(error) + rounding * (std::sqrt(norm) + std::sqrt(error)));
    bound.largest_norm = std::max(bound.largest_norm, screen_detail::above(std::sqrt(norm)));
    bound.usable = bound.usable && std::isfinite(radius[n]);
    if (std::isfinite(bias[n])) largest_bias = std::max(largest_bias, std::abs(double(bias[n])));
  }
  bound.floor = screen_detail::above(rounding * largest_bias + static_cast<double>(k) * 0x1p-120);
  return bound;
}

/// scores (cols) = bias + the sum over the halves of one panel: x (k), words (ceil(k / 2), screen_cols).
template <class Arch = default_arch>
[[HEED_HOT_LOOP]] void screen_panel(Index k, const float* x, const float* words, const float* bias, float* scores,
                                    Index cols) {
  using B = Batch<float, Arch>;
  constexpr Index width = lanes<float, Arch>;
  B even[4], odd[4];
  unroll<4>([&](int v) __attribute__((always_inline)) {
    const Index count = std::clamp<Index>(cols - v * width, 0, width);
    even[v] = load_partial<float, Arch>(bias + std::min(v * width, cols), count);
    odd[v] = B(0.0f);
  });
  for (Index i = 0; i < k; i += 2, words += 4 * width) {
    const B first(x[i]), second(i + 1 < k ? x[i + 1] : 0.0f);
    unroll<4>([&](int v) __attribute__((always_inline)) {
      B word = load<float, Arch>(words + v * width);
      keep_in_register(word);
      even[v] = fma(even_halves<Arch>(word), first, even[v]);
      odd[v] = fma(word, second, odd[v]);
    });
  }
  unroll<4>([&](int v) __attribute__((always_inline)) {
    const Index count = std::clamp<Index>(cols - v * width, 0, width);
    store_partial(scores + std::min(v * width, cols), even[v] + odd[v], count);
  });
}

/// The columns of scores (n) whose logit may be the largest, ascending, into found (limit); their number, or -1 where
/// there are more, or where something is not finite. norm: |x|, rounded up.
template <class Arch = default_arch>
Index screen_survivors(const float* scores, const float* radius, Index n, float norm, const ScreenBound& bound, Index* found,
                       Index limit) {
  using B = Batch<float, Arch>;
  constexpr Index width = lanes<float, Arch>;
  constexpr float inf = std::numeric_limits<float>::infinity();
  if (!bound.usable || !(norm * bound.largest_norm < 0x1p120f)) return -1;
  const B norms(norm), least(bound.floor);
  const auto error = [&](Index i, Index count) {
    return fma(simd_detail::load_lanes<float, Arch>(radius + i, count, 0.0f), norms, least);
  };
  const auto lower = [&](const B& largest, Index i, Index count) {
    return maximum(largest, simd_detail::load_lanes<float, Arch>(scores + i, count, -inf) - error(i, count));
  };
  const float sure = simd_detail::reduce_row<float, Arch>(n, -inf, lower, maximum);  // the largest logit is no less
  if (!std::isfinite(sure)) return -1;
  Index survivors = 0;
  for (Index i = 0; i < n; i += width) {
    const Index count = std::min(width, n - i);
    const B upper = simd_detail::load_lanes<float, Arch>(scores + i, count, -inf) + error(i, count);
    if (!any_lane(upper >= B(sure))) continue;
    alignas(64) float uppers[width];
    store(uppers, upper);
    for (Index j = 0; j < count; ++j) {
      if (!(uppers[j] >= sure)) continue;
      if (survivors == limit) return -1;
      found[survivors++] = i + j;
    }
  }
  return survivors;
}

}  // namespace heed::inline HEED_ABI
