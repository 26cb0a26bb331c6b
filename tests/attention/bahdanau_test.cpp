#include <heed/attention/bahdanau.hpp>

#include <heed/kernels/reference_attention.hpp>

#include "attention/reader_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
BahdanauAttention<T> layer(Index units, Index query_dim, Index key_dim, bool normalized = false) {
  Rng rng{7, 0};
  BahdanauAttention<T> made({.units = units,
                             .query_dim = query_dim,
                             .key_dim = key_dim,
                             .score_bias = true,
                             .weight_normalization = normalized},
                            rng);
  made.query.bias = random_tensor<T, 1>({units}, 21);
  made.key.bias = random_tensor<T, 1>({units}, 22);
  if (normalized) made.score.gain(0) = T(1.7);
  return made;
}

/// x (rows, in) weight^T + bias in double.
template <class T>
std::vector<double> projected(const Projection<T>& p, const T* x, Index rows) {
  std::vector<double> y;
  for (Index r = 0; r < rows; ++r) {
    for (Index u = 0; u < p.out_features(); ++u) {
      double sum = p.bias(u);
      for (Index d = 0; d < p.in_features(); ++d) sum += double(p.weight(u, d)) * double(x[r * p.in_features() + d]);
      y.push_back(sum);
    }
  }
  return y;
}

}  // namespace

TEMPLATE_TEST_CASE("BahdanauAttention matches the textbook for every source length", "[attention]", float, double) {
  const Index units = GENERATE(1, 17, 64), batch = 3, length = 2, key_length = 23;
  const auto attention = layer<TestType>(units, 6, 9);
  const Source<TestType> in(batch, length, key_length, 6, 9);
  const std::vector<Index> lengths{23, 8, 0};
  const auto read = attention.forward(in.state, attention.project(in.keys), in.values, lengths);
  const auto values = in_double(in.values);
  std::vector<double> v;
  for (Index u = 0; u < units; ++u) v.push_back(attention.score.weight(0, u));
  for (Index b = 0; b < batch; ++b) {
    const auto query = projected(attention.query, in.state.data() + b * length * 6, length);
    const auto key = projected(attention.key, in.keys.data() + b * key_length * 9, key_length);
    Tensor<double, 2> context(length, 5), weights(length, key_length);
    reference::additive_attention({query.data(), length, units}, {key.data(), key_length, units}, v.data(),
                                  {values.data() + b * key_length * 5, key_length, 5},
                                  reference::KeyLength{lengths[std::size_t(b)]}, as_matrix(context),
                                  as_matrix(weights));
    CHECK(close_tensor(Tensor<TestType, 2>(read.context.chip(b, 0)), context));
    CHECK(close_tensor(Tensor<TestType, 2>(read.weights.chip(b, 0)), weights));
  }
}

TEST_CASE("BahdanauAttention's gradients agree with central differences", "[attention]") {
  const std::vector<Index> lengths{4, 2};
  const Source<double> in(2, 2, 4, 3, 5, 5);
  check_gradients(layer<double>(6, 3, 5), in, key_lengths(lengths));
  check_gradients(layer<double>(6, 3, 5, true), in, causal(Corner::bottom_right) & window(1, 0));
}

TEMPLATE_TEST_CASE("one step at a time gives the bits of all queries at once, backward too", "[attention]", float,
                   double) {
  const auto attention = layer<TestType>(20, 6, 9);
  const Source<TestType> in(3, 4, 11, 6, 9);
  const std::vector<Index> lengths{11, 5, 1};
  const auto memory = attention.project(in.keys);
  const auto whole = attention.forward(in.state, memory, in.values, lengths);
  const auto wanted = gradients_of(attention, in, key_lengths(lengths));
  auto grad = zeros_like(attention);
  auto memory_grad = zero_memory_gradient(memory, in.values);
  for (Index i = 0; i < 4; ++i) {
    const Tensor<TestType, 2> state = in.state.chip(i, 1), d_context = in.d_context.chip(i, 1);
    const Tensor<TestType, 2> d_weights = in.d_weights.chip(i, 1);
    typename BahdanauAttention<TestType>::Cache cache;
    const auto step = attention.forward(state, memory, in.values, lengths, &cache);
    CHECK(same_tensor(step.context, Tensor<TestType, 2>(whole.context.chip(i, 1))));
    CHECK(same_tensor(step.weights, Tensor<TestType, 2>(whole.weights.chip(i, 1))));
    const auto d_state = attention.backward(d_context, cache, memory, in.values, lengths, grad, memory_grad, d_weights);
    CHECK(same_tensor(d_state, Tensor<TestType, 2>(wanted.state.chip(i, 1))));
  }
  CHECK(same_tensor(memory_grad.values, wanted.values));
  CHECK(same_tensor(attention.project_backward(in.keys, memory_grad, grad), wanted.keys));
  CHECK(same_tensor(grad.key.weight, wanted.layer.key.weight));
  CHECK(close_tensor(grad.score.weight, in_double(wanted.layer.score.weight)));
}

