// SEMANTICS 5 to 10, 12 and 13: who may see whom. 11 is masked_data_test.cpp's.

#include <heed/attention/bahdanau.hpp>
#include <heed/attention/key_value_cache.hpp>
#include <heed/attention/modifier.hpp>
#include <heed/attention/ragged.hpp>
#include <heed/attention/torch_mask.hpp>
#include <heed/nn/transformer_decoder_layer.hpp>

#include "properties/moved_problem.hpp"
#include "properties/reference_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// The same problem with its constraints spelled out as one boolean mask, by SEMANTICS alone (reference_problem.hpp).
template <class T>
AttentionProblem<T> spelled_out(const AttentionProblem<T>& p) {
  AttentionProblem<T> plain = p;
  plain.allowed = Tensor<std::uint8_t, 4>(p.batch(), p.heads(), p.query_length(), p.key_length());
  for (Index b = 0; b < p.batch(); ++b)
    for (Index h = 0; h < p.heads(); ++h)
      for (Index i = 0; i < p.query_length(); ++i)
        for (Index j = 0; j < p.key_length(); ++j) plain.allowed(b, h, i, j) = visible(p, b, h, i, j) ? 1 : 0;
  plain.allowed_rank = 4;
  plain.corner = {}, plain.key_lengths.clear(), plain.query_lengths.clear(), plain.offsets.clear();
  plain.query_ids = plain.key_ids = {};
  return plain;
}
/// Constraints give the bits of the boolean mask that says the same.
template <class T>
void check_spelled_out(const AttentionProblem<T>& p) {
  CHECK(different(everything(p), everything(spelled_out(p))) == "");
}

/// Whether weights (batch, heads, i, j) are positive exactly where visible(b, i, j).
template <class T, class Visible>
bool attends(const Tensor<T, 4>& weights, const Visible& visible) {
  bool right = true;
  for (Index b = 0; b < weights.dimension(0); ++b)
    for (Index h = 0; h < weights.dimension(1); ++h)
      for (Index i = 0; i < weights.dimension(2); ++i)
        for (Index j = 0; j < weights.dimension(3); ++j) right = right && (weights(b, h, i, j) > 0) == visible(b, i, j);
  return right;
}
template <class T>
Tensor<T, 4> weights_of(const AttentionProblem<T>& p) {
  return everything(p).forward.weights;
}

