// The ways a batch of sequences may lie in memory give one result: packed, padded, one by one, in caches and in pages.

#include <heed/attention/attend_paged.hpp>
#include <heed/attention/key_value_cache.hpp>
#include <heed/attention/ragged.hpp>

#include "properties/moved_problem.hpp"
#include "properties/random_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Packed sequences of different lengths and the same ones padded with NaN.
template <class T>
struct Sequences {
  static constexpr Index heads = 4, kv_heads = 2, head_dim = 7, value_dim = 5;
  std::vector<Index> queries{0}, keys{0};  // where they begin
  Tensor<T, 3> query, key, value, d_output;
  Tensor<T, 1> slopes = random_tensor<T, 1>({heads}, 5, 0.3), sink = random_tensor<T, 1>({heads}, 6);
  AttentionProblem<T> padded;

  explicit Sequences(std::uint64_t seed) {
    ProblemDice dice(seed);
    constexpr Index lengths[] = {0, 2, 17, 63, 64, 65, 129, 140};
    for (Index s = 0; s < 4; ++s) {
      queries.push_back(queries.back() + lengths[dice.pick(0, 7)]);
      keys.push_back(keys.back() + lengths[dice.pick(0, 7)]);
    }
    query = random_tensor<T, 3>({queries.back(), heads, head_dim}, 4 * seed, 2);
    key = random_tensor<T, 3>({keys.back(), kv_heads, head_dim}, 4 * seed + 1, 2);
    value = random_tensor<T, 3>({keys.back(), kv_heads, value_dim}, 4 * seed + 2);
    d_output = random_tensor<T, 3>({queries.back(), heads, value_dim}, 4 * seed + 3);
    padded.query = pad(query, queries), padded.key = pad(key, keys), padded.value = pad(value, keys);
    padded.d_output = pad(d_output, queries);
    for (std::size_t s = 0; s < 4; ++s) {
      padded.query_lengths.push_back(queries[s + 1] - queries[s]);
      padded.key_lengths.push_back(keys[s + 1] - keys[s]);
    }
    choose(dice);
  }
  /// What a packed call can be told.
  AttentionOptions<T> options() const {
    AttentionOptions<T> all{.mask = padded.corner, .softcap = padded.softcap, .dropout = padded.dropout};
    if (padded.slopes.size() > 0) all.alibi_slopes = padded.slopes;
    if (padded.sink.size() > 0) all.sink = padded.sink;
    all.return_logsumexp = true;
    return all;
  }
  /// (tokens, heads, dim) against (batch, heads, length, dim): whether every token's bits are the same.
  bool same(const Tensor<T, 3>& packed, const std::vector<Index>& starts, const Tensor<T, 4>& other) const {
    bool equal = true;
    for_tokens(packed, starts, [&](Index s, Index t, Index h, Index d) {
      equal = equal && same_bits(packed(starts[std::size_t(s)] + t, h, d), other(s, h, t, d));
    });
    return equal;
  }

 private:
  void choose(ProblemDice& dice) {
    if (dice.one_in(2))
      padded.corner = dice.one_in(2) ? causal(Corner::bottom_right) : causal_offset(dice.pick(-2, 30));
    if (dice.one_in(2)) padded.corner = padded.corner & window(dice.pick(-1, 60), dice.pick(-1, 60));
    if (dice.one_in(2)) padded.slopes = slopes;
    if (dice.one_in(2)) padded.sink = sink;
    if (dice.one_in(2)) padded.softcap = T(1.5);
    if (dice.one_in(2)) padded.dropout = {.probability = 0.2, .rng = Rng{dice.seed(), 1}};
  }
  template <class F>
  static void for_tokens(const Tensor<T, 3>& packed, const std::vector<Index>& starts, const F& f) {
    for (std::size_t s = 0; s + 1 < starts.size(); ++s)
      for (Index t = 0; t < starts[s + 1] - starts[s]; ++t)
        for (Index h = 0; h < packed.dimension(1); ++h)
          for (Index d = 0; d < packed.dimension(2); ++d) f(static_cast<Index>(s), t, h, d);
  }
  static Tensor<T, 4> pad(const Tensor<T, 3>& x, const std::vector<Index>& starts) {
    Tensor<T, 4> all(4, x.dimension(1), 150, x.dimension(2));
    all.setConstant(not_a_number<T>);
    for_tokens(x, starts,
               [&](Index s, Index t, Index h, Index d) { all(s, h, t, d) = x(starts[std::size_t(s)] + t, h, d); });
    return all;
  }
};

/// (kv_heads, steps, width) of one sample.
template <class T>
View<const T, 3> steps(const Tensor<T, 4>& all, Index sample, Index first, Index count) {
  const Index heads = all.dimension(1), length = all.dimension(2), width = all.dimension(3);
  return {all.data() + (sample * heads * length + first) * width, {heads, count, width}, {length * width, width, 1}};
}

}  // namespace

