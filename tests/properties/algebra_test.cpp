// What attention is, whatever computes it: identities between calls.

#include <heed/attention/attention_state.hpp>

#include <algorithm>
#include <numeric>

#include "properties/moved_problem.hpp"
#include "properties/random_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Elements `order` of one axis, where x has that axis.
template <class T>
Tensor<T, 4> along(const Tensor<T, 4>& x, int axis, const std::vector<Index>& order, Index extent) {
  if (x.size() == 0 || x.dimension(axis) != extent) return x;
  Extents<4> shape = extents(x);
  shape[std::size_t(axis)] = static_cast<Index>(order.size());
  Tensor<T, 4> moved(shape);
  for (std::size_t n = 0; n < order.size(); ++n) moved.chip(static_cast<Index>(n), axis) = x.chip(order[n], axis);
  return moved;
}
std::vector<Index> positions(Index first, Index count) {
  std::vector<Index> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), first);
  return all;
}

/// Keys in another order, or some of them, with everything that belongs to them. Only for what has no position.
template <class T>
AttentionProblem<T> with_keys(const AttentionProblem<T>& p, const std::vector<Index>& order) {
  const Index keys = p.key_length();
  AttentionProblem<T> moved = p;
  moved.key = along(p.key, 2, order, keys), moved.value = along(p.value, 2, order, keys);
  moved.bias = along(p.bias, 3, order, keys), moved.allowed = along(p.allowed, 3, order, keys);
  if (p.key_ids.size() > 0) {
    moved.key_ids = Tensor<Index, 2>(p.batch(), static_cast<Index>(order.size()));
    for (std::size_t n = 0; n < order.size(); ++n)
      moved.key_ids.chip(static_cast<Index>(n), 1) = p.key_ids.chip(order[n], 1);
  }
  return moved;
}

/// Any options but those that name positions of keys.
template <class T>
AttentionProblem<T> without_positions(std::uint64_t seed) {
  auto p = random_problem<T>(seed, Size::tiles);
  p.corner = {}, p.key_lengths.clear(), p.offsets.clear();
  p.slopes = {}, p.dropout = {};
  return p;
}

template <class A, class B>
bool near(const A& found, const B& wanted) {
  return all_close(flat(found), flat(wanted));
}

}  // namespace

TEMPLATE_TEST_CASE("attention over parts of the keys, joined, is attention over all of them", "[properties]", float,
                   double) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    auto p = without_positions<TestType>(seed);
    p.sink = {};
    INFO("seed " << seed << ": " << description(p));
    const auto whole = attend(p.query, p.key, p.value, p.options());
    const Index block = 1 + static_cast<Index>(seed * 7) % p.key_length();
    AttentionResult<TestType> joined;
    for (Index first = 0; first < p.key_length(); first += block) {
      const auto part = with_keys(p, positions(first, std::min(block, p.key_length() - first)));
      auto one = attend(part.query, part.key, part.value, part.options());
      first == 0 ? void(joined = std::move(one)) : merge_attention(joined, one);
    }
    CHECK(near(joined.output, whole.output));
    CHECK(near(joined.logsumexp, whole.logsumexp));
  }
}

TEMPLATE_TEST_CASE("a causal prefix has the bits of the shorter run, forward and backward", "[properties]", float,
                   double) {
  const Index length = GENERATE(1, 2, 63, 64, 65, 129);
  auto p = plain_problem<TestType>({2, 4, 2, 200, 200, 9, 6});
  p.corner = causal();
  p.slopes = random_tensor<TestType, 1>({4}, 3), p.softcap = 2;
  p.d_output.slice(Extents<4>{0, 0, length, 0}, Extents<4>{2, 4, 200 - length, 6}).setZero();
  auto shorter = p;
  for (Tensor<TestType, 4>* const x : {&shorter.query, &shorter.key, &shorter.value, &shorter.d_output})
    *x = along(*x, 2, positions(0, length), 200);
  const auto wanted = everything(shorter), found = leading(everything(p), wanted);
  CHECK(same_tensor(found.forward.output, wanted.forward.output));
  CHECK(same_tensor(found.forward.weights, wanted.forward.weights));
  CHECK(same_tensor(found.forward.logsumexp, wanted.forward.logsumexp));
  CHECK(same_tensor(found.forward.entropy, wanted.forward.entropy));
  CHECK(same_tensor(found.gradients.query, wanted.gradients.query));
  CHECK(near(found.gradients.key, wanted.gradients.key));
  CHECK(near(found.gradients.value, wanted.gradients.value));
}

TEMPLATE_TEST_CASE("keys in another order, with all that is theirs, change nothing but the rounding", "[properties]",
                   float, double) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const auto p = without_positions<TestType>(seed);
    INFO("seed " << seed << ": " << description(p));
    std::vector<Index> order = positions(0, p.key_length());
    Rng{seed, 9}.shuffle(order);
    const auto wanted = everything(p), found = everything(with_keys(p, order));
    CHECK(near(found.forward.output, wanted.forward.output));
    CHECK(near(found.forward.logsumexp, wanted.forward.logsumexp));
    CHECK(near(found.forward.weights, along(wanted.forward.weights, 3, order, p.key_length())));
    CHECK(near(found.gradients.query, wanted.gradients.query));
    CHECK(near(found.gradients.value, along(wanted.gradients.value, 2, order, p.key_length())));
  }
}

