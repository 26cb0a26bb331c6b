#pragma once
// Sums, maxima and updates over one contiguous row. Every reduction runs in an order that the row's length alone fixes:
// four registers take turns, are joined pairwise, and their lanes are halved; the tail is a masked register.

#include <limits>

#include <heed/simd/batch.hpp>

namespace heed::inline HEED_ABI {

namespace simd_detail {

/// Runs step(accumulator, position, count) over [0, n) in registers, with four accumulators that start as `start`, and
/// joins them; count is the number of lanes in use, below lanes<T, Arch> only in the last step.
template <Real T, class Arch, class Step, class Combine>
inline T reduce_row(Index n, T start, const Step& step, const Combine& combine) {
  constexpr Index width = lanes<T, Arch>;
  using B = Batch<T, Arch>;
  B a(start), b(start), c(start), d(start);
  Index i = 0;
  for (; i + 4 * width <= n; i += 4 * width) {
    a = step(a, i, width);
    b = step(b, i + width, width);
    c = step(c, i + 2 * width, width);
    d = step(d, i + 3 * width, width);
  }
  for (; i + width <= n; i += width) a = step(a, i, width);
  if (i < n) b = step(b, i, n - i);
  return Reduce<Combine>()(combine(combine(a, b), combine(c, d)));
}

struct AddBatches {
  auto operator()(const auto& a, const auto& b) const { return a + b; }
};

/// The whole register, or its first `count` lanes and fill.
template <Real T, class Arch>
inline Batch<T, Arch> load_lanes(const T* p, Index count, T fill) {
  return count == lanes<T, Arch> ? heed::load<T, Arch>(p) : heed::load_partial<T, Arch>(p, count, fill);
}

/// y[i] = f(y[i], i) a register at a time; f takes a batch, the position and the number of lanes in use.
template <Real T, class Arch, class F>
inline void update_row(T* y, Index n, const F& f) {
  constexpr Index width = lanes<T, Arch>;
  Index i = 0;
  for (; i + width <= n; i += width) heed::store(y + i, f(heed::load<T, Arch>(y + i), i, width));
  if (i < n) heed::store_partial(y + i, f(heed::load_partial<T, Arch>(y + i, n - i), i, n - i), n - i);
}

}  // namespace simd_detail

/// Sum of x[i] * y[i], i < n; 0 for n = 0.
template <Real T, class Arch = default_arch>
inline T dot(const T* x, const T* y, Index n) {
  using namespace simd_detail;
  const auto step = [&](const Batch<T, Arch>& sum, Index i, Index count) {
    return heed::fma(load_lanes<T, Arch>(x + i, count, T(0)), load_lanes<T, Arch>(y + i, count, T(0)), sum);
  };
  return reduce_row<T, Arch>(n, T(0), step, AddBatches());
}

/// Sum of x[i], i < n.
template <Real T, class Arch = default_arch>
inline T sum(const T* x, Index n) {
  using namespace simd_detail;
  const auto step = [&](const Batch<T, Arch>& total, Index i, Index count) {
    return total + load_lanes<T, Arch>(x + i, count, T(0));
  };
  return reduce_row<T, Arch>(n, T(0), step, AddBatches());
}

/// The largest x[i], NaN if there is one, -inf for n = 0.
template <Real T, class Arch = default_arch>
inline T maximum_of(const T* x, Index n) {
  using namespace simd_detail;
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  const auto step = [&](const Batch<T, Arch>& largest, Index i, Index count) {
    return heed::maximum(largest, load_lanes<T, Arch>(x + i, count, lowest));
  };
  return reduce_row<T, Arch>(n, lowest, step, heed::maximum);
}

/// The place of the largest x[i], n > 0: the lowest among equals, the first NaN where there is one.
template <Real T, class Arch = default_arch>
inline Index index_of_maximum(const T* x, Index n) {
  constexpr Index width = lanes<T, Arch>;
  const T largest = maximum_of<T, Arch>(x, n);
  const Batch<T, Arch> wanted(largest);
  Index i = 0;
  while (i + width <= n && largest == largest && !any_lane(heed::load<T, Arch>(x + i) == wanted)) i += width;
  while (i + 1 < n && x[i] != largest && x[i] == x[i]) ++i;
  return i;
}

/// y[i] = value
template <Real T, class Arch = default_arch>
inline void fill_row(T* y, T value, Index n) {
  constexpr Index width = lanes<T, Arch>;
  const Batch<T, Arch> batch(value);
  Index i = 0;
  for (; i + width <= n; i += width) heed::store(y + i, batch);
  if (i < n) heed::store_partial(y + i, batch, n - i);
}

/// y[i] *= factor
template <Real T, class Arch = default_arch>
inline void scale_row(T* y, Index n, T factor) {
  const Batch<T, Arch> batch(factor);
  simd_detail::update_row<T, Arch>(y, n, [&](const Batch<T, Arch>& old, Index, Index) { return old * batch; });
}

/// y *= x, element by element, both (n).
template <Real T, class Arch = default_arch>
inline void multiply_row(T* y, const T* x, Index n) {
  simd_detail::update_row<T, Arch>(y, n, [x](const Batch<T, Arch>& value, Index i, Index count) {
    return value * simd_detail::load_lanes<T, Arch>(x + i, count, T(0));
  });
}

/// y[i] += x[i]
template <Real T, class Arch = default_arch>
inline void add_row(T* y, const T* x, Index n) {
  simd_detail::update_row<T, Arch>(y, n, [&](const Batch<T, Arch>& old, Index i, Index count) {
    return old + simd_detail::load_lanes<T, Arch>(x + i, count, T(0));
  });
}

/// y[i] = fma(factor, x[i], y[i])
template <Real T, class Arch = default_arch>
inline void add_scaled_row(T* y, T factor, const T* x, Index n) {
  const Batch<T, Arch> batch(factor);
  simd_detail::update_row<T, Arch>(y, n, [&](const Batch<T, Arch>& old, Index i, Index count) {
    return heed::fma(batch, simd_detail::load_lanes<T, Arch>(x + i, count, T(0)), old);
  });
}

}  // namespace heed::inline HEED_ABI
