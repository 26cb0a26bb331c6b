// SEMANTICS 14 to 16: grouped heads, ALiBi and rotary embeddings. 17 is dropout_test.cpp's.

#include <heed/attention/position.hpp>
#include <heed/attention/rotary.hpp>
#include <heed/nn/multi_head_attention.hpp>

#include "properties/moved_problem.hpp"
#include "properties/reference_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Heads [head, head + 1) of x.
template <class T>
Tensor<T, 4> head_of(const Tensor<T, 4>& x, Index head) {
  return Tensor<T, 4>(
      x.slice(Extents<4>{0, head, 0, 0}, Extents<4>{x.dimension(0), 1, x.dimension(2), x.dimension(3)}));
}

/// x turned by the angle of its position, pair by pair, in double.
template <class T>
double turned(const Tensor<T, 4>& x, Index t, Index d, Index rotary_dim, RotaryPairs pairs) {
  if (d >= rotary_dim) return double(x(1, 0, t, d));  // beyond the rotary dimension nothing turns
  const bool interleaved = pairs == RotaryPairs::interleaved;
  const Index half = rotary_dim / 2, pair = interleaved ? d / 2 : d % half;
  const bool first = interleaved ? d % 2 == 0 : d < half;
  const Index a = interleaved ? 2 * pair : pair, b = interleaved ? 2 * pair + 1 : pair + half;
  const double angle = double(t) * std::pow(10000.0, -2.0 * double(pair) / double(rotary_dim));
  const double xa = double(x(1, 0, t, a)), xb = double(x(1, 0, t, b));
  return first ? xa * std::cos(angle) - xb * std::sin(angle) : xb * std::cos(angle) + xa * std::sin(angle);
}

}  // namespace

TEMPLATE_TEST_CASE("semantics 14: query head h reads key/value head h / (H / G)", "[semantics]", float, double) {
  const Index kv_heads = GENERATE(1, 2, 3, 6);
  const auto p = plain_problem<TestType>({2, 6, kv_heads, GENERATE(1, 5), 70, 4, 3});
  const auto all = everything(p);
  for (Index h = 0; h < 6; ++h) {
    AttentionProblem<TestType> one;
    const Index g = h / (6 / kv_heads);
    one.query = head_of(p.query, h), one.d_output = head_of(p.d_output, h);
    one.key = head_of(p.key, g), one.value = head_of(p.value, g);
    const auto alone = everything(one);
    CHECK(same_tensor(alone.forward.output, head_of(all.forward.output, h)));
    CHECK(same_tensor(alone.forward.weights, head_of(all.forward.weights, h)));
    CHECK(same_tensor(alone.gradients.query, head_of(all.gradients.query, h)));
  }
  const ReferenceProblem wanted(in_double(p));
  CHECK(close_tensor(all.gradients.key, wanted.gradients.key));
  CHECK(close_tensor(all.gradients.value, wanted.gradients.value));
}

TEST_CASE("semantics 14: heads that are no multiple of the key/value heads are an error", "[semantics]") {
  const auto p = plain_problem<float>({1, 6, 4, 2, 3, 4, 3});
  CHECK(mentions(error_of([&] { attend(p.query, p.key, p.value); }), {"attend", "heads", "6", "4"}));
  Rng rng{1, 0};
  CHECK(mentions(error_of([&] { MultiHeadAttention<float>({.model_dim = 12, .heads = 6, .kv_heads = 4}, rng); }),
                 {"heads", "6", "4"}));
}

TEST_CASE("semantics 14: keys and values are never repeated in memory", "[semantics]") {
  const AttentionShape one{1, 1, 1, 4, 100000, 64, 64};
  AttentionShape shared = one;
  shared.heads = 32;  // all of them read one key head
  CHECK(workspace_bytes<float>(shared, {}, 1) <=
        workspace_bytes<float>(one, {}, 1));                                   // what a call may use beside its results
  CHECK(workspace_bytes<float>(shared, {}, 1) < 100000 * 64 * sizeof(float));  // not one copy of the keys
  Rng rng{1, 0};
  const MultiHeadAttention<float> layer({.model_dim = 16, .heads = 8, .kv_heads = 2}, rng);
  MultiHeadAttention<float>::Memory memory;
  const auto x = random_tensor<float, 3>({1, 5, 16}, 1);
  layer.project_memory(x, x, {}, memory);
  CHECK(extents(memory.key) == Extents<3>{1, 5, 4});
  CHECK(extents(memory.value) == Extents<3>{1, 5, 4});
}

TEMPLATE_TEST_CASE("semantics 15: ALiBi adds -slope |p - j|, p being the query and the causal offset", "[semantics]",
                   float, double) {
  auto p = plain_problem<TestType>({2, 4, 2, GENERATE(1, 6), 70, 4, 3});
  p.slopes = alibi_slopes<TestType>(4);
  SECTION("no offset: p is the query") {}
  SECTION("an offset") { p.corner = causal_offset(50); }
  SECTION("an offset per sample") { p.offsets = {10, 60}; }
  SECTION("the bottom right corner") { p.corner = causal(Corner::bottom_right); }
  const auto found = everything(p);
  const ReferenceProblem wanted(in_double(p));
  CHECK(close_tensor(found.forward.output, wanted.forward.output));
  CHECK(close_tensor(found.forward.logsumexp, wanted.forward.logsumexp));
  CHECK(close_tensor(found.gradients.query, wanted.gradients.query));
}

TEST_CASE("semantics 15: the default slopes are the published powers of two", "[semantics]") {
  const auto eight = alibi_slopes<double>(8);
  for (Index h = 0; h < 8; ++h) CHECK(eight(h) == std::ldexp(1.0, -int(h) - 1));
  const auto sixteen = alibi_slopes<double>(16);
  for (Index h = 0; h < 16; ++h) CHECK(close(sixteen(h), std::exp2(-0.5 * double(h + 1))));
  const auto twelve = alibi_slopes<double>(12);  // those of 8, then every other one of 16
  for (Index h = 0; h < 12; ++h) CHECK(twelve(h) == (h < 8 ? eight(h) : sixteen(2 * (h - 8))));
}

TEMPLATE_TEST_CASE("semantics 16: rotary embeddings in both pairings, whole or in part", "[semantics]", float, double) {
  const auto pairs = GENERATE(RotaryPairs::interleaved, RotaryPairs::halves);
  const Index rotary_dim = GENERATE(2, 6, 10);
  const auto x = random_tensor<TestType, 4>({2, 1, 9, 10}, 3);
  const auto table = rotary_table<TestType>(9, rotary_dim);
  const auto found = rotary_embedding(x, table, {.pairs = pairs});
  for (Index t = 0; t < 9; ++t)
    for (Index d = 0; d < 10; ++d) CHECK(close(found(1, 0, t, d), turned(x, t, d, rotary_dim, pairs)));
  for (Index t = 0; t < 9; ++t)
    for (Index d = rotary_dim; d < 10; ++d) CHECK(same_bits(found(1, 0, t, d), x(1, 0, t, d)));
  const auto back = rotary_embedding_backward(found, table, {.pairs = pairs});  // a turn's gradient is the turn back
  CHECK(all_close(flat(back), flat(in_double(x))));
}
