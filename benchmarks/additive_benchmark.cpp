// Reading a memory with Bahdanau's additive scores through the public call, checks included.
//
//   additive_benchmark [--shapes=BxTqxTkxunits,...] [--threads=n] [--benchmark_filter=^additive/float32/mask] ...
//
// Rows: <additive|additive_fwd_bwd>/<float32|float64>/<full|causal|mask>/<BxTqxTkxunits>/threads:<n>, causal where
// Tq = Tk. State, keys and values are `units` wide; a call projects the state, scores, takes the softmax and sums the
// values; the keys were projected before, as for every read but the first of a source. mask: keys behind a length are
// padding, 3/4 of them visible for one sample, else from all down to half. Counters: elements/s counts a tanh per
// visible pair and unit, once, with the backward too; bytes/s the inputs and results once. additive_peers.py times the
// same in Keras and PyTorch.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <heed/attention/bahdanau.hpp>
#include <heed/kernels/reference_attention.hpp>
#include <heed/version.hpp>

#include "options.hpp"
#include "score_rows.hpp"

namespace {

using heed::Index;
using heed_benchmark::Mode;
using heed_benchmark::take_option;
using heed_benchmark::take_threads;

struct Shape {
  Index batch, queries, keys, units;
  std::string name() const {
    std::ostringstream text;
    text << batch << 'x' << queries << 'x' << keys << 'x' << units;
    return text.str();
  }
};

/// Inputs of one row, and whether a result is right.
template <class T>
struct Problem {
  using Attention = heed::BahdanauAttention<T>;
  Shape shape;
  Mode mode;
  Attention attention;
  heed::Tensor<T, 3> state, memory, values, d_context;
  std::vector<Index> lengths;
  heed::Mask mask;

  Problem(const Shape& s, Mode m)
      : shape(s),
        mode(m),
        state(s.batch, s.queries, s.units),
        memory(s.batch, s.keys, s.units),
        values(s.batch, s.keys, s.units),
        d_context(s.batch, s.queries, s.units) {
    heed::Rng rng{7, 0};
    attention = Attention({.units = s.units, .query_dim = s.units, .key_dim = s.units}, rng);
    for (heed::Tensor<T, 3>* x : {&state, &memory, &values, &d_context})
      for (Index i = 0; i < x->size(); ++i) x->data()[i] = static_cast<T>(rng.normal());
    for (Index b = 0; b < s.batch; ++b)
      lengths.push_back(s.batch == 1 ? 3 * s.keys / 4 : s.keys - b * s.keys / (2 * (s.batch - 1)));
    if (mode == Mode::causal) mask = heed::causal();
    if (mode == Mode::mask) mask = heed::key_lengths(lengths);
  }
  Problem(const Problem&) = delete;

  bool visible(Index batch, Index query, Index key) const {
    return mode == Mode::causal ? key <= query : mode == Mode::mask ? key < lengths[std::size_t(batch)] : true;
  }
  double visible_pairs() const {
    double pairs = 0;
    for (Index b = 0; b < shape.batch; ++b) {
      const Index all = mode == Mode::mask ? lengths[std::size_t(b)] : shape.keys;
      pairs += mode == Mode::causal ? double(all) * double(all + 1) / 2 : double(all) * double(shape.queries);
    }
    return pairs;
  }
  auto forward(typename Attention::Cache* cache, heed::ExecutorRef executor) const {
    return attention.forward(state, memory, values, mask, cache, executor);
  }
  /// Everything that flows back from the context; `grad` and `memory_grad` are added to.
  auto backward(const typename Attention::Cache& cache, Attention& grad, heed::MemoryGradient<T>& memory_grad,
                heed::ExecutorRef executor) const {
    return attention.backward(d_context, cache, memory, values, mask, grad, memory_grad, {}, executor);
  }

  /// The last sample's context and, given the backward's sums, gradients, against the textbook in double.
  void check(const heed::Tensor<T, 3>& context, const typename Attention::Cache& cache,
             const heed::MemoryGradient<T>* memory_grad) const {
    namespace reference = heed::reference;
    const Index b = shape.batch - 1, tq = shape.queries, tk = shape.keys, n = shape.units;
    const auto last = [&](const heed::Tensor<T, 3>& x) {
      const T* begin = x.data() + b * x.dimension(1) * n;
      return std::vector<double>(begin, begin + x.dimension(1) * n);
    };
    const auto q = last(cache.query), k = last(memory), e = last(values), d = last(d_context);
    std::vector<double> v(attention.score.weight.data(), attention.score.weight.data() + n), d_v(v.size());
    std::vector<double> output(q.size()), p(std::size_t(tq * tk)), d_q(q.size()), d_k(k.size()), d_e(e.size());
    const auto sees = [&](Index i, Index j) { return visible(b, i, j); };
    reference::additive_attention({q.data(), tq, n}, {k.data(), tk, n}, v.data(), {e.data(), tk, n}, sees,
                                  {output.data(), tq, n}, {p.data(), tq, tk});
    same("context", last(context), output);
    if (!memory_grad) return;
    reference::additive_attention_backward({q.data(), tq, n}, {k.data(), tk, n}, v.data(), {e.data(), tk, n}, sees,
                                           {p.data(), tq, tk}, {d.data(), tq, n}, {d_q.data(), tq, n},
                                           {d_k.data(), tk, n}, d_v.data(), {d_e.data(), tk, n});
    same("d_memory", last(memory_grad->memory), d_k);
    same("d_values", last(memory_grad->values), d_e);
  }

