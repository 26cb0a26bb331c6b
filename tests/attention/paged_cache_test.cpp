#include <heed/attention/paged_cache.hpp>

#include "attention/attention_testing.hpp"

using namespace heed_test;

TEST_CASE("steps lie in pages in their order, any page size", "[attention]") {
  const auto k = random_tensor<float, 3>({2, 23, 4}, 1), v = random_tensor<float, 3>({2, 23, 3}, 2);
  for (const Index page_size : {1, 4, 23, 50}) {
    heed::PagedKeyValueCache<float> cache({.kv_heads = 2, .head_dim = 4, .value_dim = 3, .pages = 23, .page_size = page_size});
    const Index sequence = cache.add();
    Index done = 0;
    for (const Index count : {5, 0, 1, 17}) {
      const heed::View<const float, 3> keys(k.data() + done * 4, {2, count, 4}, {92, 4, 1}), values(v.data() + done * 3, {2, count, 3}, {69, 3, 1});
      cache.append(sequence, keys, values);
      done += count;
    }
    REQUIRE(cache.length(sequence) == 23);
    CHECK(static_cast<Index>(cache.pages(sequence).size()) == (22 + page_size) / page_size);
    for (Index t = 0; t < 23; ++t) {
      const Index page = cache.pages(sequence)[static_cast<std::size_t>(t / page_size)];
      for (Index h = 0; h < 2; ++h) {
        CHECK(cache.key_rows(page, h)[t % page_size * 4 + 1] == k(h, t, 1));
        CHECK(cache.value_rows(page, h)[t % page_size * 3 + 2] == v(h, t, 2));
      }
    }
  }
}

TEST_CASE("a shared last page is copied before it is written to", "[attention]") {
  heed::PagedKeyValueCache<float> cache({.kv_heads = 1, .head_dim = 1, .value_dim = 1, .pages = 4, .page_size = 4});
  const auto step = [&](Index sequence, float x) { cache.append(sequence, heed::View<const float, 3>(&x, {1, 1, 1}), heed::View<const float, 3>(&x, {1, 1, 1})); };
  const Index a = cache.add();
  for (const float x : {1.0f, 2.0f, 3.0f, 4.0f, 5.0f}) step(a, x);
  const Index b = cache.fork(a);
  step(b, 6.0f);
  step(a, 7.0f);
  CHECK(cache.pages(a)[0] == cache.pages(b)[0]);
  CHECK(cache.pages(a)[1] != cache.pages(b)[1]);
  CHECK(cache.key_rows(cache.pages(a)[1], 0)[0] == 5.0f);
  CHECK(cache.key_rows(cache.pages(b)[1], 0)[0] == 5.0f);
  CHECK(cache.key_rows(cache.pages(a)[1], 0)[1] == 7.0f);
  CHECK(cache.key_rows(cache.pages(b)[1], 0)[1] == 6.0f);
  cache.release(a);
  CHECK(cache.free_pages() == 2);
  CHECK(cache.length(b) == 6);
}

TEST_CASE("A30: pools without room and pages of no steps are refused, pages above every length are not", "[attention]") {
  using Cache = heed::PagedKeyValueCache<float>;
  CHECK(mentions(error_of([] { Cache({.kv_heads = 1, .head_dim = 0, .pages = 1}); }), {"head_dim is 0"}));
  CHECK(mentions(error_of([] { Cache({.kv_heads = 1, .head_dim = 2, .pages = 1, .page_size = 0}); }), {"page_size 0, wanted both at least 1"}));
  Cache wide({.kv_heads = 1, .head_dim = 1, .value_dim = 1, .pages = 1, .page_size = 5000});
  const float x = 3;
  const Index sequence = wide.add();
  wide.append(sequence, heed::View<const float, 3>(&x, {1, 1, 1}), heed::View<const float, 3>(&x, {1, 1, 1}));
  CHECK(wide.key_rows(wide.pages(sequence)[0], 0)[0] == 3);
  CHECK_THROWS_AS(Cache({.kv_heads = 1, .head_dim = 2, .pages = -1}), heed::Error);
}
