// Multi-head self-attention with its four projections through the layer's public call, checks included.
//
//   multi_head_benchmark [--shapes=BxHxTxD,...] [--threads=n] [--benchmark_filter=^multi_head/float32/full] ...
//
// Rows: <multi_head|multi_head_packed>/<float32|float64>/<full|causal|mask>/<BxHxTxD>/threads:<n>, of H * D features, with
// biases. packed: with weights that were packed before, as who loads a model once has them. mask: keys behind a length are
// padding, 3/4 of them visible for one sample, else from all down to half. Counters: FLOP/s of the projections and of the
// visible pairs, and their part of the peak of as many cores as threads. multi_head_peers.py times the same in PyTorch and
// onnxruntime.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <heed/nn/multi_head_attention.hpp>
#include <heed/version.hpp>

#include "options.hpp"
#include "peak.hpp"
#include "score_rows.hpp"

namespace {

using heed::Index;
using heed_benchmark::Mode;
using heed_benchmark::take_option;
using heed_benchmark::take_threads;

struct Shape {
  Index batch, heads, queries, dim;
  Index keys = queries;  // self-attention
  std::string name() const {
    std::ostringstream text;
    text << batch << 'x' << heads << 'x' << queries << 'x' << dim;
    return text.str();
  }
};

/// Inputs of one row, and whether a result is right.
template <class T>
struct Problem {
  Shape shape;
  Mode mode;
  heed::MultiHeadAttention<T> layer;
  heed::Tensor<T, 3> x;
  std::vector<Index> lengths;
  heed::MultiHeadOptions<T> options;

  Problem(const Shape& s, Mode m) : shape(s), mode(m), x(s.batch, s.queries, s.heads * s.dim) {
    heed::Rng rng{7, 0};
    layer = heed::MultiHeadAttention<T>({.model_dim = s.heads * s.dim, .heads = s.heads}, rng);
    heed::normal(x, 0, 1, rng);
    heed::normal(layer.in_proj.in_proj_bias, 0, 1, rng);
    heed::normal(layer.out_proj.bias, 0, 1, rng);
    for (Index b = 0; b < s.batch; ++b)
      lengths.push_back(s.batch == 1 ? 3 * s.keys / 4 : s.keys - b * s.keys / (2 * (s.batch - 1)));
    if (mode == Mode::causal) options.mask = heed::causal();
    if (mode == Mode::mask) options.mask = heed::key_lengths(lengths);
  }
  Problem(const Problem&) = delete;

  Index visible_keys(Index batch, Index query) const {
    return mode == Mode::causal ? query + 1 : mode == Mode::mask ? lengths[std::size_t(batch)] : shape.keys;
  }
  double operations() const {
    const double features = double(shape.heads * shape.dim);
    double pairs = 0;
    for (Index b = 0; b < shape.batch; ++b)
      for (Index i = 0; i < shape.queries; ++i) pairs += double(visible_keys(b, i));
    return 4 * 2 * double(shape.batch * shape.queries) * features * features + 4 * features * pairs;
  }

  /// The last sample's first, middle and last rows, against sums in double.
  void check(const heed::Tensor<T, 3>& output) const {
    const Index b = shape.batch - 1, features = shape.heads * shape.dim;
    for (const Index i : {Index{0}, shape.queries / 2, shape.queries - 1}) {
      const std::vector<double> wanted = row(b, i);
      for (Index e = 0; e < features; ++e) {
        const double found = output(b, i, e), right = wanted[std::size_t(e)];
        if (std::abs(found - right) <= (sizeof(T) == 4 ? 2e-5 : 1e-12) * (1 + std::abs(right))) continue;
        std::fprintf(stderr, "multi_head_benchmark: %s/%s is wrong at query %td, feature %td: %g, wanted %g\n",
                     name_of(mode), shape.name().c_str(), i, e, found, right);
        std::exit(1);
      }
    }
  }