TEMPLATE_TEST_CASE("a packed batch has the bits of the padded one, forward and backward, for any threads",
                   "[properties]", float, double) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    const Sequences<TestType> in(seed);
    INFO("seed " << seed << ": " << description(in.padded));
    const auto wanted = everything(in.padded);
    const AttentionOptions<TestType> options = in.options();
    const RaggedLayout layout{in.queries, in.keys};
    for (const Index threads : {1, 3, 8}) {
      ThreadPool pool(threads);
      const auto found = attend_ragged(in.query, in.key, in.value, layout, options, pool);
      CHECK(in.same(found.output, in.queries, wanted.forward.output));
      const auto grad = attend_ragged_backward(in.d_output, in.query, in.key, in.value, layout, found, options, pool);
      CHECK(in.same(grad.query, in.queries, wanted.gradients.query));
      CHECK(in.same(grad.key, in.keys, wanted.gradients.key));
      CHECK(in.same(grad.value, in.keys, wanted.gradients.value));
      CHECK(same_tensor(grad.sink, wanted.gradients.sink));
    }
  }
}

TEMPLATE_TEST_CASE("a packed batch has the bits of one call per sequence", "[properties]", float, double) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    Sequences<TestType> in(seed);
    in.padded.dropout = {};
    INFO("seed " << seed << ": " << description(in.padded));
    const RaggedLayout layout{in.queries, in.keys};
    const auto found = attend_ragged(in.query, in.key, in.value, layout, in.options());
    for (std::size_t s = 0; s < 4; ++s) {
      const std::vector<Index> queries{0, in.queries[s + 1] - in.queries[s]}, keys{0, in.keys[s + 1] - in.keys[s]};
      const auto part = [](const Tensor<TestType, 3>& x, const std::vector<Index>& starts, std::size_t n) {
        return Tensor<TestType, 3>(x.slice(Extents<3>{starts[n], 0, 0},
                                           Extents<3>{starts[n + 1] - starts[n], x.dimension(1), x.dimension(2)}));
      };
      const auto one = attend_ragged(part(in.query, in.queries, s), part(in.key, in.keys, s),
                                     part(in.value, in.keys, s), {queries, keys}, in.options());
      CHECK(same_tensor(part(found.output, in.queries, s), one.output));
    }
  }
}

TEMPLATE_TEST_CASE("a contiguous cache, one filled step by step and pages of any size give the same bits",
                   "[properties]", float, double) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    auto p = random_problem<TestType>(seed, Size::decode);
    p.dropout = {}, p.query_lengths.clear(), p.key_lengths.clear();
    const Index batch = p.batch(), length = p.key_length(), kv_heads = p.key.dimension(1);
    INFO("seed " << seed << ": " << description(p));
    AttentionOptions<TestType> options = p.options();
    options.return_key_sums = false;
    const auto wanted = attend(p.query, p.key, p.value, options);
    const Index head_dim = p.key.dimension(3), value_dim = p.value.dimension(3);
    KeyValueCache<TestType> cache({.batch = batch, .kv_heads = kv_heads, .head_dim = head_dim, .value_dim = value_dim});
    const auto cut = [](const Tensor<TestType, 4>& x, Index first, Index count) {
      return View<const TestType, 4>(&x(0, 0, first, 0), {x.dimension(0), x.dimension(1), count, x.dimension(3)},
                                     row_major_strides<4>(extents(x)));
    };
    for (Index t = 0; t < length; ++t) cache.append(cut(p.key, t, 1), cut(p.value, t, 1));
    CHECK(same_tensor(attend(p.query, cache.key(), cache.value(), options).output, wanted.output));
    for (const Index page_size : {1, 13, 64, 256, 512}) {
      PagedKeyValueCache<TestType> pages({.kv_heads = kv_heads,
                                          .head_dim = head_dim,
                                          .value_dim = value_dim,
                                          .pages = batch * (length / page_size + 2),
                                          .page_size = page_size});
      std::vector<Index> sequences;
      for (Index b = 0; b < batch; ++b) sequences.push_back(pages.add());
      for (Index t = 0, count = 1; t < length; t += count, count = std::min(2 * count, length - t))
        for (Index b = batch; b-- > 0;)
          pages.append(sequences[std::size_t(b)], steps(p.key, b, t, count), steps(p.value, b, t, count));
      for (const Index threads : {1, 4}) {
        ThreadPool pool(threads);
        const auto found = attend_paged(p.query, pages, sequences, options, pool);
        INFO("pages of " << page_size);
        CHECK(same_tensor(found.output, wanted.output));
        CHECK(same_tensor(found.weights, wanted.weights));
        CHECK(same_tensor(found.logsumexp, wanted.logsumexp));
        CHECK(same_tensor(found.row_max, wanted.row_max));
        CHECK(same_tensor(found.entropy, wanted.entropy));
      }
    }
  }
}
