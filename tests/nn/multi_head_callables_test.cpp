// Score and mask callables handed to multi-head attention in its options.
#include <heed/nn/multi_head_step.hpp>

#include <array>

#include <heed/attention/position.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/nn/transformer_encoder_layer.hpp>

#include "nn/transformer_layer_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

using Layer = MultiHeadAttention<double>;

/// score + gain[head] tanh(score) - slope[head] |position - key|, all learned.
struct Gate {
  Tensor<double, 1> gain = Tensor<double, 1>(4), slope = Tensor<double, 1>(4);
  static void fields(auto&& visit, auto&... self) {
    visit("gain", self.gain...);
    visit("slope", self.slope...);
  }
  auto operator()(auto score, auto at) const {
    return score + gain(at.head) * heed::tanh(score) - slope(at.head) * distance(at);
  }
  void backward(double score, auto at, double d_score, Gate& grad) const {
    grad.gain(at.head) += d_score * heed::tanh(score);
    grad.slope(at.head) -= d_score * distance(at);
  }
};
Gate random_gate() { return with_random_parameters(Gate{}); }

Layer make(const ExtraKeys& extra = {}) {
  Rng rng{7, 0};
  return with_random_parameters(
      Layer({.model_dim = 8, .heads = 4, .kv_heads = 2, .head_dim = 3, .extra_keys = extra}, rng));
}

/// The query's own place and the two before it.
const auto recent = [](auto at) { return at.key > at.position - 3; };

struct Both {
  Layer layer;
  Gate gate;
  static void fields(auto&& visit, auto&... self) {
    visit("layer", self.layer...);
    visit("gate", self.gate...);
  }
};

struct Results {
  Tensor<double, 3> output, d_x;
  Layer grad;
};
Results run(const Layer& layer, const Tensor<double, 3>& x, const MultiHeadOptions<double>& options) {
  Layer::Cache cache;
  Results results{layer.forward(x, options, &cache).output, {}, zeros_like(layer)};
  const auto d_output = random_tensor<double>(9, 2, 7, 8);
  results.d_x = layer.backward(d_output, cache, options, results.grad).query;
  return results;
}
void check_close(const Results& a, const Results& b) {
  CHECK(all_close(flat(a.output), flat(b.output)));
  CHECK(all_close(flat(a.d_x), flat(b.d_x)));
  CHECK(all_close(flat(a.grad.in_proj.in_proj_weight), flat(b.grad.in_proj.in_proj_weight)));
}

}  // namespace

TEST_CASE("a callable in a layer's options is the option of the same meaning", "[nn]") {
  const auto layer = make();
  const auto x = random_tensor<double>(1, 2, 7, 8);
  SECTION("ALiBi") {
    const auto slopes = alibi_slopes<double>(4);
    check_close(run(layer, x, {.mask = causal(), .callables = callables<double>([&](auto score, auto at) {
                                 return score - slopes(at.head) * distance(at);
                               })}),
                run(layer, x, {.mask = causal(), .alibi_slopes = slopes}));
  }
  SECTION("soft cap") {
    check_close(run(layer, x, {.callables = callables<double>([](auto score, auto) {
                                 return 1.5 * heed::tanh(score / 1.5);
                               })}),
                run(layer, x, {.softcap = 1.5}));
  }
  SECTION("a window, beside a score that changes nothing") {
    check_close(run(layer, x, {.mask = causal(), .callables = callables<double>(mask(recent), [](auto score, auto) {
                                                   return score;
                                                 })}),
                run(layer, x, {.mask = causal() & window(2, 0)}));
  }
}

TEST_CASE("a layer with callables is its formula", "[nn]") {
  const auto layer = make();
  const auto gate = random_gate();
  const auto x = random_tensor<double>(1, 2, 7, 8);
  Layer::Cache cache;
  const auto result = layer.forward(
      x, {.mask = causal(), .callables = callables<double>(gate, mask(recent)), .return_weights = true}, &cache);
  constexpr std::array<std::array<Index, 3>, 3> rows{{{0, 0, 6}, {1, 3, 4}, {1, 1, 0}}};
  for (const auto& [b, h, i] : rows) {
    double weights[7] = {}, sum = 0;
    for (Index j = std::max<Index>(i - 2, 0); j <= i; ++j) {
      double s = 0;
      for (Index d = 0; d < 3; ++d) s += cache.query(b, i, h * 3 + d) * cache.key(b, j, h / 2 * 3 + d) / std::sqrt(3.0);
      sum += weights[j] = std::exp(s + gate.gain(h) * std::tanh(s) - gate.slope(h) * static_cast<double>(i - j));
    }
    for (Index j = 0; j < 7; ++j) CHECK(close(result.weights(b, h, i, j), weights[j] / sum));
  }
}

TEST_CASE("gradients with a callable, its own parameters' too, equal central differences", "[nn]") {
  const bool extra = GENERATE(false, true);
  Both both{make({.learned = extra ? 1 : 0, .zeros = extra ? 1 : 0}), random_gate()};
  auto x = random_tensor<double>(1, 2, 7, 8);
  const auto d_output = random_tensor<double>(9, 2, 7, 8);
  const std::vector<Index> lengths{7, 4};
  MultiHeadOptions<double> options{.mask = key_lengths(lengths)};
  const auto loss = [&] {
    MultiHeadOptions<double> own = options;
    auto bound = callables<double>(both.gate);
    own.callables = bound;
    return weighted_total(both.layer.forward(x, own).output, d_output);
  };
  Both grad = zeros_like(both);
  auto bound = callables<double>(score(both.gate, grad.gate));
  options.callables = bound;
  Layer::Cache cache;
  both.layer.forward(x, options, &cache);
  auto d_x = both.layer.backward(d_output, cache, options, grad.layer).query;
  const auto found = check_gradients(both, grad, loss, std::tie(x, d_x));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
  CHECK(grad.gate.slope(3) != 0);
}

TEST_CASE("callables do not depend on threads, and steps with a cache see them where they stand", "[nn]") {
  const auto layer = make();
  const auto gate = random_gate();
  const auto x = random_tensor<double>(1, 2, 7, 8);
  auto bound = callables<double>(gate, mask(recent));
  const MultiHeadOptions<double> options{.mask = causal(Corner::bottom_right), .callables = bound};
  ThreadPool pool(3);
  Serial serial;
  const auto whole = layer.forward(x, options, nullptr, serial).output;
  CHECK(all_same_bits(flat(layer.forward(x, options, nullptr, pool).output), flat(whole)));
  KeyValueCache<double> past({.batch = 2, .kv_heads = 2, .head_dim = 3, .value_dim = 3, .capacity = 7});
  Workspace workspace(step_workspace_bytes(layer, {2, 1}, 7, 1));
  for (Index t = 0; t < 7; ++t) {
    const auto step = step_of(x, t);
    Tensor<double, 3> out(2, 1, 8);
    step_into<double>(layer, out, View<const double, 3>(step.data(), {2, 1, 8}), past, options, workspace, serial);
    for (Index b = 0; b < 2; ++b)
      for (Index o = 0; o < 8; ++o) CHECK(close(out(b, 0, o), whole(b, t, o)));
  }
}
