#include <heed/attention/key_value_cache.hpp>

#include <heed/attention/scaled_dot_product.hpp>

#include "attention/attention_testing.hpp"

using namespace heed_test;

namespace {

Tensor<float, 4> steps(const Tensor<float, 4>& all, Index first, Index count) {
  return all.slice(Extents<4>{0, 0, first, 0}, Extents<4>{all.dimension(0), all.dimension(1), count, all.dimension(3)});
}
Tensor<float, 4> copy(const heed::View<const float, 4>& view) {
  Tensor<float, 4> tensor(view.extents);
  for (Index b = 0; b < view.dimension(0); ++b)
    for (Index h = 0; h < view.dimension(1); ++h)
      for (Index t = 0; t < view.dimension(2); ++t)
        for (Index d = 0; d < view.dimension(3); ++d) tensor(b, h, t, d) = view(b, h, t, d);
  return tensor;
}

}  // namespace

TEST_CASE("a cache holds what was appended, however it was cut", "[attention]") {
  const auto k = random_tensor<float, 4>({2, 3, 40, 4}, 1), v = random_tensor<float, 4>({2, 3, 40, 5}, 2);
  for (const Index capacity : {0, 1, 17, 40}) {
    heed::KeyValueCache<float> cache({.batch = 2, .kv_heads = 3, .head_dim = 4, .value_dim = 5, .capacity = capacity});
    Index done = 0;
    for (const Index count : {1, 1, 7, 0, 20, 11}) {
      cache.append(steps(k, done, count), steps(v, done, count));
      done += count;
      CHECK(same_tensor(copy(cache.key()), steps(k, 0, done)));
      CHECK(same_tensor(copy(cache.value()), steps(v, 0, done)));
    }
    CHECK(cache.position() == 40);
    cache.truncate(9);
    CHECK(same_tensor(copy(cache.key()), steps(k, 0, 9)));
    cache.clear();
    CHECK(cache.length() == 0);
  }
}

TEST_CASE("decoding step by step with a window gives what the whole sequence gives", "[attention]") {
  const Index length = 70, window = GENERATE(1, 5, 16);
  const auto q = random_tensor<float, 4>({1, 4, length, 8}, 3), k = random_tensor<float, 4>({1, 2, length, 8}, 4), v = random_tensor<float, 4>({1, 2, length, 6}, 5);
  const auto whole = heed::scaled_dot_product_attention(q, k, v, {.mask = heed::causal() & heed::window(window - 1, 0)});
  heed::KeyValueCache<float> cache({.batch = 1, .kv_heads = 2, .head_dim = 8, .value_dim = 6, .window = window});
  Index done = 0;
  for (const Index count : {3, 20, 1, 1, 1, 30, 1, 1, 12}) {
    cache.append(steps(k, done, count), steps(v, done, count));
    const auto out = heed::scaled_dot_product_attention(steps(q, done, count), cache.key(), cache.value(),
                                                        {.mask = heed::causal(heed::Corner::bottom_right) & cache.window()});
    CHECK(close_tensor(out, in_double(steps(whole, done, count))));
    CHECK(cache.length() <= window - 1 + count);
    done += count;
  }
  REQUIRE(done == length);
}

TEST_CASE("a window keeps memory where it is however long the sequence grows", "[attention]") {
  heed::KeyValueCache<float> cache({.batch = 1, .kv_heads = 1, .head_dim = 2, .value_dim = 2, .window = 8});
  const auto one = random_tensor<float, 4>({1, 1, 1, 2}, 6);
  const float *lowest = nullptr, *highest = nullptr;
  for (Index t = 0; t < 5000; ++t) {
    cache.append(one, one);
    if (t == 100) lowest = highest = cache.key().data;
    if (t >= 100) lowest = std::min(lowest, cache.key().data), highest = std::max(highest, cache.key().data);
  }
  CHECK(cache.position() == 5000);
  CHECK(cache.length() == 8);
  CHECK(highest - lowest <= 4 * 8 * 2);
}

TEST_CASE("what does not fit a cache is refused and changes nothing", "[attention]") {
  using Cache = heed::KeyValueCache<float>;
  CHECK(mentions(error_of([] { Cache({.batch = 1, .kv_heads = 1}); }), {"head_dim is 0"}));
  CHECK(mentions(error_of([] { Cache({.batch = 1, .kv_heads = 1, .head_dim = 2, .window = -1}); }), {"window is -1"}));
  Cache cache({.batch = 1, .kv_heads = 2, .head_dim = 4, .value_dim = 5});
  const auto k = random_tensor<float, 4>({1, 2, 3, 4}, 7), v = random_tensor<float, 4>({1, 2, 3, 5}, 8);
  cache.append(k, v);
  CHECK(mentions(error_of([&] { cache.append(v, v); }), {"append", "key"}));
  CHECK(mentions(error_of([&] { cache.append(k, steps(v, 0, 2)); }), {"append", "value"}));
  CHECK(mentions(error_of([&] { cache.truncate(4); }), {"length is 4", "0 to 3"}));
  CHECK(same_tensor(copy(cache.key()), k));
}

TEST_CASE("a cache goes on from the rows that reorder names", "[attention]") {
  heed::KeyValueCache<float> cache({.batch = 2, .kv_heads = 2, .head_dim = 3, .value_dim = 1, .window = 4});
  for (std::uint64_t step = 0; step < 6; ++step)
    cache.append(random_tensor<float, 4>({2, 2, 1, 3}, step), random_tensor<float, 4>({2, 2, 1, 1}, 10 + step));
  const heed::KeyValueCache<float> before = cache;
  const std::vector<Index> parents{1, 0, 1};
  cache.reorder(parents);
  REQUIRE(cache.key().extents == heed::Extents<4>{3, 2, before.length(), 3});
  CHECK(cache.position() == 6);
  for (Index r = 0; r < 3; ++r)
    for (Index t = 0; t < before.length(); ++t) {
      CHECK(cache.key()(r, 1, t, 2) == before.key()(parents[std::size_t(r)], 1, t, 2));
      CHECK(cache.value()(r, 0, t, 0) == before.value()(parents[std::size_t(r)], 0, t, 0));
    }
  cache.append(random_tensor<float, 4>({3, 2, 1, 3}, 20), random_tensor<float, 4>({3, 2, 1, 1}, 21));
  CHECK(cache.position() == 7);
  CHECK(mentions(error_of([&] { cache.reorder(std::vector<Index>{3}); }), {"parents[0]", "3", "2"}));
}
