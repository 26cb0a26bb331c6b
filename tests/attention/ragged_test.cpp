#include <heed/attention/ragged.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

constexpr Index heads = 4, kv_heads = 2, dim = 5, value_dim = 3;
const std::vector<Index> queries{0, 3, 3, 73, 74}, keys{0, 5, 9, 139, 142};

struct Packed {
  Tensor<float, 3> query = random_tensor<float, 3>({74, heads, dim}, 1, 2);
  Tensor<float, 3> key = random_tensor<float, 3>({142, kv_heads, dim}, 2, 2);
  Tensor<float, 3> value = random_tensor<float, 3>({142, kv_heads, value_dim}, 3);
  Tensor<float, 3> d_output = random_tensor<float, 3>({74, heads, value_dim}, 4);
};

/// Tokens [first, end) of (tokens, heads, dim) as (samples, heads, length, dim): sample `at` holds them, the others 0.
Tensor<float, 4> alone(const Tensor<float, 3>& x, Index first, Index end, Index samples, Index at) {
  auto out = zeros<float, 4>({samples, x.dimension(1), end - first, x.dimension(2)});
  for (Index t = first; t < end; ++t)
    for (Index h = 0; h < x.dimension(1); ++h)
      for (Index d = 0; d < x.dimension(2); ++d) out(at, h, t - first, d) = x(t, h, d);
  return out;
}
bool same(const Tensor<float, 3>& packed, Index first, const Tensor<float, 4>& one, Index at) {
  bool equal = true;
  for (Index h = 0; h < one.dimension(1); ++h)
    for (Index t = 0; t < one.dimension(2); ++t)
      for (Index d = 0; d < one.dimension(3); ++d)
        equal = equal && same_bits(packed(first + t, h, d), one(at, h, t, d));
  return equal;
}

}  // namespace

TEST_CASE("a packed batch takes callables, which count from each sequence's first token", "[attention]") {
  const Packed in;
  const RaggedLayout layout{queries, keys};
  const auto slopes = random_tensor<float, 1>({heads}, 8);
  AttentionOptions<float> named{.alibi_slopes = slopes, .return_logsumexp = true}, plain{.return_logsumexp = true};
  const auto alibi = [&](auto s, auto at) { return s - slopes(at.head) * distance(at); };
  const auto wanted = attend_ragged(in.query, in.key, in.value, layout, named);
  const auto found = attend_ragged(in.query, in.key, in.value, layout, plain, alibi);
  CHECK(close_tensor(found.output, in_double(wanted.output)));
  const auto grad = attend_ragged_backward(in.d_output, in.query, in.key, in.value, layout, found, plain, alibi);
  const auto wanted_grad = attend_ragged_backward(in.d_output, in.query, in.key, in.value, layout, wanted, named);
  CHECK(close_tensor(grad.query, in_double(wanted_grad.query)));
  CHECK(close_tensor(grad.key, in_double(wanted_grad.key)));
}

TEST_CASE("a packed batch has the bits of one call per sequence, forward and backward", "[attention]") {
  const Packed in;
  AttentionOptions<float> options{.return_logsumexp = true};
  const auto sink = random_tensor<float, 1>({heads}, 7);
  SECTION("plain") {}
  SECTION("causal, a window, sinks and dropout") {
    options.mask = causal(Corner::bottom_right) & window(40, -1);
    options.sink = sink;
    options.dropout = {.probability = 0.3, .rng = Rng{1, 2}};
  }
  const RaggedLayout layout{queries, keys};
  const auto found = attend_ragged(in.query, in.key, in.value, layout, options);
  const auto grad = attend_ragged_backward(in.d_output, in.query, in.key, in.value, layout, found, options);
  auto sink_gradient = zeros<float, 1>({heads});
  for (Index s = 0; s < 4; ++s) {
    const auto q = std::size_t(s);
    const auto query = alone(in.query, queries[q], queries[q + 1], 4, s),
               key = alone(in.key, keys[q], keys[q + 1], 4, s), value = alone(in.value, keys[q], keys[q + 1], 4, s),
               d_output = alone(in.d_output, queries[q], queries[q + 1], 4, s);
    const auto wanted = attend(query, key, value, options);
    CHECK(same(found.output, queries[q], wanted.output, s));
    for (Index t = 0; t < queries[q + 1] - queries[q]; ++t)
      CHECK(same_bits(found.logsumexp(3, queries[q] + t), wanted.logsumexp(s, 3, t)));
    const auto wanted_grad = attend_backward(d_output, query, key, value, wanted, options);
    CHECK(same(grad.query, queries[q], wanted_grad.query, s));
    CHECK(same(grad.key, keys[q], wanted_grad.key, s));
    CHECK(same(grad.value, keys[q], wanted_grad.value, s));
    if (options.sink.data) sink_gradient += wanted_grad.sink;
  }
  for (Index h = 0; options.sink.data && h < heads; ++h) CHECK(close(grad.sink(h), double(sink_gradient(h))));
}

TEST_CASE("an offset per sequence is each sequence's own", "[attention]") {
  const Packed in;
  const std::vector<Index> offsets{1, 0, 60, 2};
  const auto found = attend_ragged(in.query, in.key, in.value, {queries, keys}, {.mask = causal_offset(offsets)});
  const auto wanted = attend(alone(in.query, 3, 73, 1, 0), alone(in.key, 9, 139, 1, 0), alone(in.value, 9, 139, 1, 0),
                             {.mask = causal_offset(60)});
  CHECK(same(found.output, 3, wanted.output, 0));
}

TEST_CASE("layouts and options that do not fit a packed batch are refused", "[attention]") {
  const Packed in;
  const auto refused = [&](const std::vector<Index>& q, const std::vector<Index>& k,
                           const AttentionOptions<float>& options = {}) {
    return error_of([&] { attend_ragged(in.query, in.key, in.value, {q, k}, options); });
  };
  CHECK(mentions(refused({0, 3, 2, 74}, {0, 1, 2, 142}), {"attend_ragged", "layout.queries", "74"}));
  CHECK(mentions(refused({0, 74}, {0, 141}), {"layout.keys", "142"}));
  CHECK(mentions(refused({}, {}), {"layout.queries"}));
  CHECK(mentions(refused({0, 74}, {0, 1, 142}), {"layout", "as many of both"}));
  const std::vector<Index> lengths{3};
  CHECK(mentions(refused({0, 74}, {0, 142}, {.mask = key_lengths(lengths)}), {"options", "causal corners"}));
  CHECK(mentions(refused({0, 74}, {0, 142}, {.mask = causal()}), {"plain causal()"}));
}
