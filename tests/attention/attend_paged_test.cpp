#include <heed/attention/attend_paged.hpp>

#include "attention/attention_testing.hpp"

using namespace heed_test;

namespace {

/// (kv_heads, steps, width) of one sample of (batch, kv_heads, length, width).
heed::View<const float, 3> part(const Tensor<float, 4>& all, Index sample, Index first, Index count) {
  const Index heads = all.dimension(1), length = all.dimension(2), width = all.dimension(3);
  return {all.data() + (sample * heads * length + first) * width, {heads, count, width}, {length * width, width, 1}};
}

struct Problem {
  static constexpr Index batch = 3, kv_heads = 2, length = 600;
  Tensor<float, 4> key = random_tensor<float, 4>({batch, kv_heads, length, 8}, 1);
  Tensor<float, 4> value = random_tensor<float, 4>({batch, kv_heads, length, 5}, 2);
  std::vector<Index> lengths = {600, 257, 3}, sequences;
  heed::PagedKeyValueCache<float> cache;

  explicit Problem(Index page_size) : cache({.kv_heads = kv_heads, .head_dim = 8, .value_dim = 5, .pages = 2000 / page_size + 8, .page_size = page_size}) {
    for (Index b = 0; b < batch; ++b) {
      sequences.push_back(cache.add());
      Index done = 0;
      for (Index count = 1; done < lengths[static_cast<std::size_t>(b)]; count = count * 3 + 1) {
        count = std::min(count, lengths[static_cast<std::size_t>(b)] - done);
        cache.append(sequences.back(), part(key, b, done, count), part(value, b, done, count));
        done += count;
      }
    }
  }
};

}  // namespace

TEST_CASE("one query over pages has the bits of one over a contiguous cache", "[attention]") {
  const Problem problem(GENERATE(1, 7, 64, 256, 512));
  const auto query = random_tensor<float, 4>({3, 6, 1, 8}, 3);
  heed::AttentionOptions<float> options{.return_weights = true, .return_logsumexp = true};
  options.mask = GENERATE(heed::Mask{}, heed::causal(heed::Corner::bottom_right) & heed::window(100, 0));
  const auto paged = heed::attend_paged(query, problem.cache, problem.sequences, options);
  options.mask = options.mask & heed::key_lengths(problem.lengths);
  const auto wanted = heed::attend(query, problem.key, problem.value, options);
  CHECK(same_tensor(paged.output, wanted.output));
  CHECK(same_tensor(paged.logsumexp, wanted.logsumexp));
  CHECK(same_tensor(paged.weights, wanted.weights));
}

TEST_CASE("callables over pages see each query's own index", "[attention]") {
  const Problem problem(64);
  const auto query = random_tensor<float, 4>({3, 6, 3, 8}, 4);
  heed::AttentionOptions<float> options{.mask = heed::causal(heed::Corner::bottom_right)};
  const auto change = [](auto s, auto at) { return s + at.query - 0.01f * heed::distance(at); };
  const auto even = heed::mask([](auto at) { return at.key == 2 * heed::floor(at.key * 0.5f); });
  const auto paged = heed::attend_paged(query, problem.cache, problem.sequences, options, change, even);
  options.mask = options.mask & heed::key_lengths(problem.lengths);
  CHECK(close_tensor(paged.output, in_double(heed::attend(query, problem.key, problem.value, options, change, even).output)));
}

TEST_CASE("several queries over pages are as many single ones", "[attention]") {
  const Problem problem(64);
  const auto query = random_tensor<float, 4>({3, 6, 3, 8}, 4);
  const auto bias = random_tensor<float, 4>({1, 6, 3, 600}, 5);
  heed::AttentionOptions<float> options{.mask = heed::causal(heed::Corner::bottom_right) & heed::window(300, 0), .return_logsumexp = true};
  options.bias = bias;
  const auto paged = heed::attend_paged(query, problem.cache, problem.sequences, options);
  options.mask = options.mask & heed::key_lengths(problem.lengths);
  const auto wanted = heed::attend(query, problem.key, problem.value, options);
  CHECK(close_tensor(paged.output, in_double(wanted.output)));
  CHECK(close_tensor(paged.logsumexp, in_double(wanted.logsumexp)));
}

