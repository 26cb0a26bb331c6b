#include <heed/nn/multi_head_passage.hpp>

#include "attention/attention_testing.hpp"

using namespace heed_test;
using heed::View;
using heed::detail::InferenceMemory;
using heed::detail::split_heads;

namespace {

/// Heads (batch, heads, length, dim) of columns (batch, length, heads dim), copied.
Tensor<double, 4> copied_heads(const Tensor<double, 3>& x, Index heads) {
  const Index dim = x.dimension(2) / heads;
  Tensor<double, 4> y(x.dimension(0), heads, x.dimension(1), dim);
  for (Index b = 0; b < y.dimension(0); ++b)
    for (Index h = 0; h < heads; ++h)
      for (Index t = 0; t < y.dimension(2); ++t)
        for (Index d = 0; d < dim; ++d) y(b, h, t, d) = x(b, t, h * dim + d);
  return y;
}

/// What MultiHeadAttention keeps of a forward.
struct State {
  Tensor<double, 3> query, attended, logsumexp;
};

struct Projected {
  Tensor<double, 3> query = random_tensor<double, 3>({2, 5, 4 * 3}, 1);
  Tensor<double, 3> key = random_tensor<double, 3>({2, 7, 2 * 3}, 2), value = random_tensor<double, 3>({2, 7, 2 * 6}, 3);
  View<const double, 4> keys() const { return split_heads<const double>(View<const double, 3>(key), 2); }
  View<const double, 4> values() const { return split_heads<const double>(View<const double, 3>(value), 2); }
  heed::AttentionResult<double> wanted(const heed::AttentionOptions<double>& options) const {
    return heed::attend(copied_heads(query, 4), copied_heads(key, 2), copied_heads(value, 2), options);
  }
};

}  // namespace

TEST_CASE("heads are read and written where the projections put them, weights where there is room for them", "[nn]") {
  Projected in;
  State state{in.query, Tensor<double, 3>(2, 5, 4 * 6), Tensor<double, 3>(2, 4, 5)};
  Tensor<double, 4> weights(2, 4, 5, 7), none;
  heed::Serial serial;
  const heed::AttentionOptions<double> options{.mask = heed::causal(heed::Corner::bottom_right)};
  auto all = options;
  all.path = heed::QueryPath::block;
  all.return_weights = all.return_logsumexp = true;
  const auto wanted = in.wanted(all);
  const heed::detail::Passage<double> passage{state.query, state.attended, state.logsumexp};
  heed::detail::attend_heads<double>(passage, 4, in.keys(), in.values(), options, weights, {}, serial);
  CHECK(same_tensor(copied_heads(state.attended, 4), wanted.output));
  CHECK(same_tensor(weights, wanted.weights));
  CHECK(same_tensor(state.logsumexp, wanted.logsumexp));
  state.attended.setZero();
  heed::detail::attend_heads<double>(passage, 4, in.keys(), in.values(), options, none, {}, serial);
  CHECK(same_tensor(copied_heads(state.attended, 4), wanted.output));
}

TEST_CASE("gradients go to where the heads are", "[nn]") {
  Projected in;
  heed::Serial serial;
  heed::AttentionOptions<double> options{.softcap = 2, .path = heed::QueryPath::block, .return_logsumexp = true};
  const auto forward = in.wanted(options);
  State state{in.query, Tensor<double, 3>(2, 5, 4 * 6), forward.logsumexp};
  Tensor<double, 4> none;
  heed::detail::attend_heads<double>({state.query, state.attended, state.logsumexp}, 4, in.keys(), in.values(), options,
                                     none, {}, serial);
  const auto d_attended = random_tensor<double, 3>({2, 5, 4 * 6}, 4);
  const auto wanted = heed::attend_backward(copied_heads(d_attended, 4), copied_heads(in.query, 4), copied_heads(in.key, 2),
                                            copied_heads(in.value, 2), forward, options);
  Tensor<double, 3> d_query(2, 5, 12), d_key(2, 7, 6), d_value(2, 7, 12);
  const heed::AttentionGradientViews<double> gradients{.query = split_heads<double>(d_query, 4),
                                                       .key = split_heads<double>(d_key, 2),
                                                       .value = split_heads<double>(d_value, 2)};
  heed::detail::attend_heads_back<double>(gradients, d_attended, 4, state, in.keys(), in.values(), options, {}, serial);
  CHECK(same_tensor(copied_heads(d_query, 4), wanted.query));
  CHECK(same_tensor(copied_heads(d_key, 2), wanted.key));
  CHECK(same_tensor(copied_heads(d_value, 2), wanted.value));
}

TEST_CASE("an inference's memory is the thread's, unless it is too much to keep", "[nn]") {
  constexpr Index some = 1000, much = Index{17} << 20;  // floats: more than 64 MiB
  const auto bytes = [](Index count) { return heed::Workspace::rounded<float>(count); };
  const auto first = [&](Index count) {
    InferenceMemory memory(bytes(count));
    float* const data = memory.take<float>(count);
    data[0] = data[count - 1] = 1;
    return data;
  };
  CHECK(first(some) == first(some));
  {
    InferenceMemory large(bytes(much));
    float* const all = large.take<float>(much);
    InferenceMemory small(bytes(some));
    float* const kept = small.take<float>(some);
    CHECK((kept < all || kept >= all + much));
    CHECK_THROWS_AS(small.take<float>(much), heed::Error);  // what is kept did not grow to the large call's size
  }
}
