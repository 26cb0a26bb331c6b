#include <heed/attention/adaptive_span.hpp>

#include <heed/nn/gradient_check.hpp>

#include "attention/modifier_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

AdaptiveSpan<double> spans() {
  AdaptiveSpan<double> span({.heads = 4, .max_span = 20, .ramp = 6});
  span.fraction.setValues({0.0, 0.11, 0.37, 1.0});
  return span;
}

}  // namespace

TEST_CASE("weights follow the paper's masking function", "[attention]") {
  const Problem<double> in(1, 17, 17);
  const auto span = spans();
  const auto plain = attend(in.query, in.key, in.value, {.mask = causal(), .return_weights = true});
  const auto found = attend(in.query, in.key, in.value, {.mask = causal(), .return_weights = true}, span);
  double worst = 0;
  for (Index h = 0; h < 4; ++h) {
    for (Index i = 0; i < 17; ++i) {
      const auto m = [&](Index j) { return std::clamp((6 + 20 * span.fraction(h) - double(i - j)) / 6, 0.0, 1.0); };
      double total = 0;
      for (Index j = 0; j <= i; ++j) total += m(j) * plain.weights(0, h, i, j);
      for (Index j = 0; j <= i; ++j) {
        worst = std::max(worst, std::abs(found.weights(0, h, i, j) - m(j) * plain.weights(0, h, i, j) / total));
      }
    }
  }
  CHECK(worst <= tolerance<double>());
}

TEST_CASE("the gradients of spans, queries, keys and values equal central differences", "[attention]") {
  Problem<double> in(2, 11, 11);
  auto span = spans();
  span.fraction(3) = 0.8;  // at the edge of the clamp a difference has two sides
  span.fraction(0) = 0.02;
  const AttentionOptions<double> options{.mask = causal(), .return_logsumexp = true};
  const auto forward = attend(in.query, in.key, in.value, options, span);
  auto grad = zeros_like(span);
  auto found = attend_backward(in.d_output, in.query, in.key, in.value, forward, options, score(span, grad));
  const auto result = check_gradients(
      span, grad, [&] { return in.loss({.mask = causal()}, span); }, std::tie(in.query, found.query),
      std::tie(in.key, found.key), std::tie(in.value, found.value));
  INFO(result.worst_name << " " << result.worst_element);
  CHECK(result.worst_error < 1e-8);
  CHECK(grad.fraction(1) != 0);
}

TEST_CASE("a window of the farthest reach spares work and changes no result", "[attention]") {
  const Problem<float> in(1, 150, 150);
  AdaptiveSpan<float> span({.heads = 4, .max_span = 20, .ramp = 6, .fraction = 0.5});
  CHECK(span.reach() == 15);
  const auto all = attend(in.query, in.key, in.value, {.mask = causal()}, span);
  const auto near = attend(in.query, in.key, in.value, {.mask = causal() & window(span.reach(), 0)}, span);
  CHECK(all_close(flat(near.output), flat(all.output)));
  const auto cut = attend(in.query, in.key, in.value, {.mask = causal() & window(span.reach() - 1, 0)}, span);
  CHECK_FALSE(all_close(flat(cut.output), flat(all.output)));
}

TEST_CASE("the penalty is the mean span, and clamp brings fractions back", "[attention]") {
  auto span = spans(), grad = zeros_like(span);
  const double before = span.add_penalty(0.5, grad);
  CHECK(before == Approx(0.5 * 20 * (0.11 + 0.37 + 1.0) / 4));
  span.fraction(1) += 1e-3;
  auto ignored = grad;
  CHECK(span.add_penalty(0.5, ignored) - before == Approx(1e-3 * grad.fraction(1)));
  span.fraction(0) = -0.5;
  span.fraction(3) = 1.5;
  CHECK(span.span(3) == 20);
  span.clamp();
  CHECK(span.fraction(0) == 0);
  CHECK(span.fraction(3) == 1);
  CHECK(span.fraction(2) == 0.37);
}

TEST_CASE("an adaptive span refuses sizes that make no sense", "[attention]") {
  using Span = AdaptiveSpan<float>;
  CHECK_THROWS_WITH(Span({.heads = 0, .max_span = 5}),
                    "AdaptiveSpan: heads is 0, max_span 5 and ramp 32, wanted all positive");
  CHECK_THROWS_AS(Span({.heads = 1, .max_span = 5, .ramp = 0}), Error);
  CHECK_THROWS_AS(Span({.heads = 1, .max_span = 5, .fraction = 1.5}), Error);
}