/// A block mask: tiles that it empties are not visited.
struct Blocks {
  auto operator()(auto at) const { return (at.key < 16 && at.query < 32) || (at.key >= 32 && at.key < 48); }
  Tile classify(Range queries_of, Range keys_of) const {
    const bool first = keys_of.end <= 16 && queries_of.end <= 32, second = keys_of.first >= 32 && keys_of.end <= 48;
    const bool none = keys_of.first >= 48 || (keys_of.first >= 16 && keys_of.end <= 32);
    return first || second ? Tile::full : none ? Tile::empty : Tile::mixed;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("semantics 5: true = may attend, in calls, layers and readers", "[semantics]", float, double) {
  using T = TestType;
  const Index length = 5;
  Tensor<bool, 2> keys(2, length);
  keys.setValues({{true, false, true, true, false}, {false, true, false, false, false}});
  const Mask mask = key_mask(keys);
  const auto visible = [&](Index b, Index, Index j) { return keys(b, j); };
  auto p = plain_problem<T>({2, 2, 2, length, length, 4, 4});
  AttentionOptions<T> options{.mask = mask, .return_weights = true};
  CHECK(attends(attend(p.query, p.key, p.value, options).weights, visible));
  Tensor<std::uint8_t, 2> bytes(length, length);  // any byte but 0 is true
  for (Index i = 0; i < length; ++i)
    for (Index j = 0; j < length; ++j) bytes(i, j) = (i + j) % 2 == 0 ? static_cast<std::uint8_t>(1 + 50 * j) : 0;
  options.mask = boolean_mask(bytes);
  CHECK(attends(attend(p.query, p.key, p.value, options).weights,
                [](Index, Index i, Index j) { return (i + j) % 2 == 0; }));
  CHECK(attends(
      attend(p.query, p.key, p.value, {.return_weights = true}, heed::mask([](auto at) { return at.key >= at.query; }))
          .weights,
      [](Index, Index i, Index j) { return j >= i; }));

  Rng rng{1, 0};
  const auto x = random_tensor<T, 3>({2, length, 4}, 5);
  std::vector<Tensor<T, 4>> seen;
  const MultiHeadOptions<T> told{.mask = mask, .collect_weights = &seen};
  MultiHeadAttention<T>({.model_dim = 4, .heads = 2}, rng).forward(x, told);
  TransformerEncoderLayer<T>({.model_dim = 4, .heads = 2, .hidden_dim = 3}, rng).forward(x, told);
  TransformerDecoderLayer<T>({.model_dim = 4, .heads = 2, .hidden_dim = 3}, rng)
      .forward(x, x, {.self = told, .memory = told});
  REQUIRE(seen.size() == 4);
  for (const Tensor<T, 4>& weights : seen) CHECK(attends(weights, visible));

  const BahdanauAttention<T> reader({.units = 3, .query_dim = 4, .key_dim = 4}, rng);
  const auto read = reader.forward(x, reader.project(x), x, mask);
  for (Index b = 0; b < 2; ++b)
    for (Index j = 0; j < length; ++j) CHECK((read.weights(b, 0, j) > 0) == keys(b, j));
}

TEST_CASE("semantics 5: only the converters take the other polarity", "[semantics]") {
  Tensor<bool, 2> padding(1, 3), pairs(2, 3);
  padding.setValues({{false, true, false}});
  pairs.setValues({{true, false, false}, {false, false, true}});
  const auto p = plain_problem<double>({1, 1, 1, 2, 3, 2, 2});
  const auto weights = [&](const Mask& mask) {
    return attend(p.query, p.key, p.value, {.mask = mask, .return_weights = true}).weights;
  };
  const Tensor<bool, 2> keys = from_torch_key_padding_mask(padding), visible = from_torch_attention_mask(pairs);
  CHECK(attends(weights(key_mask(keys)), [&](Index, Index, Index j) { return !padding(0, j); }));
  CHECK(attends(weights(boolean_mask(visible)), [&](Index, Index i, Index j) { return !pairs(i, j); }));
}

TEMPLATE_TEST_CASE("semantics 6: a floating mask is added, -inf masks, +inf and NaN reach their row as IEEE says",
                   "[semantics]", float, double) {
  using T = TestType;
  auto p = plain_problem<T>({2, 2, 2, GENERATE(1, 3), 70, 4, 3});
  const Index queries = p.query_length();
  p.bias = random_tensor<T, 4>({2, 2, queries, 70}, 7, 2);
  for (Index j = 5; j < 70; j += 3) p.bias(1, 0, 0, j) = -infinite<T>;
  const auto found = everything(p);
  const ReferenceProblem wanted(in_double(p));
  CHECK(close_tensor(found.forward.output, wanted.forward.output));
  CHECK(close_tensor(found.forward.weights, wanted.forward.weights));
  for (Index j = 5; j < 70; j += 3) CHECK(same_bits(found.forward.weights(1, 0, 0, j), T(0)));
  auto masked = p;  // -inf says what false says
  masked.allowed = Tensor<std::uint8_t, 4>(2, 2, queries, 70);
  for (Index n = 0; n < p.bias.size(); ++n) {
    masked.allowed.data()[n] = p.bias.data()[n] != -infinite<T>;
    if (masked.allowed.data()[n] == 0) masked.bias.data()[n] = T(0);
  }
  CHECK(different_per_sample(everything(masked), found) == "");
  auto bad = p;
  bad.bias(1, 1, 0, 4) = GENERATE(infinite<T>, not_a_number<T>);  // inf - inf in the softmax
  const auto reached = everything(bad).forward;
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < queries; ++i)
        for (Index e = 0; e < 3; ++e) {
          const bool its_row = b == 1 && h == 1 && i == 0;
          CHECK((its_row ? std::isnan(reached.output(b, h, i, e))
                         : same_bits(reached.output(b, h, i, e), found.forward.output(b, h, i, e))));
        }
}

TEMPLATE_TEST_CASE("semantics 7: a pair is visible where all constraints allow it", "[semantics]", float, double) {
  auto p = plain_problem<TestType>({2, 2, 2, GENERATE(1, 40), 70, 4, 3});
  const Index queries = p.query_length();
  p.corner = causal_offset(20) & window(25, -1);
  p.key_lengths = {70, 33}, p.query_lengths = {queries, (queries + 1) / 2};
  p.query_ids = Tensor<Index, 2>(2, queries), p.key_ids = Tensor<Index, 2>(2, 70);
  for (Index b = 0; b < 2; ++b) {
    for (Index i = 0; i < queries; ++i) p.query_ids(b, i) = i / 30;
    for (Index j = 0; j < 70; ++j) p.key_ids(b, j) = j / 40;
  }
  p.allowed = Tensor<std::uint8_t, 4>(1, 2, queries, 70);
  for (Index n = 0; n < p.allowed.size(); ++n) p.allowed.data()[n] = n % 5 != 2;
  check_spelled_out(p);
  auto options = p.options();
  const auto found = attend(p.query, p.key, p.value, options, heed::mask(Blocks()));
  const auto in_block = [](Index i, Index j) { return (j < 16 && i < 32) || (j >= 32 && j < 48); };
  bool right = true;
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < queries; ++i)
        for (Index j = 0; j < 70; ++j)
          right = right && (found.weights(b, h, i, j) > 0) == (visible(p, b, h, i, j) && in_block(i, j));
  CHECK(right);
}

