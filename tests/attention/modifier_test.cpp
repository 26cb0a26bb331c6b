#include <heed/attention/modifier.hpp>

#include <heed/attention/position.hpp>
#include <heed/core/thread_pool.hpp>

#include "attention/modifier_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// ALiBi whose slopes are learned: score - slope[head] |position - key|.
template <class T>
struct LearnedAlibi {
  Tensor<T, 1> slope;  // (heads)
  static void fields(auto&& visit, auto&... self) { visit("slope", self.slope...); }
  auto operator()(auto score, auto at) const { return score - slope(at.head) * distance(at); }
  void backward(T, auto at, T d_score, LearnedAlibi& grad) const { grad.slope(at.head) -= d_score * distance(at); }
};

/// A bias for every distance, learned: score + table[query - key + reach], the ends for all beyond.
template <class T>
struct RelativeTable {
  Tensor<T, 1> table;  // (2 reach + 1)
  T reach() const { return static_cast<T>((table.size() - 1) / 2); }
  static void fields(auto&& visit, auto&... self) { visit("table", self.table...); }
  auto operator()(auto score, auto at) const { return score + lookup(table, at.query - at.key + reach()); }
  void backward(T, auto at, T d_score, RelativeTable& grad) const {
    const T place = std::clamp(at.query - at.key, -reach(), reach()) + reach();
    grad.table(static_cast<Index>(place)) += d_score;
  }
};

/// score + height tanh(steepness score), both learned: nonlinear in the score and in a parameter.
template <class T>
struct TanhGate {
  Tensor<T, 1> height, steepness;  // (1)
  static void fields(auto&& visit, auto&... self) {
    visit("height", self.height...);
    visit("steepness", self.steepness..., Role::no_decay);
  }
  auto operator()(auto score, auto) const { return score + height(0) * heed::tanh(steepness(0) * score); }
  void backward(T score, auto, T d_score, TanhGate& grad) const {
    const T gate = heed::tanh(steepness(0) * score);
    grad.height(0) += d_score * gate;
    grad.steepness(0) += d_score * height(0) * (1 - gate * gate) * score;
  }
};

template <class T>
Tensor<T, 1> filled(Index size, T first, T step) {
  Tensor<T, 1> x(size);
  for (Index i = 0; i < size; ++i) x(i) = first + static_cast<T>(i) * step;
  return x;
}
template <class F>
F zero_of(F f) {
  detail::ClearFields clear;
  F::fields(clear, f);
  return f;
}

/// The backward's results for `options` and f, its parameters' gradient in `grad`, against central differences.
template <class F>
void check_gradients(Problem<double> in, const AttentionOptions<double>& options, F f) {
  AttentionOptions<double> all = options;
  all.return_logsumexp = true;
  F grad = zero_of(f);
  const auto forward = attend(in.query, in.key, in.value, all, f);
  const auto found = attend_backward(in.d_output, in.query, in.key, in.value, forward, all, score(f, grad));
  const auto loss = [&] { return in.loss(options, f); };
  check_central_differences(flat(in.query), flat(found.query), loss);
  check_central_differences(flat(in.key), flat(found.key), loss);
  check_central_differences(flat(in.value), flat(found.value), loss);
  F::fields([&](std::string_view, auto& x, auto& d_x,
                Role = Role::parameter) { check_central_differences(flat(x), flat(d_x), loss); }, f, grad);
}

}  // namespace

TEMPLATE_TEST_CASE("a score callable equals the option that it spells out", "[attention]", float, double) {
  using T = TestType;
  const Problem<T> in(2, 70, 140);
  const Mask mask = causal_offset(40) & window(90, 0);
  SECTION("ALiBi") {
    const auto slope = filled<T>(4, T(0.125), T(0.0625));
    check_close(in.attend({.mask = mask}, LearnedAlibi<T>{slope}), in.attend({.mask = mask, .alibi_slopes = slope}));
  }
  SECTION("soft cap") {
    const auto cap = [](auto s, auto) { return 2 * heed::tanh(s / 2); };
    check_close(in.attend({.mask = mask}, cap), in.attend({.mask = mask, .softcap = 2}));
  }
  SECTION("a bias") {
    const auto bias = random_tensor<T, 2>({70, 140}, 9);
    const auto add = [&](auto s, auto at) {
      return s + lookup(std::span(bias.data(), std::size_t(bias.size())), at.query * 140 + at.key);
    };
    check_close(in.attend({.mask = mask, .softcap = 3}, add), in.attend({.mask = mask, .softcap = 3, .bias = bias}));
  }
}