TEMPLATE_TEST_CASE("a query's bits depend on no other query", "[properties]", float, double) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    auto p = without_positions<TestType>(seed);
    p.allowed = {}, p.bias = {}, p.query_ids = {}, p.key_ids = {}, p.query_lengths.clear();
    std::vector<Index> order = positions(0, p.query_length());
    Rng{seed, 9}.shuffle(order);
    order.resize(static_cast<std::size_t>(std::max<Index>(2, p.query_length() / 2)));
    auto some = p;
    some.query = along(p.query, 2, order, p.query_length());
    some.d_output = along(p.d_output, 2, order, p.query_length());
    const auto wanted = everything(p), found = everything(some);
    CHECK(same_tensor(found.forward.output, along(wanted.forward.output, 2, order, p.query_length())));
    CHECK(same_tensor(found.forward.weights, along(wanted.forward.weights, 2, order, p.query_length())));
    CHECK(same_tensor(found.gradients.query, along(wanted.gradients.query, 2, order, p.query_length())));
  }
}

TEMPLATE_TEST_CASE("a constant added to a query's bias moves its logsumexp alone", "[properties]", float, double) {
  auto p = plain_problem<TestType>({2, 4, 2, 70, 131, 9, 6});
  p.bias = random_tensor<TestType, 4>({1, 4, 70, 131}, 5, 2);
  const auto wanted = everything(p);
  const auto constants = random_tensor<TestType, 2>({4, 70}, 6, 10);
  for (Index j = 0; j < 131; ++j) p.bias.chip(j, 3).chip(0, 0) += constants;
  const auto found = everything(p);
  CHECK(near(found.forward.output, wanted.forward.output));
  CHECK(near(found.forward.weights, wanted.forward.weights));
  CHECK(near(found.forward.entropy, wanted.forward.entropy));
  CHECK(near(found.gradients.key, wanted.gradients.key));
  Tensor<TestType, 3> moved = wanted.forward.logsumexp;
  for (Index b = 0; b < 2; ++b) moved.chip(b, 0) += constants;
  CHECK(near(found.forward.logsumexp, moved));
}

TEMPLATE_TEST_CASE("values scaled by a power of two scale the output to the bit", "[properties]", float, double) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto p = random_problem<TestType>(seed, seed % 2 == 0 ? Size::decode : Size::tiles);
    INFO("seed " << seed << ": " << description(p));
    const auto wanted = everything(p);
    p.value = p.value * TestType(-4);
    const auto found = everything(p);
    CHECK(near(found.forward.output, Tensor<TestType, 4>(wanted.forward.output * TestType(-4))));
    CHECK(largest_error(flat(found.forward.output), flat(Tensor<TestType, 4>(wanted.forward.output * TestType(-4)))) ==
          0);
    CHECK(largest_error(flat(found.gradients.query),
                        flat(Tensor<TestType, 4>(wanted.gradients.query * TestType(-4)))) == 0);
    CHECK(same_tensor(found.gradients.value, wanted.gradients.value));
    CHECK(same_tensor(found.forward.weights, wanted.forward.weights));
  }
}

TEMPLATE_TEST_CASE("heads that share keys are heads with copies of them, whose gradients add up", "[properties]", float,
                   double) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto p = random_problem<TestType>(seed, seed % 2 == 0 ? Size::decode : Size::tiles);
    INFO("seed " << seed << ": " << description(p));
    std::vector<Index> served;
    for (Index h = 0; h < p.heads(); ++h) served.push_back(p.kv_head(h));
    auto copies = p;
    copies.key = along(p.key, 1, served, p.key.dimension(1)),
    copies.value = along(p.value, 1, served, p.key.dimension(1));
    const auto found = everything(p), wanted = everything(copies);
    CHECK(same_tensor(found.forward.output, wanted.forward.output));
    CHECK(same_tensor(found.forward.weights, wanted.forward.weights));
    CHECK(same_tensor(found.gradients.query, wanted.gradients.query));
    Tensor<TestType, 4> d_value = zeros<TestType, 4>(extents(p.value));
    for (Index h = 0; h < p.heads(); ++h) d_value.chip(p.kv_head(h), 1) += wanted.gradients.value.chip(h, 1);
    CHECK(near(found.gradients.value, d_value));
  }
}

TEMPLATE_TEST_CASE("a sink is one more key with a value of zero", "[properties]", float, double) {
  auto p = plain_problem<TestType>({2, 4, 4, 70, 131, 9, 6});
  const auto sink = random_tensor<TestType, 1>({4}, 7, 2);
  auto longer = p;
  const Extents<4> key{2, 4, 132, 9}, value{2, 4, 132, 6};
  longer.key = grown(p.key, extents(p.key), key, TestType(0)),
  longer.value = grown(p.value, extents(p.value), value, TestType(0));
  longer.bias = zeros<TestType, 4>({1, 4, 1, 132});
  for (Index h = 0; h < 4; ++h) longer.bias(0, h, 0, 131) = sink(h);
  p.sink = sink;
  const auto found = everything(p), wanted = everything(longer);
  CHECK(near(found.forward.output, wanted.forward.output));
  CHECK(near(found.forward.logsumexp, wanted.forward.logsumexp));
  CHECK(near(found.gradients.query, wanted.gradients.query));
}