TEMPLATE_TEST_CASE("BahdanauAttention's bits do not depend on batch, padding or poison", "[attention]", float, double) {
  check_sample_bits<BahdanauAttention<TestType>, TestType>(layer<TestType>(33, 6, 9), 6, 9);
  check_poison<BahdanauAttention<TestType>, TestType>(layer<TestType>(33, 6, 9), 6, 9);
}

TEMPLATE_TEST_CASE("BahdanauAttention takes every kind of mask", "[attention]", float, double) {
  check_masks<BahdanauAttention<TestType>, TestType>(layer<TestType>(18, 6, 9), 6, 9);
}

TEST_CASE("BahdanauAttention gives the same bits for any number of threads", "[attention]") {
  const auto attention = layer<float>(64, 48, 32);
  const Source<float> in(7, 3, 60, 48, 32);
  Serial serial;
  const auto memory = attention.project(in.keys, serial);
  BahdanauAttention<float>::Cache cache;
  const auto wanted = attention.forward(in.state, memory, in.values, {}, &cache, serial);
  auto grad = zeros_like(attention);
  auto memory_grad = zero_memory_gradient(memory, in.values);
  const auto d_state =
      attention.backward(in.d_context, cache, memory, in.values, {}, grad, memory_grad, in.d_weights, serial);
  for (const Index threads : {2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(same_tensor(attention.project(in.keys, pool), memory));
    CHECK(same_tensor(attention.forward(in.state, memory, in.values, {}, nullptr, pool).context, wanted.context));
    auto again = zeros_like(attention);
    auto memory_again = zero_memory_gradient(memory, in.values);
    CHECK(same_tensor(
        attention.backward(in.d_context, cache, memory, in.values, {}, again, memory_again, in.d_weights, pool),
        d_state));
    CHECK(same_tensor(memory_again.memory, memory_grad.memory));
    CHECK(same_tensor(again.score.weight, grad.score.weight));
    CHECK(same_tensor(again.query.weight, grad.query.weight));
  }
}

TEST_CASE("forward_into writes what forward returns, into strided memory too", "[attention]") {
  const auto attention = layer<float>(20, 6, 9);
  const Source<float> in(3, 4, 11, 6, 9);
  const auto memory = attention.project(in.keys);
  const auto wanted = attention.forward(in.state, memory, in.values);
  Tensor<float, 3> context(4, 3, 5), weights(4, 3, 11);  // steps first
  const Tensor<float, 3> state = in.state.shuffle(Eigen::array<int, 3>{1, 0, 2});
  const View<float, 3> context_view(context.data(), {3, 4, 5}, {5, 15, 1});
  const View<float, 3> weights_view(weights.data(), {3, 4, 11}, {11, 33, 1});
  const View<const float, 3> state_view(state.data(), {3, 4, 6}, {6, 18, 1});
  Workspace workspace(attention.workspace_bytes(12));
  Serial serial;
  for (int call = 0; call < 2; ++call) {
    attention.forward_into({context_view, weights_view}, state_view, memory, in.values, {}, workspace, serial);
  }
  CHECK(same_tensor(Tensor<float, 3>(context.shuffle(Eigen::array<int, 3>{1, 0, 2})), wanted.context));
  CHECK(same_tensor(Tensor<float, 3>(weights.shuffle(Eigen::array<int, 3>{1, 0, 2})), wanted.weights));
}

TEST_CASE("BahdanauAttention names its parameters and counts them", "[attention]") {
  const auto attention = layer<float>(4, 3, 5, true);
  std::vector<std::string> names;
  for_each_parameter([&](std::string_view name, Role, auto&) { names.emplace_back(name); }, attention);
  CHECK(names == std::vector<std::string>{"query.weight", "query.bias", "key.weight", "key.bias", "score.weight",
                                          "score.bias", "score.gain"});
  CHECK(parameter_count(attention) == 4 * 3 + 4 + 4 * 5 + 4 + 4 + 1 + 1);
  Rng rng;
  CHECK(parameter_count(BahdanauAttention<float>({.units = 4, .query_dim = 3, .key_dim = 5, .query_bias = false},
                                                 rng)) == 4 * 3 + 4 * 5 + 4 + 4);
}

TEST_CASE("BahdanauAttention refuses what does not fit, by name", "[attention]") {
  Rng rng;
  CHECK(mentions(error_of([&] { BahdanauAttention<float>({.units = 0, .query_dim = 3, .key_dim = 5}, rng); }),
                 {"units is 0", "positive"}));
  const auto attention = layer<float>(4, 3, 5);
  const Source<float> in(2, 1, 6, 3, 5);
  const auto memory = attention.project(in.keys);
  const auto refused = [&](const Tensor<float, 3>& state, const Tensor<float, 3>& m, const Tensor<float, 3>& values,
                           const Mask& mask = {}) {
    return error_of([&] { attention.forward(state, m, values, mask); });
  };
  CHECK(mentions(error_of([&] { attention.project(in.state); }), {"project", "keys has shape (2, 1, 3)", "5"}));
  CHECK(mentions(refused(in.keys, memory, in.values), {"forward", "state has shape (2, 6, 5)"}));
  CHECK(mentions(refused(in.state, in.keys, in.values), {"memory has shape (2, 6, 5)", "4"}));
  CHECK(mentions(refused(in.state, memory, corner(in.values, {2, 5, 5})), {"values has shape (2, 5, 5)", "6"}));
  CHECK(mentions(refused(corner(in.state, {1, 1, 3}), memory, in.values), {"memory has shape (2, 6, 4)", "1"}));
  const std::vector<Index> lengths{7, 1};
  CHECK(mentions(refused(in.state, memory, in.values, key_lengths(lengths)), {"key_lengths[0] is 7", "0 to 6"}));
  BahdanauAttention<float>::Cache cache;
  auto grad = attention;
  auto memory_grad = zero_memory_gradient(memory, in.values);
  CHECK(mentions(error_of([&] { attention.backward(in.d_context, cache, memory, in.values, {}, grad, memory_grad); }),
                 {"backward", "state has shape (0, 0, 0)"}));
  attention.forward(in.state, memory, in.values, {}, &cache);
  CHECK(mentions(error_of([&] { attention.backward(in.values, cache, memory, in.values, {}, grad, memory_grad); }),
                 {"d_context has shape (2, 6, 5)", "(2, 1, 5)"}));
  Tensor<float, 3> context(2, 1, 5), narrow(2, 1, 5), weights(2, 1, 6);
  context.setConstant(42);
  Workspace workspace(attention.workspace_bytes(2));
  Serial serial;
  CHECK(mentions(error_of([&] {
                   attention.forward_into({context, narrow}, in.state, memory, in.values, {}, workspace, serial);
                 }),
                 {"forward_into", "weights has shape (2, 1, 5)", "(2, 1, 6)"}));
  CHECK(context(0, 0, 0) == 42);
  Tensor<float, 3> both(2, 1, 11);  // room for context and weights that overlap
  const View<float, 3> left(both.data(), {2, 1, 5}, {11, 11, 1}), right(both.data() + 4, {2, 1, 6}, {11, 11, 1});
  CHECK(mentions(error_of([&] {
                   attention.forward_into({left, right}, in.state, memory, in.values, {}, workspace, serial);
                 }),
                 {"forward_into", "context overlaps weights"}));
  const View<float, 3> piled(both.data(), {2, 1, 5}, {0, 0, 1});
  CHECK(mentions(error_of([&] {
                   attention.forward_into({piled, weights}, in.state, memory, in.values, {}, workspace, serial);
                 }),
                 {"context has strides (0, 0, 1)"}));
}