TEST_CASE("a score and a mask callable go together, before or behind each other, with an executor too", "[attention]") {
  const Problem<float> in(1, 66, 66);
  const auto slope = filled<float>(4, 0.5f, 0.25f);
  const auto alibi = [&](auto s, auto at) { return s - slope(at.head) * distance(at); };
  const auto past = [](auto at) { return at.key <= at.query; };
  const auto found = in.attend({}, alibi, mask(past));
  check_close(found, in.attend({.mask = causal(), .alibi_slopes = slope}));
  check_same_bits(found, in.attend({}, mask(past), score(alibi)));
  ThreadPool pool(3);
  CHECK(same_tensor(found.forward.output, attend(in.query, in.key, in.value, {}, pool, alibi, mask(past)).output));
}

TEST_CASE("callables see the sample, the head and the position", "[attention]") {
  const Problem<double> in(3, 5, 9);
  const auto mark = [](auto s, auto at) { return s * 0 + double(10 * at.batch + at.head) + at.position - at.query; };
  const auto found = attend(in.query, in.key, in.value, {.mask = causal_offset(4), .return_row_max = true}, mark);
  for (Index b = 0; b < 3; ++b)
    for (Index h = 0; h < 4; ++h) CHECK(found.row_max(b, h, 2) == double(10 * b + h) + 4);
}

TEST_CASE("one query against many keys is changed as many queries are", "[attention]") {
  const Problem<double> in(2, 1, 300);
  const auto slope = filled<double>(4, 0.01, 0.01);
  const auto options = AttentionOptions<double>{.mask = causal(Corner::bottom_right)};
  AttentionOptions<double> named = options;
  named.alibi_slopes = slope;
  check_close(in.attend(options, LearnedAlibi<double>{slope}), in.attend(named));
}

TEST_CASE("gradients through a learned slope", "[attention]") {
  check_gradients(Problem<double>(2, 7, 9, 3, 2), {.mask = causal_offset(3)},
                  LearnedAlibi<double>{filled<double>(4, 0.3, 0.1)});
}
TEST_CASE("gradients through a learned relative table, under a soft cap", "[attention]") {
  check_gradients(Problem<double>(1, 6, 8, 3, 2), {.softcap = 1.5}, RelativeTable<double>{filled<double>(7, -0.5, 0.2)});
}
TEST_CASE("gradients through a learned tanh gate, under a soft cap, with dropout and lengths", "[attention]") {
  const std::vector<Index> lengths{8, 5};
  check_gradients(Problem<double>(2, 7, 8, 3, 2),
                  {.mask = key_lengths(lengths), .softcap = 2, .dropout = {0.3, Rng{5}}},
                  TanhGate<double>{filled<double>(1, 0.7, 0), filled<double>(1, 1.3, 0)});
}
TEST_CASE("gradients of one query through a learned tanh gate", "[attention]") {
  check_gradients(Problem<double>(1, 1, 8, 3, 2), {}, TanhGate<double>{filled<double>(1, 0.7, 0), filled<double>(1, 1.3, 0)});
}

