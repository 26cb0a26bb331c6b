// SEMANTICS 1 to 4: scores, the order of what is done to them, softmax and sinks.

#include <heed/attention/modifier.hpp>
#include <heed/attention/position.hpp>
#include <heed/kernels/softmax.hpp>

#include "properties/moved_problem.hpp"
#include "properties/reference_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
void check_textbook(const AttentionProblem<T>& p) {
  const auto found = everything(p);
  const ReferenceProblem wanted(in_double(p));
  for_each_tensor(
      [](const char* name, const auto& a, const auto& b) {
        INFO(name << " is off by " << largest_error(flat(a), flat(b)));
        CHECK(close_tensor(a, b));
      },
      found, wanted);
}

/// A score that no other order of the stages gives: bent, and different for every pair.
struct Bend {
  auto operator()(auto score, auto at) const { return score * score * 0.5f - score + 0.01f * at.key; }
  static double textbook(double score, Index j) { return score * score * 0.5 - score + double(0.01f) * double(j); }
};

/// Every stage of SEMANTICS 2 at once, one loop per stage.
struct AllStages {
  AttentionProblem<double> p = plain_problem<double>({2, 2, 1, 3, 70, 5, 4});
  Tensor<double, 4> term;  // bias and T5's relative buckets: both are added
  AllStages(Index query_length) {
    p = plain_problem<double>({2, 2, 1, query_length, 70, 5, 4});
    p.scale = 0.7, p.softcap = 1.3;
    p.slopes = random_tensor<double, 1>({2}, 21, 0.1), p.sink = random_tensor<double, 1>({2}, 22);
    p.dropout = {.probability = 0.3, .rng = Rng{3, 4}};
    p.bias = random_tensor<double, 4>({2, 2, query_length, 70}, 23);
    const auto relative = bucket_bias(random_tensor<double, 2>({32, 2}, 24), RelativeBuckets(), query_length, 70);
    for (Index b = 0; b < 2; ++b) p.bias.chip(b, 0) += relative;
    p.allowed = Tensor<std::uint8_t, 4>(1, 1, 1, 70);
    for (Index j = 0; j < 70; ++j) p.allowed(0, 0, 0, j) = j % 7 == 3 ? 0 : 1;
  }
  double score(Index b, Index h, Index i, Index j) const {
    double s = 0;
    for (Index d = 0; d < 5; ++d) s += p.query(b, h, i, d) * p.key(b, 0, j, d);
    s *= *p.scale;
    s = p.softcap * std::tanh(s / p.softcap);
    s = Bend::textbook(s, j);
    s += p.bias(b, h, i, j);
    s -= p.slopes(h) * std::abs(double(i - j));
    return j % 7 == 3 ? -infinite<double> : s;
  }
  /// weights before dropout, and the output.
  void row(Index b, Index h, Index i, std::vector<double>& weights, std::vector<double>& output) const {
    double largest = p.sink(h), sum = 0;
    for (Index j = 0; j < 70; ++j) largest = std::fmax(largest, score(b, h, i, j));
    sum = std::exp(p.sink(h) - largest);
    weights.assign(70, 0), output.assign(4, 0);
    for (std::size_t j = 0; j < 70; ++j) sum += weights[j] = std::exp(score(b, h, i, Index(j)) - largest);
    for (std::size_t j = 0; j < 70; ++j) {
      weights[j] /= sum;
      const double left = weights[j] * kept(p, b, h, i, Index(j));
      for (std::size_t e = 0; e < 4; ++e) output[e] += left * p.value(b, 0, Index(j), Index(e));
    }
  }
};

}  // namespace

TEMPLATE_TEST_CASE("semantics 1: a score is scale times the dot product, by default 1 / sqrt(D), any real one is legal",
                   "[semantics]", float, double) {
  auto p = plain_problem<TestType>({2, 4, 2, GENERATE(1, 5), 70, GENERATE(1, 9), 6});
  SECTION("default") {}
  SECTION("1 / sqrt(D) given") { p.scale = TestType(1 / std::sqrt(double(p.query.dimension(3)))); }
  SECTION("one") { p.scale = TestType(1); }
  SECTION("zero: all keys alike") { p.scale = TestType(0); }
  SECTION("negative") { p.scale = TestType(-1.7); }
  SECTION("large") { p.scale = TestType(8); }
  check_textbook(p);
  auto first = p;  // one key: its score is the row's maximum
  first.key = corner(p.key, {2, 2, 1, p.key.dimension(3)}), first.value = corner(p.value, {2, 2, 1, 6});
  const auto row_max = everything(first).forward.row_max;
  for (Index h = 0; h < 4; ++h) {
    double dot = 0;
    for (Index d = 0; d < p.query.dimension(3); ++d) dot += double(p.query(1, h, 0, d)) * double(p.key(1, h / 2, 0, d));
    const double scale = p.scale ? double(*p.scale) : 1 / std::sqrt(double(p.query.dimension(3)));
    CHECK(close(row_max(1, h, 0), scale * dot));
  }
}

TEST_CASE("semantics 1: float accumulates in float, double in double", "[semantics]") {
  const Index queries = GENERATE(1, 2);
  const auto sum_of = [&]<class T>(T) {  // 2^24 + 1 + 1 - 2^24, 1 three times: float loses both ones on the way
    auto p = plain_problem<T>({1, 1, 1, queries, 1, 4, 1});
    p.scale = T(1), p.key.setConstant(T(1));
    const T large = T(16777216);
    for (Index i = 0; i < queries; ++i)
      p.query(0, 0, i, 0) = large, p.query(0, 0, i, 3) = -large, p.query(0, 0, i, 1) = p.query(0, 0, i, 2) = T(1);
    const auto found = everything(p).forward;
    static_assert(std::same_as<std::remove_cvref_t<decltype(found.row_max(0, 0, 0))>, T>);
    return double(found.row_max(0, 0, queries - 1));
  };
  CHECK(sum_of(1.0) == 2);
  CHECK(sum_of(1.0f) == 0);
  static_assert(!Real<std::uint16_t> && Real<float> && Real<double>);  // 16-bit inputs are not offered yet
}

