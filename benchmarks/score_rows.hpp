#pragma once
// The rows of benchmarks that run every shape with all pairs visible, causal, and with padding.

#include <string>

#include <benchmark/benchmark.h>

#include <heed/core/view.hpp>

namespace heed_benchmark {

enum class Mode { full, causal, mask };
inline const char* name_of(Mode mode) {
  return mode == Mode::full ? "full" : mode == Mode::causal ? "causal" : "mask";
}

/// Adds <bench>/<dtype>/<mode>/<shape>/threads:<n> for every mode; causal where there are as many keys as queries.
template <class Shape>
void register_rows(const std::string& bench, const std::string& dtype, const Shape& shape, heed::Index threads,
                   void (*run)(benchmark::State&, const Shape&, Mode, heed::Index)) {
  for (const Mode mode : {Mode::full, Mode::causal, Mode::mask}) {
    if (mode == Mode::causal && shape.queries != shape.keys) continue;
    const std::string name =
        bench + "/" + dtype + "/" + name_of(mode) + "/" + shape.name() + "/threads:" + std::to_string(threads);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { run(state, shape, mode, threads); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace heed_benchmark
