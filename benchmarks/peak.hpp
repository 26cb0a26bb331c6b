#pragma once
// The core's own limit, to set a rate beside: independent chains of fma's in registers, nothing else.

#include <algorithm>
#include <chrono>

#include <heed/simd/batch.hpp>

namespace heed_benchmark {

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// `steps` times 14 independent fma's of whole registers.
template <class T>
[[gnu::noinline]] T fma_chains(heed::Index steps) {
  constexpr int chains = 14;
  using B = heed::Batch<T>;
  B sum[chains], x(T(0.999)), y(T(1e-3));
  heed::unroll<chains>([&](auto i) { sum[i] = B(static_cast<T>(int(i))); });
  for (heed::Index step = 0; step < steps; ++step) {
    heed::keep_in_register(x);
    heed::unroll<chains>([&](auto i) { sum[i] = heed::fma(sum[i], x, y); });
  }
  heed::unroll<chains - 1>([&](auto i) { sum[0] = sum[0] + sum[i + 1]; });
  return heed::reduce_add(sum[0]);
}

/// FLOP/s of one core, the best of a few short runs: about ten milliseconds.
template <class T>
double peak_flops() {
  constexpr heed::Index steps = 40000;
  double best = 0;
  volatile T sink = 0;
  for (int run = 0; run < 8; ++run) {
    const double begin = seconds_now();
    sink = sink + fma_chains<T>(steps);
    const double rate = 14.0 * 2 * double(heed::lanes<T>) * double(steps) / (seconds_now() - begin);
    best = std::max(best, rate);
  }
  return best;
}

}  // namespace heed_benchmark