TEST_CASE(
    "semantics 2: dot, scale, softcap, modifier, bias, ALiBi and relative terms, mask, softmax with sink, dropout, V",
    "[semantics]") {
  AllStages all(GENERATE(1, 3));
  const Index queries = all.p.query_length();
  AttentionOptions<double> options = all.p.options();
  const auto found = attend(all.p.query, all.p.key, all.p.value, options, Bend());
  std::vector<double> weights, output;
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < queries; ++i) {
        all.row(b, h, i, weights, output);
        for (Index j = 0; j < 70; ++j) CHECK(close(found.weights(b, h, i, j), weights[std::size_t(j)]));
        for (Index e = 0; e < 4; ++e) CHECK(close(found.output(b, h, i, e), output[std::size_t(e)]));
      }
  const auto grad = attend_backward(all.p.d_output, all.p.query, all.p.key, all.p.value, found, options, Bend());
  options.return_weights = options.return_logsumexp = options.return_row_max = false;
  options.return_entropy = options.return_key_sums = false;
  check_central_differences(flat(all.p.query), flat(grad.query), [&] {
    return weighted_sum(scaled_dot_product_attention(all.p.query, all.p.key, all.p.value, options, Bend()),
                        all.p.d_output);
  });
}

TEMPLATE_TEST_CASE("semantics 2: softcap is c tanh(s / c), and c <= 0 means off", "[semantics]", float, double) {
  auto p = plain_problem<TestType>({1, 2, 2, GENERATE(1, 4), 66, 5, 3});
  p.scale = TestType(3);
  const auto plain = everything(p);
  p.softcap = TestType(0.8);
  CHECK(different(everything(p), plain) != "");
  check_textbook(p);
  for (const TestType off : {TestType(0), TestType(-1), TestType(-1e30)}) {
    p.softcap = off;
    CHECK(different(everything(p), plain) == "");
  }
}

TEMPLATE_TEST_CASE("semantics 3: the row maximum is subtracted, an empty sum gives zeros, logsumexp is the natural log",
                   "[semantics]", float, double) {
  using T = TestType;
  auto p = plain_problem<T>({2, 3, 3, GENERATE(1, 4), 130, 8, 3});
  for (Tensor<T, 4>* const x : {&p.query, &p.key})  // whole numbers, so that large scores are exact
    for (T& number : flat(*x)) number = std::round(number);
  p.scale = GENERATE(T(1), T(1024), T(-8192));  // exp of such scores is infinite
  const auto found = everything(p).forward;
  const auto wanted = ReferenceProblem(in_double(p)).forward;
  CHECK(close_tensor(found.output, wanted.output));
  CHECK(close_tensor(found.weights, wanted.weights));
  CHECK(close_tensor(found.logsumexp, wanted.logsumexp));
  static_assert(
      std::same_as<std::remove_cvref_t<decltype(found.logsumexp)>, Tensor<T, 3>>);  // f32 for f32, f64 for f64
  CHECK(extents(found.logsumexp) == Extents<3>{2, 3, p.query_length()});
  auto alike = p;
  alike.scale = T(0);
  CHECK(everything(alike).forward.logsumexp(1, 2, 0) == Approx(std::log(130.0)));

  std::vector<T> row(37, T(2)), out(37, T(7));
  std::vector<std::uint8_t> none(37, 0);
  softmax_row(row.data(), reinterpret_cast<const bool*>(none.data()), out.data(), 37);
  for (const T x : out) CHECK(same_bits(x, T(0)));
}

TEMPLATE_TEST_CASE("semantics 3: the sum's order is fixed, whatever the number of threads", "[semantics]", float,
                   double) {
  auto p = plain_problem<TestType>({1, 1, 1, GENERATE(1, 70), 1000, 4, 2});
  const auto wanted = everything(p);
  for (const Index threads : {1, 2, 7, 16}) {
    ThreadPool pool(threads);
    CHECK(different(everything(p.options(), p.inputs(), pool), wanted) == "");
  }
}

TEMPLATE_TEST_CASE(
    "semantics 4: a sink is one more logit in the denominator: not scaled, capped or masked, with a gradient",
    "[semantics]", float, double) {
  using T = TestType;
  auto p = plain_problem<T>({2, 4, 2, GENERATE(1, 5), 70, 6, 3});
  p.sink = random_tensor<T, 1>({4}, 9, 3);
  SECTION("plain") {}
  SECTION("beside a scale") { p.scale = T(5); }
  SECTION("beside a softcap far below it") { p.softcap = T(0.1), p.sink(2) = T(4); }
  SECTION("beside masks") { p.key_lengths = {3, 70}; }
  SECTION("-inf is no sink") { p.sink.setConstant(-infinite<T>); }
  check_textbook(p);  // d_sink among the rest
  const auto with = everything(p);
  CHECK(extents(with.gradients.sink) == Extents<1>{4});
  if (p.sink(0) == -infinite<T>) {
    auto without = p;
    without.sink = {};
    CHECK(different_per_sample(with, everything(without)) == "");
  }
  auto masked = p;
  masked.key_lengths = {0, 0};
  const auto nothing = everything(masked).forward;
  for (Index h = 0; h < 4; ++h) CHECK(same_bits(nothing.logsumexp(1, h, 0), p.sink(h)));
}
