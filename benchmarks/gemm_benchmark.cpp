// The matrix product beside Eigen's (and OpenBLAS', where it was found), one thread, in one run.
//
//   gemm_benchmark [--benchmark_filter=...]
//
// Rows: gemm/<heed|packed|eigen|openblas>/<MxNxK>/<orientations of a and b>. nt: b is given as (N, K), as weights and
// keys are. packed: b was packed before, as a GRU's weights are over its steps. Counters: FLOP/s, and the bytes/s of
// reading b once, which bounds a product of one row.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <Eigen/Dense>
#if defined(HEED_HAS_OPENBLAS)
#include <cblas.h>
#endif

#include <heed/core/random.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/gemm.hpp>
#include <heed/version.hpp>

namespace {

using heed::Accumulate;
using heed::Index;
using heed::MatrixView;
using heed::Transpose;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Shape {
  Index m, n, k;
  Transpose ta, tb;
  std::string name() const {
    const auto letter = [](Transpose t) { return t == Transpose::yes ? "t" : "n"; };
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + "/" + letter(ta) + letter(tb);
  }
};

constexpr auto no = Transpose::no, yes = Transpose::yes;
const Shape shapes[] = {
    {512, 512, 512, no, no},     {512, 512, 512, no, yes},                                // the size to compare by
    {64, 512, 64, no, yes},      {64, 64, 512, no, no},                                   // attention tiles
    {1280, 10000, 256, no, no},  {1280, 10000, 256, no, yes},                             // vocabulary projection
    {10000, 256, 1280, yes, no}, {1280, 256, 10000, no, no},                              // its gradients
    {64, 768, 256, no, yes},     {64, 768, 384, no, yes},     {768, 256, 1280, yes, no},  // GRU and its gradient
    {1, 10000, 256, no, no},     {1, 10000, 256, no, yes},                                // one sentence's next word
    {1, 768, 256, no, no},       {1, 768, 256, no, yes},      {1, 768, 256, yes, yes},    // one GRU step
};

struct Problem {
  Shape shape;
  Matrix a, b, c;

  explicit Problem(const Shape& s)
      : shape(s),
        a(s.ta == no ? s.m : s.k, s.ta == no ? s.k : s.m),
        b(s.tb == no ? s.k : s.n, s.tb == no ? s.n : s.k),
        c(Matrix::Zero(s.m, s.n)) {
    heed::Rng rng{7, 0};
    for (Matrix* x : {&a, &b})
      for (Index i = 0; i < x->size(); ++i) x->data()[i] = static_cast<float>(rng.uniform() - 0.5);
  }
  static MatrixView<const float> view(const Matrix& x) { return {x.data(), x.rows(), x.cols()}; }
  MatrixView<float> result() { return {c.data(), shape.m, shape.n}; }

  // A sample of elements against sums in double, within k roundings of the sum of |a b|.
  void check(const char* who) const {
    for (Index sample = 0; sample < 200; ++sample) {
      const Index i = sample * 7919 % shape.m, j = sample * 104729 % shape.n;
      double sum = 0, size = 0;
      for (Index k = 0; k < shape.k; ++k) {
        const double term = double(shape.ta == no ? a(i, k) : a(k, i)) * double(shape.tb == no ? b(k, j) : b(j, k));
        sum += term, size += std::abs(term);
      }
      if (std::abs(double(c(i, j)) - sum) <= double(shape.k + 4) * 0x1p-24 * size) continue;
      std::fprintf(stderr, "gemm_benchmark: %s of %s is wrong at (%td, %td): %g, wanted %g\n", who,
                   shape.name().c_str(), i, j, double(c(i, j)), sum);
      std::exit(1);
    }
  }
};

/// Runs `multiply` once and checks the result, then times it.
template <class Multiply>
void time(benchmark::State& state, Problem& problem, const char* who, const Multiply& multiply) {
  problem.c.setConstant(std::nanf(""));
  multiply();
  problem.check(who);
  for (auto _ : state) {
    multiply();
    benchmark::ClobberMemory();
  }
  const auto [m, n, k, ta, tb] = problem.shape;
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(2.0 * double(m) * double(n) * double(k), Counter::kIsIterationInvariantRate);
  state.counters["b_bytes/s"] = Counter(4.0 * double(n) * double(k), Counter::kIsIterationInvariantRate);
}

void heed_product(benchmark::State& state, const Shape& s) {
  Problem p(s);
  heed::Workspace workspace;
  workspace.reserve(heed::Workspace::rounded<float>(heed::gemm_scratch_size<float>(s.m, s.n, s.k)));
  float* scratch = workspace.take<float>(heed::gemm_scratch_size<float>(s.m, s.n, s.k));
  time(state, p, "heed", [&] {
    heed::gemm<float>(s.ta, Problem::view(p.a), s.tb, Problem::view(p.b), p.result(), Accumulate::no, scratch);
  });
}

void packed_product(benchmark::State& state, const Shape& s) {
  Problem p(s);
  heed::Workspace workspace(heed::Workspace::rounded<float>(heed::packed_size<float>(s.k, s.n)));
  float* packed = workspace.take<float>(heed::packed_size<float>(s.k, s.n));
  heed::pack_b<float>(s.tb, Problem::view(p.b), packed);
  time(state, p, "packed",
       [&] { heed::gemm_packed<float>(s.ta, Problem::view(p.a), packed, p.result(), s.k, Accumulate::no); });
}

void eigen_product(benchmark::State& state, const Shape& s) {
  Problem p(s);
  time(state, p, "eigen", [&] {
    if (s.ta == no && s.tb == no) p.c.noalias() = p.a * p.b;
    if (s.ta == no && s.tb == yes) p.c.noalias() = p.a * p.b.transpose();
    if (s.ta == yes && s.tb == no) p.c.noalias() = p.a.transpose() * p.b;
    if (s.ta == yes && s.tb == yes) p.c.noalias() = p.a.transpose() * p.b.transpose();
  });
}

#if defined(HEED_HAS_OPENBLAS)
void openblas_product(benchmark::State& state, const Shape& s) {
  Problem p(s);
  const auto order = [](Transpose t) { return t == yes ? CblasTrans : CblasNoTrans; };
  const int m = int(s.m), n = int(s.n), k = int(s.k);
  time(state, p, "openblas", [&] {
    cblas_sgemm(CblasRowMajor, order(s.ta), order(s.tb), m, n, k, 1, p.a.data(), int(p.a.cols()), p.b.data(),
                int(p.b.cols()), 0, p.c.data(), n);
  });
}
#endif

void register_shape(const Shape& shape) {
  // Half a second per row, or three runs: about a minute for all of them.
  const auto add = [&](const char* who, void (*product)(benchmark::State&, const Shape&)) {
    const std::string name = std::string("gemm/") + who + "/" + shape.name();
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { product(state, shape); })
        ->Unit(benchmark::kMicrosecond)
        ->MinTime(0.5);
  };
  add("heed", heed_product);
  add("packed", packed_product);
  add("eigen", eigen_product);
#if defined(HEED_HAS_OPENBLAS)
  add("openblas", openblas_product);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("%s\n", heed::build_info().text().c_str());
#if defined(HEED_HAS_OPENBLAS)
  openblas_set_num_threads(1);
#endif
  for (const Shape& shape : shapes) register_shape(shape);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
