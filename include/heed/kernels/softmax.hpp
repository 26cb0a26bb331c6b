#pragma once
// Softmax of rows, its logarithm, its backward, and the running form that flash attention needs.
//
//   p_j = exp(x_j - max) / sum_k exp(x_k - max)      (running form: Milakov, Gimelshein 2018, algorithm 3)
//
// Sums are kept in T, in four registers that take turns: a fixed order in which an element that is masked or behind the
// visible count adds an exact zero, so padding changes no bit. Whether a row is empty is decided by the count or the
// mask, never by the scores: visible scores that are all -inf (or hold a NaN or +inf) give NaN, as the formula does.

#include <algorithm>
#include <limits>

#include <heed/kernels/registers.hpp>
#include <heed/simd/math.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

namespace softmax_detail {

template <class T>
inline constexpr T lowest = -std::numeric_limits<T>::infinity();

/// x where allowed, `fill` elsewhere.
template <class T, class Part>
inline auto load_allowed(const Part& part, const T* x, const bool* allowed, T fill) {
  constexpr std::size_t width = decltype(part.load(x))::size;
  alignas(64) T chosen[width];
  for (std::size_t j = 0; j < width; ++j) chosen[j] = static_cast<Index>(j) < part.count && allowed[j] ? x[j] : fill;
  return decltype(part.load(x))::load_aligned(chosen);
}

/// p = exp(x - shift) over n elements; returns their sum. p may be x, or null when only the sum is wanted.
template <class T, class Arch>
T exponentials(const T* x, T shift, T* p, Index n) {
  TurnSum<T, Arch> sum;
  const Batch<T, Arch> row_shift(shift);
  for_each_register<T, Arch>(
      n, [&](Index j, auto part, int turn) __attribute__((always_inline)) {
        const Batch<T, Arch> e = exp(part.load(x + j, lowest<T>) - row_shift);
        if (p) part.store(p + j, e);
        sum.add(turn, e);
      });
  return sum.total();
}

}  // namespace softmax_detail

/// log(sum exp(x_j)) over x (size); -inf when size is 0.
template <Real T, class Arch = default_arch>
T logsumexp_row(const T* x, Index size) {
  if (size == 0) return softmax_detail::lowest<T>;
  const T row_max = maximum_of<T, Arch>(x, size);
  return row_max + log(softmax_detail::exponentials<T, Arch>(x, row_max, nullptr, size));
}

/// Softmax over the first `visible` elements of x into p (size); the rest of x is never read and its p is exactly 0.
/// Returns the logsumexp (-inf when visible is 0). p may be x.
template <Real T, class Arch = default_arch>
T softmax_row(const T* x, T* p, Index visible, Index size) {
  assert(visible >= 0 && visible <= size);
  std::fill(p + visible, p + size, T(0));
  if (visible == 0) return softmax_detail::lowest<T>;
  const T row_max = maximum_of<T, Arch>(x, visible);
  const T sum = softmax_detail::exponentials<T, Arch>(x, row_max, p, visible);
  scale_row<T, Arch>(p, visible, T(1) / sum);
  return row_max + log(sum);
}

/// Softmax over the elements with allowed[j] of x into p (size); others are exactly 0 whatever x holds there. With a
/// mask that is a prefix, the bits of the form above. Returns the logsumexp (-inf when none is allowed). p may be x.
template <Real T, class Arch = default_arch>
T softmax_row(const T* x, const bool* allowed, T* p, Index size) {
  using namespace softmax_detail;
  Batch<T, Arch> row_maxima(lowest<T>);
  bool empty = true;
  for (Index j = 0; j < size; ++j) empty = empty && !allowed[j];
  if (empty) {
    std::fill(p, p + size, T(0));
    return lowest<T>;
  }
  map_registers<T, Arch>(size, [&](Index j, auto part) {
    row_maxima = maximum(row_maxima, load_allowed(part, x + j, allowed + j, lowest<T>));
  });
  const T row_max = reduce_max(row_maxima);
  TurnSum<T, Arch> turns;
  for_each_register<T, Arch>(
      size, [&](Index j, auto part, int turn) __attribute__((always_inline)) {
        const Batch<T, Arch> e = exp(load_allowed(part, x + j, allowed + j, lowest<T>) - Batch<T, Arch>(row_max));
        part.store(p + j, e);
        turns.add(turn, e);
      });
  const T sum = turns.total();
  const T inverse = T(1) / sum;
  for (Index j = 0; j < size; ++j) p[j] = allowed[j] ? p[j] * inverse : T(0);
  return row_max + log(sum);
}

