// Scaled dot-product attention through the public call, checks included.
//
//   attention_benchmark [--shapes=BxHxTqxTkxD,...] [--threads=n] [--benchmark_filter=^sdpa/float32/causal] ...
//
// Rows: <sdpa|sdpa_fwd_bwd>/<float32|float64>/<full|causal|mask>/<BxHxTqxTkxD>/threads:<n>, causal where Tq = Tk. mask:
// keys behind a length are padding, 3/4 of them visible for one sample, else from all down to half (as bench/common.py
// has it). Counters: FLOP/s counts 4 D per visible pair (10 D more with the backward), padding as if it were visible;
// of_peak is the part of threads times one core's FMA rate, measured just before. --threads: how many (by default the
// CPUs that this process may use).

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/version.hpp>

#include "options.hpp"
#include "peak.hpp"
#include "score_rows.hpp"

namespace {

using heed::Index;
using heed_benchmark::Mode;
using heed_benchmark::take_option;
using heed_benchmark::take_threads;
template <class T>
using Tensor4 = heed::Tensor<T, 4>;

struct Shape {
  Index batch, heads, queries, keys, dim;
  std::string name() const {
    std::ostringstream text;
    text << batch << 'x' << heads << 'x' << queries << 'x' << keys << 'x' << dim;
    return text.str();
  }
  double pairs(Mode mode) const {
    const double rows = double(batch * heads);
    return mode == Mode::causal ? rows * double(queries) * double(queries + 1) / 2
                                : rows * double(queries) * double(keys);
  }
};

/// Inputs of one row, and whether a result is right.
template <class T>
struct Problem {
  Shape shape;
  Mode mode;
  Tensor4<T> query, key, value, d_output;
  std::vector<Index> lengths;
  heed::AttentionOptions<T> options;

  Problem(const Shape& s, Mode m)
      : shape(s),
        mode(m),
        query(s.batch, s.heads, s.queries, s.dim),
        key(s.batch, s.heads, s.keys, s.dim),
        value(s.batch, s.heads, s.keys, s.dim),
        d_output(s.batch, s.heads, s.queries, s.dim) {
    heed::Rng rng{7, 0};
    for (Tensor4<T>* x : {&query, &key, &value, &d_output})
      for (Index i = 0; i < x->size(); ++i) x->data()[i] = static_cast<T>(rng.normal());
    for (Index b = 0; b < s.batch; ++b)
      lengths.push_back(s.batch == 1 ? 3 * s.keys / 4 : s.keys - b * s.keys / (2 * (s.batch - 1)));
    if (mode == Mode::causal) options.mask = heed::causal();
    if (mode == Mode::mask) options.mask = heed::key_lengths(lengths);
  }
  Problem(const Problem&) = delete;

  Index visible(Index batch, Index query_row) const {
    return mode == Mode::causal ? query_row + 1 : mode == Mode::mask ? lengths[std::size_t(batch)] : shape.keys;
  }