TEST_CASE("parameter gradients add to what is there and have the same bits for any executor", "[attention]") {
  Problem<float> in(3, 130, 130);
  const RelativeTable<float> table{filled<float>(21, -0.5f, 0.05f)};
  AttentionOptions<float> options{.mask = causal(), .return_logsumexp = true};
  const auto forward = attend(in.query, in.key, in.value, options, table);
  const auto gradient = [&](ExecutorRef executor, float start) {
    RelativeTable<float> grad{filled<float>(21, start, 0)};
    attend_backward(in.d_output, in.query, in.key, in.value, forward, options, executor, score(table, grad));
    return grad.table;
  };
  Serial serial;
  ThreadPool pool(4);
  const auto wanted = gradient(serial, 0);
  CHECK(same_tensor(gradient(pool, 0), wanted));
  const auto raised = gradient(pool, 1);
  for (Index i = 0; i < 21; ++i) CHECK(close(raised(i), 1.0 + double(wanted(i))));
}

TEST_CASE("what callables hide passes nothing to parameters, whatever it holds", "[attention]") {
  Problem<double> in(1, 6, 8, 3, 2);
  const TanhGate<double> gate{filled<double>(1, 0.7, 0), filled<double>(1, 1.3, 0)};
  const auto others = mask([](auto at) { return at.key != 2; });
  const AttentionOptions<double> options{.return_logsumexp = true};
  const auto run = [&] {
    TanhGate<double> grad = zero_of(gate);
    const auto forward = attend(in.query, in.key, in.value, options, gate, others);
    attend_backward(in.d_output, in.query, in.key, in.value, forward, options, score(gate, grad), others);
    return grad;
  };
  const auto wanted = run();
  for (Index h = 0; h < 2; ++h)
    for (Index d = 0; d < 2; ++d) in.key(0, h, 2, d) = in.value(0, h, 2, d) = not_a_number<double>;
  const auto poisoned = run();
  CHECK(same_tensor(poisoned.height, wanted.height));
  CHECK(same_tensor(poisoned.steepness, wanted.steepness));
}

TEST_CASE("sequences whose positions are not exact are refused with a callable", "[attention]") {
  const float one = 1;
  const Index longest = Index{1} << 24;
  const auto attend_to = [&](Index keys, Index offset) {
    const View<const float, 4> query(&one, {1, 1, 1, 1}, {0, 0, 0, 0}), key(&one, {1, 1, keys, 1}, {0, 0, 0, 0});
    return error_of([&] {
      const AttentionCall<float> call("attend", query, key, key, {.mask = causal_offset(offset)});
      const ScoreModifier<float> modifier;
      AttentionCall<float>("attend", query, key, key, {.mask = causal_offset(offset)}, &modifier);
    });
  };
  CHECK(attend_to(longest, 0).empty());
  CHECK(mentions(attend_to(longest + 1, 0), {"attend", "16777217", "16777216"}));
  CHECK(mentions(attend_to(8, longest), {"attend", "16777217", "16777216"}));
}

TEST_CASE("attend_into and its backward take callables", "[attention]") {
  const Problem<float> in(1, 70, 70);
  const auto wanted = in.attend({}, [](auto s, auto at) { return s - 0.1f * distance(at); });
  Serial serial;
  const AttentionShape shape{1, 4, 2, 70, 70, 8, 6};
  Workspace workspace(backward_workspace_bytes<float>(shape, {}, 1) + workspace_bytes<float>(shape, {}, 1));
  Tensor<float, 4> output(shape.output()), d_query(shape.query()), d_key(shape.key()), d_value(shape.value());
  Tensor<float, 3> logsumexp(shape.logsumexp());
  const AttentionOutputs<float> outputs{.output = output, .logsumexp = logsumexp};
  const auto decay = [](auto s, auto at) { return s - 0.1f * distance(at); };
  attend_into(outputs, in.query, in.key, in.value, {}, workspace, serial, decay);
  attend_backward_into<float>({d_query, d_key, d_value}, in.d_output, in.query, in.key, in.value, outputs, {}, workspace,
                              serial, decay);
  CHECK(same_tensor(output, wanted.forward.output));
  CHECK(same_tensor(d_query, wanted.gradients.query));
  CHECK(same_tensor(d_key, wanted.gradients.key));
  CHECK(same_tensor(d_value, wanted.gradients.value));
}
