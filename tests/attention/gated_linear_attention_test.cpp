#include <heed/attention/gated_linear_attention.hpp>

#include <heed/nn/gradient_check.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

namespace {

enum class Rule { linear, gated, gated_per_head, delta, delta_shared, gated_delta };
constexpr Rule rules[] = {Rule::linear, Rule::gated, Rule::gated_per_head, Rule::delta, Rule::delta_shared, Rule::gated_delta};

/// One call's operands: two key/value heads, four query heads.
template <class T>
struct Operands {
  Tensor<T, 4> query, key, value, decay, beta, state;
  bool decays, corrects;

  Operands(Rule rule, Index batch, Index steps, Index dim, Index width)
      : query(random_tensor<T>(1, batch, 4, steps, dim)),
        key(random_tensor<T>(2, batch, 2, steps, dim)),
        value(random_tensor<T>(3, batch, 2, steps, width)),
        decay(random_tensor<T>(4, batch, 2, steps, rule == Rule::gated_per_head ? 1 : dim)),
        beta(random_tensor<T>(5, batch, rule == Rule::delta_shared ? 1 : 2, steps, 1)),
        state(random_tensor<T>(6, batch, 2, dim, width)),
        decays(rule == Rule::gated || rule == Rule::gated_per_head || rule == Rule::gated_delta),
        corrects(rule == Rule::delta || rule == Rule::delta_shared || rule == Rule::gated_delta) {
    key = key * static_cast<T>(0.4 / std::sqrt(double(dim)));
    for (T& g : flat(decay)) g = -std::abs(g);
    for (T& b : flat(beta)) b = 1 / (1 + std::exp(-b));
  }
  GatedLinearOptions<T> options() const {
    return {.decay = decays ? &decay : nullptr, .beta = corrects ? &beta : nullptr, .state = &state};
  }
};

/// A layer without parameters: the gradient check's inputs are all there is.
struct Nothing {
  static void fields(auto&&, auto&...) {}
};

/// The recurrence as ONNX's text has it, in double.
template <class T>
GatedLinearResult<double> textbook(const Operands<T>& in, double scale) {
  const Index batch = in.query.dimension(0), steps = in.query.dimension(2), dim = in.query.dimension(3), width = in.value.dimension(3);
  GatedLinearResult<double> result{Tensor<double, 4>(batch, 4, steps, width), in.state.template cast<double>()};
  auto& s = result.state;
  for (Index b = 0; b < batch; ++b)
    for (Index g = 0; g < 2; ++g)
      for (Index t = 0; t < steps; ++t) {
        for (Index d = 0; d < dim && in.decays; ++d)
          for (Index e = 0; e < width; ++e) s(b, g, d, e) *= std::exp(double(in.decay(b, g, t, in.decay.dimension(3) == 1 ? 0 : d)));
        for (Index e = 0; e < width; ++e) {
          double error = double(in.value(b, g, t, e)), read = 0;
          for (Index d = 0; d < dim; ++d) read += s(b, g, d, e) * double(in.key(b, g, t, d));
          if (in.corrects) error = double(in.beta(b, in.beta.dimension(1) == 1 ? 0 : g, t, 0)) * (error - read);
          for (Index d = 0; d < dim; ++d) s(b, g, d, e) += double(in.key(b, g, t, d)) * error;
          for (Index h = 2 * g; h < 2 * g + 2; ++h) {
            double out = 0;
            for (Index d = 0; d < dim; ++d) out += s(b, g, d, e) * double(in.query(b, h, t, d));
            result.output(b, h, t, e) = scale * out;
          }
        }
      }
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("Gated linear attention is its recurrence", "[attention]", float, double) {
  using T = TestType;
  const Rule rule = GENERATE(from_range(std::begin(rules), std::end(rules)));
  const Index steps = GENERATE(0, 1, 9, 70), dim = GENERATE(1, 5), width = GENERATE(1, 19);
  const Operands<T> in(rule, 2, steps, dim, width);
  const auto found = gated_linear_attention(in.query, in.key, in.value, in.options());
  const auto wanted = textbook(in, 1 / std::sqrt(double(dim)));
  CHECK(heed_test::all_close(flat(found.output), flat(wanted.output)));
  CHECK(heed_test::all_close(flat(found.state), flat(wanted.state)));
}

TEST_CASE("Gated linear attention's gradients equal central differences", "[attention]") {
  const Rule rule = GENERATE(from_range(std::begin(rules), std::end(rules)));
  const Index steps = GENERATE(3, 67);
  Operands<double> in(rule, 2, steps, 3, 4);
  const std::vector<Index> lengths = {steps, steps - 2};
  const auto run = [&] {
    auto options = in.options();
    options.scale = 0.8, options.lengths = lengths;
    return gated_linear_attention(in.query, in.key, in.value, options);
  };
  const auto first = run();
  Tensor<double, 4> d_output = random_tensor<double>(7, 2, 4, steps, 4), d_state = random_tensor<double>(8, 2, 2, 3, 4);
  d_output = d_output * 0.2, d_state = d_state * 0.2;  // the loss is a sum of thousands: its rounding is the check's error
  auto options = in.options();
  options.scale = 0.8, options.lengths = lengths;
  auto d = gated_linear_attention_backward(d_output, in.query, in.key, in.value, options, &d_state);
  if (!in.decays) d.decay = zeros<double, 4>(extents(in.decay));
  if (!in.corrects) d.beta = zeros<double, 4>(extents(in.beta));
  Nothing nothing;
  const auto loss = [&] {
    const auto result = run();
    return heed_test::weighted_total(result.output, d_output) + heed_test::weighted_total(result.state, d_state);
  };
  const auto found = check_gradients(nothing, nothing, loss, std::tie(in.query, d.query), std::tie(in.key, d.key), std::tie(in.value, d.value),
                                     std::tie(in.decay, d.decay), std::tie(in.beta, d.beta), std::tie(in.state, d.state));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

TEST_CASE("The state that a call returns carries on in the next, bit for bit", "[attention]") {
  const Operands<float> in(Rule::gated_delta, 2, 40, 8, 17);
  const auto whole = gated_linear_attention(in.query, in.key, in.value, in.options());
  Tensor<float, 4> state = in.state;
  for (Index t = 0; t < 40; ++t) {
    const auto token = [&](const Tensor<float, 4>& x) -> Tensor<float, 4> {
      return x.slice(Extents<4>{0, 0, t, 0}, Extents<4>{x.dimension(0), x.dimension(1), 1, x.dimension(3)});
    };
    const auto decay = token(in.decay), beta = token(in.beta);
    auto step = gated_linear_attention(token(in.query), token(in.key), token(in.value), {.decay = &decay, .beta = &beta, .state = &state});
    CHECK(heed_test::all_same_bits(flat(step.output), flat(token(whole.output))));
    state = std::move(step.state);
  }
  CHECK(heed_test::all_same_bits(flat(state), flat(whole.state)));
}

TEST_CASE("Tokens behind a length reach nothing, and threads change no bit", "[attention]") {
  Operands<float> in(Rule::gated_delta, 2, 40, 4, 5);
  const std::vector<Index> lengths = {40, 33};
  auto d_output = random_tensor<float>(7, 2, 4, 40, 5);
  const auto run = [&](ExecutorRef executor) {
    auto options = in.options();
    options.lengths = lengths;
    const auto result = gated_linear_attention(in.query, in.key, in.value, options, executor);
    const auto d = gated_linear_attention_backward(d_output, in.query, in.key, in.value, options, nullptr, executor);
    std::vector<float> all;
    for (const auto* t : {&result.output, &result.state, &d.query, &d.key, &d.value, &d.decay, &d.beta, &d.state})
      all.insert(all.end(), t->data(), t->data() + t->size());
    return all;
  };
  Serial serial;
  ThreadPool pool(3);
  const auto before = run(serial);
  CHECK(heed_test::all_same_bits(run(pool), before));
  for (auto* x : {&in.query, &in.key, &in.value, &in.decay, &in.beta, &d_output})
    for (Index h = 0; h < x->dimension(1); ++h)
      for (Index t = 33; t < 40; ++t) x->chip(1, 0).chip(h, 0).chip(t, 0).setConstant(std::numeric_limits<float>::quiet_NaN());
  CHECK(heed_test::all_same_bits(run(serial), before));
}

TEST_CASE("Gated linear attention refuses what does not fit", "[attention]") {
  const Operands<float> in(Rule::linear, 2, 5, 3, 4);
  const auto refused = [&](const Tensor<float, 4>& query, const GatedLinearOptions<float>& options, const char* message) {
    CHECK_THROWS_WITH(gated_linear_attention(query, in.key, in.value, options), Catch::Contains(message));
  };
  refused(random_tensor<float>(1, 2, 3, 5, 3), {}, "query has 3 heads, wanted a multiple of the 2");
  refused(random_tensor<float>(1, 2, 4, 4, 3), {}, "key has shape (2, 2, 5, 3)");
  const auto decay = random_tensor<float>(1, 2, 2, 5, 2), beta = random_tensor<float>(1, 2, 3, 5, 1), state = random_tensor<float>(1, 2, 2, 3, 3);
  refused(in.query, {.decay = &decay}, "decay has shape (2, 2, 5, 2)");
  refused(in.query, {.beta = &beta}, "beta has shape (2, 3, 5, 1)");
  refused(in.query, {.state = &state}, "state has shape (2, 2, 3, 3)");
  const std::vector<Index> lengths = {5, 6};
  refused(in.query, {.lengths = lengths}, "lengths[1] is 6");
}