 private:
  /// One row of the output. No key is projected: q . (W_k x_j) = (W_k^T q) . x_j, and b_k shifts all scores alike; the
  /// values are summed before W_v, whose bias the weights, which sum to 1, leave as it is.
  std::vector<double> row(Index b, Index i) const {
    const Index features = shape.heads * shape.dim, count = visible_keys(b, i);
    const auto& weight = layer.in_proj.in_proj_weight;
    const auto& bias = layer.in_proj.in_proj_bias;
    std::vector<double> context, folded(static_cast<std::size_t>(features)), mean(folded.size()), p(std::size_t(count), 0);
    for (Index first = 0; first < features; first += shape.dim) {  // a head
      folded.assign(folded.size(), 0), mean.assign(mean.size(), 0);
      for (Index d = first; d < first + shape.dim; ++d) {
        double query = bias(d);
        for (Index e = 0; e < features; ++e) query += double(weight(d, e)) * double(x(b, i, e));
        for (Index e = 0; e < features; ++e) folded[std::size_t(e)] += query * double(weight(features + d, e));
      }
      double sum = 0;
      for (Index j = 0; j < count; ++j) {
        double score = 0;
        for (Index e = 0; e < features; ++e) score += folded[std::size_t(e)] * double(x(b, j, e));
        sum += p[std::size_t(j)] = std::exp(score / std::sqrt(double(shape.dim)));
      }
      for (Index j = 0; j < count; ++j)
        for (Index e = 0; e < features; ++e) mean[std::size_t(e)] += p[std::size_t(j)] / sum * double(x(b, j, e));
      for (Index d = first; d < first + shape.dim; ++d) {
        context.push_back(bias(2 * features + d));
        for (Index e = 0; e < features; ++e) context.back() += double(weight(2 * features + d, e)) * mean[std::size_t(e)];
      }
    }
    std::vector<double> output;
    for (Index e = 0; e < features; ++e) {
      output.push_back(layer.out_proj.bias(e));
      for (Index d = 0; d < features; ++d) output.back() += double(layer.out_proj.weight(e, d)) * context[std::size_t(d)];
    }
    return output;
  }
};

enum class Weights { plain, packed };

template <class T, Weights weights>
void forward(benchmark::State& state, const Shape& shape, Mode mode, Index threads) {
  using benchmark::Counter;
  const Problem<T> problem(shape, mode);
  heed::ThreadPool pool(threads);
  const auto packed = problem.layer.pack();
  const auto* const given = weights == Weights::packed ? &packed : nullptr;
  const auto call = [&] { return problem.layer.forward(problem.x, problem.options, nullptr, pool, given).output; };
  problem.check(call());
  const double peak = heed_benchmark::peak_flops<T>() * double(threads);
  for (auto _ : state) benchmark::DoNotOptimize(call().data());
  state.counters["FLOP/s"] = Counter(problem.operations(), Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = Counter(problem.operations() / peak, Counter::kIsIterationInvariantRate);
}

/// "1x8x512x64,..."; exits with 2 on anything else.
std::vector<Shape> parse_shapes(const std::string& text) {
  std::vector<Shape> shapes;
  std::istringstream list(text);
  for (std::string item; std::getline(list, item, ',');) {
    Index batch, heads, length, dim;
    int read = 0;
    if (std::sscanf(item.c_str(), "%tdx%tdx%tdx%td%n", &batch, &heads, &length, &dim, &read) != 4 ||
        item.size() != std::size_t(read) || std::min({batch, heads, length, dim}) < 1) {
      std::fprintf(stderr, "multi_head_benchmark: --shapes has \"%s\", wanted BxHxTxD\n", item.c_str());
      std::exit(2);
    }
    shapes.push_back({batch, heads, length, dim});
  }
  return shapes;
}

}  // namespace

int main(int argc, char** argv) {
  const auto shapes = parse_shapes(take_option(argc, argv, "--shapes", "1x8x512x64,1x8x128x64,16x8x64x64"));
  const Index threads = take_threads(argc, argv);
  const auto add = [&]<class T>(T, const char* dtype) {
    for (const Shape& shape : shapes) {
      heed_benchmark::register_rows<Shape>("multi_head", dtype, shape, threads, forward<T, Weights::plain>);
      heed_benchmark::register_rows<Shape>("multi_head_packed", dtype, shape, threads, forward<T, Weights::packed>);
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