 private:
  void same(const char* what, const std::vector<double>& found, const std::vector<double>& wanted) const {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (std::abs(found[i] - wanted[i]) <= (sizeof(T) == 4 ? 2e-5 : 1e-12) * (1 + std::abs(wanted[i]))) continue;
      std::fprintf(stderr, "additive_benchmark: %s of %s/%s is wrong at %zu: %g, wanted %g\n", what, name_of(mode),
                   shape.name().c_str(), i, found[i], wanted[i]);
      std::exit(1);
    }
  }
};

template <class T>
void count(benchmark::State& state, const Problem<T>& problem, double tensors) {
  using benchmark::Counter;
  const Shape& s = problem.shape;
  const double bytes = double(sizeof(T)) * double(s.batch * s.units) * tensors * double(s.queries + s.keys);
  state.counters["elements/s"] = Counter(problem.visible_pairs() * double(s.units), Counter::kIsIterationInvariantRate);
  state.counters["bytes/s"] = Counter(bytes, Counter::kIsIterationInvariantRate);
}

template <class T>
void forward(benchmark::State& state, const Shape& shape, Mode mode, Index threads) {
  const Problem<T> problem(shape, mode);
  heed::ThreadPool pool(threads);
  typename Problem<T>::Attention::Cache cache;
  problem.check(problem.forward(&cache, pool).context, cache, nullptr);
  for (auto _ : state) benchmark::DoNotOptimize(problem.forward(nullptr, pool).context.data());
  count(state, problem, 2);
}

/// With gradients that are allocated once, as a training loop holds them, and cleared in every call.
template <class T>
void forward_and_backward(benchmark::State& state, const Shape& shape, Mode mode, Index threads) {
  const Problem<T> problem(shape, mode);
  heed::ThreadPool pool(threads);
  typename Problem<T>::Attention::Cache cache;
  heed::BahdanauAttention<T> grad = problem.attention;  // added to and never read
  auto memory_grad = heed::zero_memory_gradient(problem.memory, problem.values);
  const auto step = [&] {
    memory_grad.memory.setZero(), memory_grad.values.setZero(), memory_grad.seen.setConstant(false);
    auto read = problem.forward(&cache, pool);
    benchmark::DoNotOptimize(problem.backward(cache, grad, memory_grad, pool).data());
    return read;
  };
  problem.check(step().context, cache, &memory_grad);
  for (auto _ : state) benchmark::DoNotOptimize(step().context.data());
  count(state, problem, 4);
}

/// "64x20x20x256,..."; exits with 2 on anything else.
std::vector<Shape> parse_shapes(const std::string& text) {
  std::vector<Shape> shapes;
  std::istringstream list(text);
  for (std::string item; std::getline(list, item, ',');) {
    Shape s{};
    int read = 0;
    if (std::sscanf(item.c_str(), "%tdx%tdx%tdx%td%n", &s.batch, &s.queries, &s.keys, &s.units, &read) != 4 ||
        item.size() != std::size_t(read) || std::min({s.batch, s.queries, s.keys, s.units}) < 1) {
      std::fprintf(stderr, "additive_benchmark: --shapes has \"%s\", wanted BxTqxTkxunits\n", item.c_str());
      std::exit(2);
    }
    shapes.push_back(s);
  }
  return shapes;
}

}  // namespace

int main(int argc, char** argv) {
  const auto shapes = parse_shapes(
      take_option(argc, argv, "--shapes", "64x1x20x256,64x20x20x256,16x64x64x128,1x256x256x64,1x1x2000x256"));
  const Index threads = take_threads(argc, argv);
  const auto add = [&]<class T>(T, const char* dtype) {
    for (const Shape& shape : shapes) {
      heed_benchmark::register_rows<Shape>("additive", dtype, shape, threads, forward<T>);
      heed_benchmark::register_rows<Shape>("additive_fwd_bwd", dtype, shape, threads, forward_and_backward<T>);
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
