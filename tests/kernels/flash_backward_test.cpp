#include <heed/kernels/flash_backward.hpp>

#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/flash_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// The gradients of a problem, by the kernel and by the textbook.
template <class T>
struct Gradients {
  FlashProblem<T>& in;
  std::vector<T> d_output = random_numbers<T>(in.queries * in.value_dim, 4);
  std::vector<T> d_query = filled<T>(in.queries * in.head_dim, T(0)), d_key = filled<T>(in.keys * in.head_dim, T(0));
  std::vector<T> d_value = filled<T>(in.keys * in.value_dim, T(0)), d_bias{};

  explicit Gradients(FlashProblem<T>& problem) : in(problem) {}

  void run() {
    in.run();
    Workspace workspace(std::size_t{1} << 20);
    const auto scratch = FlashBackwardScratch<T>::make(
        in.head_dim, in.value_dim, [&]<class P>(P*& piece, Index count) { piece = workspace.take<P>(count); });
    FlashGradients<T> grad{.d_output = {d_output.data(), in.queries, in.value_dim, in.value_dim, 1},
                           .output = matrix(in.output, in.queries, in.value_dim),
                           .logsumexp = in.logsumexp.data(),
                           .d_query = matrix(d_query, in.queries, in.head_dim),
                           .d_key = matrix(d_key, in.keys, in.head_dim),
                           .d_value = matrix(d_value, in.keys, in.value_dim)};
    if (!d_bias.empty()) grad.d_bias = d_bias.data(), grad.d_bias_query_step = 0, grad.d_bias_key_step = 1;
    flash_backward(in.head, grad, scratch);
    for (T& x : d_query) x *= in.head.scale;
    for (T& x : d_key) x *= in.head.scale;
  }
  bool match_textbook() const {
    const auto q = in_double(in.query), k = in_double(in.key), v = in_double(in.value), up = in_double(d_output);
    std::vector<double> out(in.output.size()), p(static_cast<std::size_t>(in.queries * in.keys));
    std::vector<double> dq(q.size()), dk(k.size()), dv(v.size());
    const auto visible = [&](Index i, Index j) { return in.head.visible(i, j); };
    const auto query = matrix(q, in.queries, in.head_dim), key = matrix(k, in.keys, in.head_dim);
    const auto value = matrix(v, in.keys, in.value_dim);
    reference::dot_product_attention(query, key, value, double(in.head.scale), visible,
                                     matrix(out, in.queries, in.value_dim), matrix(p, in.queries, in.keys), nullptr);
    reference::dot_product_attention_backward(query, key, value, double(in.head.scale), visible,
                                              matrix(std::as_const(p), in.queries, in.keys),
                                              matrix(up, in.queries, in.value_dim), matrix(dq, in.queries, in.head_dim),
                                              matrix(dk, in.keys, in.head_dim), matrix(dv, in.keys, in.value_dim));
    return all_close(d_query, dq) && all_close(d_key, dk) && all_close(d_value, dv);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("flash_backward matches the textbook over a grid with tails", "[kernels]", float, double) {
  FlashProblem<TestType> problem(GENERATE(1, 7, 65, 130), GENERATE(1, 129, 200), GENERATE(1, 21), GENERATE(3, 64));
  Gradients<TestType> grad(problem);
  grad.run();
  CHECK(grad.match_textbook());
}

TEMPLATE_TEST_CASE("flash_backward matches the textbook in every band", "[kernels]", float, double) {
  FlashProblem<TestType> problem(140, 205, 8, 6);
  problem.head.band.ahead = GENERATE(ScoreBand::unbounded, -7, 0, 40);
  problem.head.band.behind = GENERATE(ScoreBand::unbounded, 3, 100);
  problem.head.band.key_end = GENERATE(0, 150, 205);
  problem.head.band.query_end = GENERATE(0, 133);
  problem.head.scale = GENERATE(TestType(0.4), TestType(-0.7));
  Gradients<TestType> grad(problem);
  grad.run();
  CHECK(grad.match_textbook());
}

TEMPLATE_TEST_CASE("masked pairs pass nothing, whatever they hold, and the rest keeps its bits", "[kernels]", float,
                   double) {
  FlashProblem<TestType> clean(70, 140, 5, 20), dirty(70, 140, 5, 20);
  std::vector<std::uint8_t> allowed(70 * 140, 1);
  for (Index i = 0; i < 70; ++i)
    for (Index j = 0; j < 140; ++j)
      allowed[std::size_t(i * 140 + j)] = j != 20 && j < 137 && i != 30 && (i + j) % 5 != 0;
  for (FlashProblem<TestType>* p : {&clean, &dirty})
    p->head.terms = {.allowed = allowed.data(), .allowed_query_step = 140, .allowed_key_step = 1};
  Gradients<TestType> wanted(clean), found(dirty);
  const TestType poison = GENERATE(not_a_number<TestType>, infinite<TestType>, std::numeric_limits<TestType>::max());
  for (const Index j : {20, 137, 139}) {
    std::fill_n(dirty.key.begin() + j * 5, 5, poison);
    std::fill_n(dirty.value.begin() + j * 20, 20, poison);
  }
  std::fill_n(dirty.query.begin() + 30 * 5, 5, poison);
  std::fill_n(found.d_output.begin() + 30 * 20, 20, poison);
  wanted.run();
  found.run();
  CHECK(all_same_bits(found.d_query, wanted.d_query));
  CHECK(all_same_bits(found.d_key, wanted.d_key));
  CHECK(all_same_bits(found.d_value, wanted.d_value));
}

TEST_CASE("the bias gradient is the score gradient, summed where the bias repeats", "[kernels]") {
  FlashProblem<double> problem(9, 120, 6, 3);
  auto bias = random_numbers<double>(120, 5);
  problem.head.terms = {.bias = bias.data(), .bias_query_step = 0, .bias_key_step = 1};
  Gradients<double> grad(problem);
  grad.d_bias = filled<double>(120, 0.0);
  grad.run();
  const auto loss = [&] {
    problem.run();
    return weighted_sum(grad.d_output, problem.output);
  };
  CHECK(gradient_error(bias, grad.d_bias, loss) < gradient_tolerance);
}
