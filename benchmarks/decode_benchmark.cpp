// One step of decoding: a query of every head against a long cache of keys and values, which is what memory allows.
//
//   decode_benchmark [--threads=n] [--benchmark_filter=^decode/float32/paged] ...
//
// Rows: decode/float32/<contiguous|paged|small_pages>/<batch>x<heads>x<kv heads>x<keys>x<dim>/threads:<n>. The timed call is
// the public one with its checks; bytes/s counts every key and value once.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <heed/attention/attend_paged.hpp>
#include <heed/attention/key_value_cache.hpp>
#include <heed/version.hpp>

#include "options.hpp"

namespace {

using heed::Index;
using Tensor4 = heed::Tensor<float, 4>;

struct Shape {
  Index batch, heads, kv_heads, keys, dim;
  std::string name() const {
    std::string text;
    for (const Index extent : {batch, heads, kv_heads, keys, dim}) text += (text.empty() ? "" : "x") + std::to_string(extent);
    return text;
  }
};

const Shape shapes[] = {{1, 8, 8, 2048, 64}, {1, 8, 8, 16384, 64}, {1, 32, 8, 4096, 128}, {8, 8, 8, 2048, 64}, {1, 64, 64, 2048, 64}};

Tensor4 random_heads(Index batch, Index heads, Index length, Index dim, std::uint64_t seed) {
  Tensor4 x(batch, heads, length, dim);
  heed::Rng rng{seed, 0};
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(rng.normal());
  return x;
}

struct Problem {
  Shape shape;
  Tensor4 query, key, value;

  explicit Problem(const Shape& s)
      : shape(s),
        query(random_heads(s.batch, s.heads, 1, s.dim, 1)),
        key(random_heads(s.batch, s.kv_heads, s.keys, s.dim, 2)),
        value(random_heads(s.batch, s.kv_heads, s.keys, s.dim, 3)) {}

  /// One head's output against sums in double.
  void check(const Tensor4& output) const {
    const Index b = shape.batch - 1, h = shape.heads - 1, g = shape.kv_heads - 1;
    std::vector<double> weight;
    double sum = 0;
    for (Index j = 0; j < shape.keys; ++j) {
      double score = 0;
      for (Index d = 0; d < shape.dim; ++d) score += double(query(b, h, 0, d)) * double(key(b, g, j, d));
      sum += weight.emplace_back(std::exp(score / std::sqrt(double(shape.dim))));
    }
    for (Index e = 0; e < shape.dim; ++e) {
      double wanted = 0;
      for (Index j = 0; j < shape.keys; ++j) wanted += weight[std::size_t(j)] / sum * double(value(b, g, j, e));
      if (std::abs(double(output(b, h, 0, e)) - wanted) <= 2e-5) continue;
      std::fprintf(stderr, "decode_benchmark: %s is wrong at %td: %g, wanted %g\n", shape.name().c_str(), e,
                   double(output(b, h, 0, e)), wanted);
      std::exit(1);
    }
  }
};

template <class Attend>
void time(benchmark::State& state, const Problem& problem, const Attend& attend) {
  problem.check(attend());
  for (auto _ : state) benchmark::DoNotOptimize(attend().data());
  const double bytes = 4.0 * double(problem.key.size() + problem.value.size());
  state.counters["bytes/s"] = benchmark::Counter(bytes, benchmark::Counter::kIsIterationInvariantRate);
}

void contiguous(benchmark::State& state, const Shape& s, Index threads) {
  const Problem problem(s);
  heed::ThreadPool pool(threads);
  heed::KeyValueCache<float> cache({.batch = s.batch, .kv_heads = s.kv_heads, .head_dim = s.dim, .value_dim = s.dim, .capacity = s.keys});
  cache.append(problem.key, problem.value);
  time(state, problem, [&] { return heed::scaled_dot_product_attention(problem.query, cache.key(), cache.value(), {}, pool); });
}

void paged(benchmark::State& state, const Shape& s, Index threads, Index page_size) {
  const Problem problem(s);
  heed::ThreadPool pool(threads);
  heed::PagedKeyValueCache<float> cache({.kv_heads = s.kv_heads, .head_dim = s.dim, .value_dim = s.dim,
                                         .pages = s.batch * (s.keys / page_size + 1), .page_size = page_size});
  std::vector<Index> sequences;
  for (Index b = 0; b < s.batch; ++b) {
    sequences.push_back(cache.add());
    const Index sample = b * s.kv_heads * s.keys * s.dim;
    cache.append(sequences.back(), heed::View<const float, 3>(problem.key.data() + sample, {s.kv_heads, s.keys, s.dim}),
                 heed::View<const float, 3>(problem.value.data() + sample, {s.kv_heads, s.keys, s.dim}));
  }
  time(state, problem, [&] { return heed::attend_paged(problem.query, cache, sequences, {}, pool).output; });
}

void register_rows(const Shape& shape, Index threads) {
  const auto add = [&](const char* how, auto run) {
    const std::string name = std::string("decode/float32/") + how + '/' + shape.name() + "/threads:" + std::to_string(threads);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { run(state); })->Unit(benchmark::kMicrosecond)->UseRealTime();
  };
  add("contiguous", [=](benchmark::State& state) { contiguous(state, shape, threads); });
  add("paged", [=](benchmark::State& state) { paged(state, shape, threads, 256); });
  add("small_pages", [=](benchmark::State& state) { paged(state, shape, threads, 16); });
}

}  // namespace

int main(int argc, char** argv) {
  const Index threads = heed_benchmark::take_threads(argc, argv);
  for (const Shape& shape : shapes) register_rows(shape, threads);
  benchmark::AddCustomContext("heed", heed::build_info().text());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
