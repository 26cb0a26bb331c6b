#include <heed/attention/modifier.hpp>

#include "attention/modifier_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Causal, said per pair, and optionally per tile.
struct CausalPairs {
  auto operator()(const auto& at) const { return at.key <= at.query; }
};
struct CausalTiles : CausalPairs {
  Index* visited;  // tiles that were not empty
  Tile classify(Range queries, Range keys) const {
    if (keys.first > queries.end - 1) return Tile::empty;
    ++*visited;
    return keys.end - 1 <= queries.first ? Tile::full : Tile::mixed;
  }
};

/// The same as a boolean mask (batch, 1, query_length, key_length) of visible(b, i, j).
template <class Visible>
Tensor<std::uint8_t, 4> byte_mask(Index batch, Index queries, Index keys, const Visible& visible) {
  Tensor<std::uint8_t, 4> bytes(batch, Index{1}, queries, keys);
  for (Index b = 0; b < batch; ++b)
    for (Index i = 0; i < queries; ++i)
      for (Index j = 0; j < keys; ++j) bytes(b, Index{0}, i, j) = visible(b, i, j);
  return bytes;
}

}  // namespace

TEMPLATE_TEST_CASE("a causal callable has the bits of causal()", "[attention]", float, double) {
  const Problem<TestType> in(2, 200, 200);
  const auto named = in.attend({.mask = causal()});
  check_same_bits(in.attend({}, mask(CausalPairs{})), named);
  Index visited = 0;
  check_same_bits(in.attend({}, mask(CausalTiles{{}, &visited})), named);
}

TEST_CASE("a callable that classifies is asked once per tile, and empty tiles are skipped", "[attention]") {
  const Problem<float> in(1, 512, 512);
  const Serial serial;
  Index visited = 0;
  const auto found = scaled_dot_product_attention(in.query, in.key, in.value, {}, serial,
                                                  mask(CausalTiles{{}, &visited}));
  const Index blocks = 512 / flash_query_block<float>, all = 4 * blocks * (512 / flash_detail::flash_keys);
  CHECK(visited > 0);
  CHECK(visited < all * 3 / 4);
  CHECK(same_tensor(found, scaled_dot_product_attention(in.query, in.key, in.value, {.mask = causal()})));
}

TEST_CASE("window, prefix and dilated callables mask what the same boolean mask does", "[attention]") {
  const Problem<double> in(2, 70, 150);
  const std::vector<double> prefix{20, 90};
  const auto check = [&](const auto& callable, const auto& visible) {
    const auto bytes = byte_mask(2, 70, 150, visible);
    check_same_bits(in.attend({}, heed::mask(callable)), in.attend({.mask = boolean_mask(bytes)}));
  };
  SECTION("sliding window") {
    check([](auto at) { return (at.key >= at.query - 9) & (at.key <= at.query + 4); },
          [](Index, Index i, Index j) { return j >= i - 9 && j <= i + 4; });
  }
  SECTION("prefix") {
    check([&](auto at) { return (at.key < prefix[std::size_t(at.batch)]) | (at.key <= at.query); },
          [&](Index b, Index i, Index j) { return double(j) < prefix[std::size_t(b)] || j <= i; });
  }
  SECTION("dilated") {
    check(
        [](auto at) {
          const auto steps = at.query - at.key;
          return steps == 3 * heed::floor(steps / 3);
        },
        [](Index, Index i, Index j) { return (i - j) % 3 == 0; });
  }
}

TEST_CASE("a document callable has the bits of segment_ids", "[attention]") {
  const Problem<float> in(2, 140, 140);
  std::vector<float> document(140);
  Tensor<Index, 2> ids(2, 140);
  for (Index i = 0; i < 140; ++i) {
    document[std::size_t(i)] = static_cast<float>(i / 33);
    ids(0, i) = ids(1, i) = i / 33;
  }
  const auto same = [&](auto at) { return lookup(document, at.query) == lookup(document, at.key); };
  check_same_bits(in.attend({}, mask(same)), in.attend({.mask = segment_ids(ids)}));
}

TEST_CASE("a mask callable joins the other masks, and what both hide is never read", "[attention]") {
  const std::vector<Index> lengths{60, 131};
  Problem<double> in(2, 131, 131);
  const auto options = AttentionOptions<double>{.mask = causal() & key_lengths(lengths)};
  const auto even = [](auto at) { return at.key == 2 * heed::floor(at.key / 2); };
  const auto bytes = byte_mask(2, 131, 131, [](Index, Index, Index j) { return j % 2 == 0; });
  const auto wanted = in.attend({.mask = options.mask & boolean_mask(bytes)});
  check_same_bits(in.attend(options, mask(even)), wanted);
  for (Index h = 0; h < 2; ++h)
    for (Index d = 0; d < 6; ++d) in.key(1, h, 77, d) = in.value(1, h, 77, d) = not_a_number<double>;
  const auto poisoned = in.attend(options, mask(even));
  check_same_bits(poisoned, wanted);
}

TEST_CASE("one query sees what a mask callable leaves it", "[attention]") {
  const Problem<float> in(2, 1, 700);
  const auto far = [](auto at) { return at.key > 300; };
  const auto bytes = byte_mask(2, 1, 700, [](Index, Index, Index j) { return j > 300; });
  check_close(in.attend({}, mask(far)), in.attend({.mask = boolean_mask(bytes)}));
}

TEST_CASE("a row that a callable hides whole gives zeros and -inf", "[attention]") {
  const Problem<double> in(1, 3, 5);
  const auto found = in.attend({}, mask([](auto at) { return at.query + 0 * at.key != 1; }));
  for (Index e = 0; e < 6; ++e) CHECK(found.forward.output(0, 0, 1, e) == 0);
  CHECK(found.forward.logsumexp(0, 0, 1) == -infinite<double>);
  CHECK(found.forward.logsumexp(0, 0, 2) > -infinite<double>);
}