TEMPLATE_TEST_CASE("semantics 7: additive terms sum", "[semantics]", float, double) {
  using T = TestType;
  auto p = plain_problem<T>({1, 2, 2, GENERATE(1, 5), 70, 4, 3});
  p.slopes = random_tensor<T, 1>({2}, 3, 0.2), p.bias = random_tensor<T, 4>({1, 2, p.query_length(), 70}, 4);
  const auto found = everything(p).forward;
  auto one = p;
  one.slopes = {};
  for (Index h = 0; h < 2; ++h)
    for (Index i = 0; i < p.query_length(); ++i)
      for (Index j = 0; j < 70; ++j) one.bias(0, h, i, j) -= p.slopes(h) * static_cast<T>(std::abs(i - j));
  const auto wanted = everything(one).forward;
  CHECK(all_close(flat(found.output), flat(wanted.output)));
  CHECK(all_close(flat(found.logsumexp), flat(wanted.logsumexp)));
}

TEMPLATE_TEST_CASE("semantics 8: causal corners are named; a plain causal() needs as many queries as keys",
                   "[semantics]", float, double) {
  using T = TestType;
  const Index queries = GENERATE(3, 70, 5), keys = queries == 5   ? 3
                                                   : queries == 3 ? 7
                                                                  : 200;  // 5: more queries than keys
  auto p = plain_problem<T>({2, 1, 1, queries, keys, 4, 3});
  const auto check = [&](const auto& visible_pair) {
    CHECK(attends(weights_of(p), visible_pair));
    check_spelled_out(p);
  };
  p.corner = causal(Corner::top_left);
  check([](Index, Index i, Index j) { return j <= i; });
  p.corner = causal(Corner::bottom_right);
  check([&](Index, Index i, Index j) { return j <= i + keys - queries; });
  p.key_lengths = {keys, keys - 1}, p.query_lengths = {queries - 1, queries};
  check([&](Index b, Index i, Index j) {
    const Index n = p.key_lengths[std::size_t(b)], m = p.query_lengths[std::size_t(b)];
    return i < m && j < n && j <= i + n - m;
  });
  p.key_lengths.clear(), p.query_lengths.clear();
  p.corner = causal_offset(2);
  check([](Index, Index i, Index j) { return j <= i + 2; });
  p.corner = causal_offset(-2);
  check([](Index, Index i, Index j) { return j <= i - 2; });
  p.corner = {}, p.offsets = {-1, 4};
  check([&](Index b, Index i, Index j) { return j <= i + p.offsets[std::size_t(b)]; });
  p.offsets.clear();
  p.corner = causal();
  const std::string error = error_of([&] { everything(p); });
  CHECK(mentions(error, {"causal", std::to_string(queries).c_str(), std::to_string(keys).c_str()}));
  auto square = plain_problem<T>({2, 1, 1, queries, queries, 4, 3});
  square.corner = causal();
  CHECK(attends(weights_of(square), [](Index, Index i, Index j) { return j <= i; }));
  static_assert(!std::is_convertible_v<bool, Causality> && !std::is_convertible_v<bool, Corner>);  // never a bare bool
}