TEST_CASE("beams share pages until they part, and reordering copies page numbers alone", "[attention]") {
  Problem problem(16);
  auto& cache = problem.cache;
  const auto query = random_tensor<float, 4>({2, 6, 1, 8}, 6);
  const Index before = cache.free_pages();
  std::vector<Index> beams = {cache.fork(problem.sequences[1]), cache.fork(problem.sequences[1])};  // 257: a page with one step
  CHECK(cache.free_pages() == before);
  for (Index b = 0; b < 2; ++b) cache.append(beams[static_cast<std::size_t>(b)], part(problem.key, b, 300, 1), part(problem.value, b, 300, 1));
  CHECK(cache.free_pages() == before - 2);
  const auto parted = heed::attend_paged(query, cache, beams);
  CHECK_FALSE(parted.output(0, 0, 0, 0) == parted.output(1, 0, 0, 0));
  CHECK(cache.length(problem.sequences[1]) == 257);
  const std::vector<Index> parents = {1, 1};
  beams = cache.reorder(beams, parents);
  CHECK(cache.free_pages() == before - 1);
  const auto same_query = query.slice(Extents<4>{1, 0, 0, 0}, Extents<4>{1, 6, 1, 8});
  Tensor<float, 4> twice(2, 6, 1, 8);
  twice.slice(Extents<4>{0, 0, 0, 0}, Extents<4>{1, 6, 1, 8}) = same_query;
  twice.slice(Extents<4>{1, 0, 0, 0}, Extents<4>{1, 6, 1, 8}) = same_query;
  const auto joined = heed::attend_paged(twice, cache, beams);
  for (Index h = 0; h < 6; ++h) {
    for (Index e = 0; e < 5; ++e) {
      CHECK(same_bits(joined.output(0, h, 0, e), parted.output(1, h, 0, e)));
      CHECK(same_bits(joined.output(1, h, 0, e), parted.output(1, h, 0, e)));
    }
  }
  for (const Index beam : beams) cache.release(beam);
  CHECK(cache.free_pages() == before);
}

TEST_CASE("a full pool and sequences that are not there are refused and nothing changes", "[attention]") {
  heed::PagedKeyValueCache<float> cache({.kv_heads = 2, .head_dim = 8, .value_dim = 5, .pages = 2, .page_size = 4});
  const Problem problem(64);
  const Index sequence = cache.add();
  cache.append(sequence, part(problem.key, 0, 0, 6), part(problem.value, 0, 0, 6));
  CHECK(mentions(error_of([&] { cache.append(sequence, part(problem.key, 0, 6, 3), part(problem.value, 0, 6, 3)); }),
                 {"append", "0 free pages", "wanted 1"}));
  CHECK(cache.length(sequence) == 6);
  CHECK(mentions(error_of([&] { cache.append(sequence, part(problem.value, 0, 0, 1), part(problem.value, 0, 0, 1)); }), {"key"}));
  CHECK(mentions(error_of([&] { cache.length(1); }), {"sequence 1", "not in use"}));
  const std::vector<Index> one = {sequence}, parents = {1};
  CHECK(mentions(error_of([&] { cache.reorder(one, parents); }), {"parents holds 1"}));
  const auto query = random_tensor<float, 4>({1, 2, 1, 8}, 7);
  CHECK(mentions(error_of([&] {
          heed::attend_paged(query, cache, one, {.dropout = {.probability = 0.5, .rng = heed::Rng{}}});
        }), {"dropout", "wanted 0"}));
  cache.release(sequence);
  CHECK(cache.free_pages() == 2);
  CHECK(mentions(error_of([&] { cache.release(sequence); }), {"not in use"}));
}