/// d_x_j = p_j (d_p_j - sum_k p_k d_p_k) over the first `visible` of p and d_p; d_x (size) is exactly 0 behind them.
/// d_x may be d_p.
template <Real T, class Arch = default_arch>
void softmax_backward_row(const T* p, const T* d_p, T* d_x, Index visible, Index size) {
  TurnSum<T, Arch> mean;
  for_each_register<T, Arch>(
      visible, [&](Index j, auto part, int turn) { mean.add_product(turn, part.load(p + j), part.load(d_p + j)); });
  const Batch<T, Arch> row_mean(mean.total());
  map_registers<T, Arch>(
      visible, [&](Index j, auto part) { part.store(d_x + j, part.load(p + j) * (part.load(d_p + j) - row_mean)); });
  std::fill(d_x + visible, d_x + size, T(0));
}

/// The same over the elements with allowed[j]; d_x is exactly 0 elsewhere, whatever p and d_p hold there.
template <Real T, class Arch = default_arch>
void softmax_backward_row(const T* p, const T* d_p, const bool* allowed, T* d_x, Index size) {
  using namespace softmax_detail;
  TurnSum<T, Arch> mean;
  for_each_register<T, Arch>(size, [&](Index j, auto part, int turn) {
    mean.add_product(turn, load_allowed(part, p + j, allowed + j, T(0)),
                     load_allowed(part, d_p + j, allowed + j, T(0)));
  });
  const T row_mean = mean.total();
  for (Index j = 0; j < size; ++j) d_x[j] = allowed[j] ? p[j] * (d_p[j] - row_mean) : T(0);
}

/// y_j = x_j - logsumexp(x) over the first `visible` elements; y (size) is -inf behind them. Returns the logsumexp. y
/// may be x.
template <Real T, class Arch = default_arch>
T log_softmax_row(const T* x, T* y, Index visible, Index size) {
  using namespace softmax_detail;
  assert(visible >= 0 && visible <= size);
  std::fill(y + visible, y + size, lowest<T>);
  if (visible == 0) return lowest<T>;
  const T row_max = maximum_of<T, Arch>(x, visible);
  const T log_sum = log(exponentials<T, Arch>(x, row_max, nullptr, visible));
  // (x - max) - log(sum), not x - (max + log(sum)): the first difference is exact for near-maximal x.
  map_registers<T, Arch>(visible, [&](Index j, auto part) {
    part.store(y + j, (part.load(x + j) - Batch<T, Arch>(row_max)) - Batch<T, Arch>(log_sum));
  });
  return row_max + log_sum;
}

/// d_x_j = d_y_j - exp(y_j) sum_k d_y_k over the first `visible`; d_x (size) is exactly 0 behind them. d_x may be d_y.
template <Real T, class Arch = default_arch>
void log_softmax_backward_row(const T* y, const T* d_y, T* d_x, Index visible, Index size) {
  using namespace softmax_detail;
  const Batch<T, Arch> total(sum<T, Arch>(d_y, visible));
  map_registers<T, Arch>(
      visible, [&](Index j, auto part) __attribute__((always_inline)) {
        part.store(d_x + j, fnma(exp(part.load(y + j)), total, part.load(d_y + j)));
      });
  std::fill(d_x + visible, d_x + size, T(0));
}

/// The state of one row whose scores arrive in blocks of keys. A score of -inf counts as masked here: blocks of nothing
/// else leave the state as it was, and a row of nothing else ends with sum 0.
template <Real T, class Arch = default_arch>
struct OnlineSoftmax {
  T row_max = softmax_detail::lowest<T>;
  T row_sum = 0;

  /// scores (n) -> exp(scores - row_max); returns the factor for everything that was summed before this block.
  T update(T* scores, Index n) {
    const T new_max = n == 0 ? row_max : maximum(row_max, maximum_of<T, Arch>(scores, n));
    if (new_max == softmax_detail::lowest<T>) {
      std::fill(scores, scores + n, T(0));
      return T(1);
    }
    const T factor = exp(row_max - new_max);
    row_sum = fma(row_sum, factor, softmax_detail::exponentials<T, Arch>(scores, new_max, scores, n));
    row_max = new_max;
    return factor;
  }
  /// What the accumulated sum over keys is multiplied with at the end; 0 when no key was seen.
  T inverse_sum() const { return row_sum == T(0) ? T(0) : T(1) / row_sum; }
  T logsumexp() const { return row_sum == T(0) ? softmax_detail::lowest<T> : row_max + log(row_sum); }
};

}  // namespace heed::inline HEED_ABI