TEMPLATE_TEST_CASE("semantics 8: with a cache the offset is the number of keys cached before the first query",
                   "[semantics]", float, double) {
  auto p = plain_problem<TestType>({2, 2, 1, 70, 70, 4, 3});
  p.corner = causal();
  const auto whole = everything(p).forward;
  KeyValueCache<TestType> cache({.batch = 2, .kv_heads = 1, .head_dim = 4, .value_dim = 3});
  for (Index first = 0, steps = 1; first < 70; first += steps, steps = std::min<Index>(steps + 2, 70 - first)) {
    const auto part = [&](const Tensor<TestType, 4>& x) {
      return Tensor<TestType, 4>(
          x.slice(Extents<4>{0, 0, first, 0}, Extents<4>{2, x.dimension(1), steps, x.dimension(3)}));
    };
    const Index cached = cache.length();
    cache.append(part(p.key), part(p.value));
    const AttentionOptions<TestType> by_offset{.mask = causal_offset(cached)};
    const AttentionOptions<TestType> by_corner{.mask = causal(Corner::bottom_right)};
    const auto query = part(p.query);
    const auto found = scaled_dot_product_attention(query, cache.key(), cache.value(), by_offset);
    CHECK(same_tensor(found, scaled_dot_product_attention(query, cache.key(), cache.value(), by_corner)));
    const auto wanted = part(whole.output);
    if (steps > 1) CHECK(same_tensor(found, wanted));
    CHECK(all_close(flat(found), flat(wanted)));
  }
}

TEMPLATE_TEST_CASE("semantics 9: window(left, right) is p - left <= j <= p + right around p = i + the causal offset",
                   "[semantics]", float, double) {
  const Index queries = GENERATE(1, 6, 70), keys = 130;
  auto p = plain_problem<TestType>({2, 1, 1, queries, keys, 4, 3});
  const Index left = GENERATE(-1, 0, 3, 64), right = GENERATE(-1, 0, 2);
  const auto in_window = [&](Index at, Index j) {
    return (left < 0 || j >= at - left) && (right < 0 || j <= at + right);
  };
  const auto check = [&](const auto& visible_pair) {
    CHECK(attends(weights_of(p), visible_pair));
    check_spelled_out(p);
  };
  p.corner = window(left, right);
  check([&](Index, Index i, Index j) { return in_window(i, j); });
  p.corner = causal_offset(40) & window(left, right);
  check([&](Index, Index i, Index j) { return j <= i + 40 && in_window(i + 40, j); });
  p.corner = causal(Corner::bottom_right) & window(left, right);
  check([&](Index, Index i, Index j) { return j <= i + keys - queries && in_window(i + keys - queries, j); });
  p.corner = window(left, right), p.offsets = {0, 50};
  check([&](Index b, Index i, Index j) {
    const Index at = i + p.offsets[std::size_t(b)];
    return j <= at && in_window(at, j);
  });
  CHECK(mentions(error_of([] { window(-2, 0); }), {"window", "-2"}));
}

TEMPLATE_TEST_CASE("semantics 10: a fully masked row gives zeros, logsumexp -inf and zero gradients", "[semantics]",
                   float, double) {
  using T = TestType;
  auto p = plain_problem<T>({2, 2, 1, GENERATE(1, 4), GENERATE(0, 1, 70), 4, 3});
  const bool has_sink = GENERATE(false, true);
  if (has_sink) p.sink = random_tensor<T, 1>({2}, 5, 2);
  p.bias = random_tensor<T, 4>({2, 2, p.query_length(), p.key_length()}, 6);
  if (p.key_length() > 0) p.key_lengths = {0, p.key_length()};
  const auto found = everything(p);
  const Index samples = p.key_length() == 0 ? 2 : 1;  // those that see nothing
  const auto zero = [&](const auto& x, Index batch_of) {
    bool all = true;
    for (Index n = 0; n < x.size() / 2 * batch_of; ++n) all = all && same_bits(x.data()[n], T(0));
    return all;
  };
  CHECK(zero(found.forward.output, samples));
  CHECK(zero(found.forward.weights, samples));
  CHECK(zero(found.forward.key_sums, samples));
  CHECK(zero(found.gradients.query, samples));
  CHECK(zero(found.gradients.key, samples));
  CHECK(zero(found.gradients.value, samples));
  CHECK(zero(found.gradients.bias, samples));
  for (Index b = 0; b < samples; ++b)
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < p.query_length(); ++i)
        CHECK(same_bits(found.forward.logsumexp(b, h, i), has_sink ? p.sink(h) : -infinite<T>));
  if (samples == 2 && has_sink) CHECK((found.gradients.sink(0) == 0 && found.gradients.sink(1) == 0));
}