  /// Some rows of the output against sums in double.
  void check(const Tensor4<T>& output) const {
    for (Index sample = 0; sample < 16; ++sample) {
      const Index b = sample * 31 % shape.batch, h = sample * 17 % shape.heads, i = sample * 7919 % shape.queries;
      const Index count = visible(b, i);
      std::vector<double> p(static_cast<std::size_t>(count));
      double largest = -INFINITY, sum = 0;
      for (Index j = 0; j < count; ++j) {
        double score = 0;
        for (Index d = 0; d < shape.dim; ++d) score += double(query(b, h, i, d)) * double(key(b, h, j, d));
        largest = std::max(largest, p[std::size_t(j)] = score / std::sqrt(double(shape.dim)));
      }
      for (double& x : p) sum += x = std::exp(x - largest);
      for (Index e = 0; e < shape.dim; ++e) {
        double wanted = 0;
        for (Index j = 0; j < count; ++j) wanted += p[std::size_t(j)] / sum * double(value(b, h, j, e));
        if (std::abs(double(output(b, h, i, e)) - wanted) <= (sizeof(T) == 4 ? 2e-5 : 1e-12)) continue;
        std::fprintf(stderr, "attention_benchmark: %s/%s is wrong at (%td, %td, %td, %td): %g, wanted %g\n",
                     name_of(mode), shape.name().c_str(), b, h, i, e, double(output(b, h, i, e)), wanted);
        std::exit(1);
      }
    }
  }
};

template <class T>
void count(benchmark::State& state, const Problem<T>& problem, double flops_per_pair, Index threads, double peak) {
  using benchmark::Counter;
  const Shape& s = problem.shape;
  const double flops = flops_per_pair * double(s.dim) * s.pairs(problem.mode);
  const double bytes = double(sizeof(T)) * double(s.batch * s.heads * s.dim) * 2 * double(s.queries + s.keys);
  state.counters["FLOP/s"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["bytes/s"] = Counter(bytes, Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = Counter(flops / (peak * double(threads)), Counter::kIsIterationInvariantRate);
}

template <class T>
void forward(benchmark::State& state, const Shape& shape, Mode mode, Index threads) {
  const Problem<T> problem(shape, mode);
  heed::ThreadPool pool(threads);
  const auto attend = [&] {
    return heed::scaled_dot_product_attention(problem.query, problem.key, problem.value, problem.options, pool);
  };
  problem.check(attend());
  const double peak = heed_benchmark::peak_flops<T>();
  for (auto _ : state) benchmark::DoNotOptimize(attend().data());
  count(state, problem, 4, threads, peak);
}

/// Into memory that is allocated once, as a training loop would hold it.
template <class T>
void forward_and_backward(benchmark::State& state, const Shape& shape, Mode mode, Index threads) {
  const Problem<T> problem(shape, mode);
  heed::ThreadPool pool(threads);
  heed::Tensor<T, 4> output(problem.query), d_query(problem.query), d_key(problem.key), d_value(problem.value);
  heed::Tensor<T, 3> logsumexp(shape.batch, shape.heads, shape.queries);
  const heed::AttentionOutputs<T> forward{.output = output, .logsumexp = logsumexp};
  const heed::AttentionGradientViews<T> grad{d_query, d_key, d_value};
  const auto extents = heed::attention_shape<T>(problem.query, problem.key, problem.value);
  heed::Workspace workspace(std::max(heed::workspace_bytes<T>(extents, problem.options, threads),
                                     heed::backward_workspace_bytes<T>(extents, problem.options, threads)));
  const auto attend = [&] {
    heed::attend_into(forward, problem.query, problem.key, problem.value, problem.options, workspace, pool);
  };
  attend();
  problem.check(output);
  const double peak = heed_benchmark::peak_flops<T>();
  for (auto _ : state) {
    attend();
    heed::attend_backward_into(grad, problem.d_output, problem.query, problem.key, problem.value, forward,
                               problem.options, workspace, pool);
    benchmark::ClobberMemory();
  }
  count(state, problem, 14, threads, peak);
}

/// "1x8x512x512x64,..."; exits with 2 on anything else.
std::vector<Shape> parse_shapes(const std::string& text) {
  std::vector<Shape> shapes;
  std::istringstream list(text);
  for (std::string item; std::getline(list, item, ',');) {
    Shape s{};
    int read = 0;
    if (std::sscanf(item.c_str(), "%tdx%tdx%tdx%tdx%td%n", &s.batch, &s.heads, &s.queries, &s.keys, &s.dim, &read) !=
            5 ||
        item.size() != std::size_t(read) || std::min({s.batch, s.heads, s.queries, s.keys, s.dim}) < 1) {
      std::fprintf(stderr, "attention_benchmark: --shapes has \"%s\", wanted BxHxTqxTkxD\n", item.c_str());
      std::exit(2);
    }
    shapes.push_back(s);
  }
  return shapes;
}

}  // namespace

int main(int argc, char** argv) {
  const auto shapes = parse_shapes(take_option(
      argc, argv, "--shapes",
      "1x8x128x128x64,1x8x512x512x64,1x8x1024x1024x64,1x8x2048x2048x64,1x1x4096x4096x64,1x4x2048x2048x128,"
      "1x8x1x2048x64,32x8x32x32x64,8x8x128x128x32"));
  const Index threads = take_threads(argc, argv);
  const auto add = [&]<class T>(T, const char* dtype) {
    for (const Shape& shape : shapes) {
      heed_benchmark::register_rows<Shape>("sdpa", dtype, shape, threads, forward<T>);
      heed_benchmark::register_rows<Shape>("sdpa_fwd_bwd", dtype, shape, threads, forward_and_backward<T>);
    }
  };
  add(float(), "float32");
  add(double(), "float64");
  benchmark::AddCustomContext("heed", heed::build_info().text());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