TEMPLATE_TEST_CASE("semantics 10: whether a row is masked is read from the mask, never from the scores", "[semantics]",
                   float, double) {
  using T = TestType;
  auto p = plain_problem<T>({1, 1, 1, GENERATE(1, 3), 70, 2, 2});
  p.query.setConstant(T(1)), p.scale = T(1);
  p.key.setConstant(std::numeric_limits<T>::lowest() / 4);  // every score the same and as low as they get
  const auto lowest = everything(p).forward;
  for (Index j = 0; j < 70; ++j) CHECK(close(lowest.weights(0, 0, 0, j), 1.0 / 70));
  p.key.setConstant(-infinite<T>);  // visible, so not zeros but what -inf - -inf is
  const auto infinite_scores = everything(p).forward;
  CHECK(std::isnan(infinite_scores.output(0, 0, 0, 0)));
  p.key_lengths = {0};
  CHECK(same_bits(everything(p).forward.output(0, 0, 0, 0), T(0)));
}

TEMPLATE_TEST_CASE("semantics 12: keys behind key_length are masked, queries behind query_length give 0", "[semantics]",
                   float, double) {
  using T = TestType;
  auto p = plain_problem<T>({3, 2, 2, 6, 70, 4, 3});
  p.key_lengths = {70, 1, 64}, p.query_lengths = {6, 2, 0};
  const auto found = everything(p);
  CHECK(attends(found.forward.weights, [&](Index b, Index i, Index j) {
    return j < p.key_lengths[std::size_t(b)] && i < p.query_lengths[std::size_t(b)];
  }));
  check_spelled_out(p);
  for (Index b = 0; b < 3; ++b)
    for (Index i = p.query_lengths[std::size_t(b)]; i < 6; ++i)
      for (Index e = 0; e < 3; ++e) {
        CHECK(same_bits(found.forward.output(b, 1, i, e), T(0)));
        CHECK(same_bits(found.gradients.query(b, 1, i, e), T(0)));
      }
}

TEMPLATE_TEST_CASE("semantics 13: cumulative lengths index one packed tensor, and nothing crosses a boundary",
                   "[semantics]", float, double) {
  using T = TestType;
  const std::vector<Index> queries{0, 3, 3, 70}, keys{0, 65, 70, 90};  // the second has no query
  const auto q = random_tensor<T, 3>({70, 2, 4}, 1, 2), k = random_tensor<T, 3>({90, 1, 4}, 2, 2),
             v = random_tensor<T, 3>({90, 1, 3}, 3);
  const AttentionOptions<T> options{.mask = GENERATE(Mask{}, causal(Corner::bottom_right)), .return_logsumexp = true};
  const auto found = attend_ragged(q, k, v, {queries, keys}, options);
  for (std::size_t s = 0; s < 3; ++s) {
    const auto part = [&](const Tensor<T, 3>& x, const std::vector<Index>& starts) {  // (1, heads, length, dim)
      const Index length = starts[s + 1] - starts[s];
      Tensor<double, 4> one(1, x.dimension(1), length, x.dimension(2));
      for (Index h = 0; h < x.dimension(1); ++h)
        for (Index t = 0; t < length; ++t)
          for (Index d = 0; d < x.dimension(2); ++d) one(0, h, t, d) = double(x(starts[s] + t, h, d));
      return one;
    };
    Textbook textbook;
    textbook.scale = 0.5;
    const Index query_length = queries[s + 1] - queries[s], key_length = keys[s + 1] - keys[s];
    if (!options.mask.empty())
      textbook.allowed = [=](Index, Index, Index i, Index j) { return j <= i + key_length - query_length; };
    textbook.forward(part(q, queries), part(k, keys), part(v, keys));
    for (Index i = 0; i < query_length; ++i)
      for (Index h = 0; h < 2; ++h) {
        for (Index e = 0; e < 3; ++e) CHECK(close(found.output(queries[s] + i, h, e), textbook.output(0, h, i, e)));
        CHECK(close(found.logsumexp(h, queries[s] + i), textbook.logsumexp(0, h, i)));
      }
  }
}
