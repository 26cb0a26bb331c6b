#include <heed/core/random.hpp>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "support/catch.hpp"

using heed::CoordinateBits;
using heed::Index;
using heed::Philox;
using heed::Rng;

TEST_CASE("Philox gives the published known answers", "[core]") {
  // Random123, kat_vectors: philox4x32 with 10 rounds
  CHECK(Philox::block({0, 0, 0, 0}, {0, 0}) == Philox::Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(Philox::block({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Philox::Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(Philox::block({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Philox::Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("An Rng goes on from its stored seed and offset", "[core]") {
  Rng first{7, 0};
  std::vector<double> whole;
  for (int i = 0; i < 20; ++i) whole.push_back(i % 2 == 0 ? first.uniform() : first.normal());
  Rng second{7, 12};
  for (int i = 12; i < 20; ++i) CHECK((i % 2 == 0 ? second.uniform() : second.normal()) == whole[std::size_t(i)]);
  CHECK(first.offset == 20);
  Rng other{8, 0};
  CHECK(other.uniform() != whole[0]);
}

TEST_CASE("Uniform and normal draws have the moments of their laws", "[core]") {
  Rng rng{1, 0};
  const int draws = 200000;
  double sum = 0, square = 0, least = 1, most = 0, normal_sum = 0, normal_square = 0, tail = 0;
  for (int i = 0; i < draws; ++i) {
    const double u = rng.uniform();
    sum += u, square += u * u, least = std::min(least, u), most = std::max(most, u);
    const double z = rng.normal();
    normal_sum += z, normal_square += z * z, tail += std::abs(z) > 1.959964 ? 1 : 0;
  }
  CHECK(sum / draws == Approx(0.5).margin(0.003));  // four standard errors: 4 * 0.289 / sqrt(200000)
  CHECK(square / draws == Approx(1.0 / 3).margin(0.003));
  CHECK(least >= 0);
  CHECK(most < 1);
  CHECK(normal_sum / draws == Approx(0).margin(0.009));
  CHECK(normal_square / draws == Approx(1).margin(0.013));
  CHECK(tail / draws == Approx(0.05).margin(0.002));
  for (int i = 0; i < 1000; ++i) {
    const double u = rng.uniform(-2, 3);
    CHECK((u >= -2 && u < 3));
  }
}

TEST_CASE("below is uniform and refuses an empty range", "[core]") {
  Rng rng{3, 0};
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[std::size_t(rng.below(7))];
  for (const int count : counts) CHECK(count == Approx(10000).margin(400));
  CHECK(rng.below(1) == 0);
  CHECK(rng.below(PTRDIFF_MAX) >= 0);
  CHECK_THROWS_WITH(rng.below(0), Catch::Contains("count is 0"));
}

TEST_CASE("shuffle permutes, and every place is reached", "[core]") {
  Rng rng{4, 0};
  std::set<int> firsts;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<int> items(10);
    std::iota(items.begin(), items.end(), 0);
    rng.shuffle(items);
    firsts.insert(items[0]);
    std::sort(items.begin(), items.end());
    for (int i = 0; i < 10; ++i) CHECK(items[std::size_t(i)] == i);
  }
  CHECK(firsts.size() == 10);
}

TEST_CASE("Coordinate bits depend on the coordinate, the seed and the offset alone", "[core]") {
  const CoordinateBits bits(Rng{5, 9});
  CHECK(bits(1, 2, 3, 4) == CoordinateBits(Rng{5, 9})(1, 2, 3, 4));
  std::set<std::uint32_t> seen;
  for (Index a = 0; a < 3; ++a)
    for (Index b = 0; b < 3; ++b)
      for (Index c = 0; c < 3; ++c)
        for (Index d = 0; d < 9; ++d) seen.insert(bits(a, b, c, d));
  seen.insert(CoordinateBits(Rng{6, 9})(0, 0, 0, 0));
  seen.insert(CoordinateBits(Rng{5, 10})(0, 0, 0, 0));
  CHECK(seen.size() == 3 * 3 * 3 * 9 + 2);
  const Philox::Counter quad = bits.quad(1, 2, 3, 5);
  for (Index lane = 0; lane < 4; ++lane) CHECK(quad[std::size_t(lane)] == bits(1, 2, 3, 20 + lane));
}

TEST_CASE("Each call of next hands out another offset", "[core]") {
  Rng rng{11, 40};
  const Rng first = rng.next(), second = rng.next();
  CHECK(first.seed == 11);
  CHECK(first.offset == 40);
  CHECK(second.offset == 41);
  CHECK(rng.offset == 42);
}

TEST_CASE("A probability's threshold keeps and drops at that rate", "[core]") {
  CHECK(heed::probability_threshold(0) == 0);
  CHECK(heed::probability_threshold(1) == std::uint64_t{1} << 32);  // above every 32-bit word
  const CoordinateBits bits(Rng{2, 2});
  int dropped = 0;
  for (Index i = 0; i < 100000; ++i) dropped += bits(0, 0, i / 100, i % 100) < heed::probability_threshold(0.2) ? 1 : 0;
  CHECK(dropped / 100000.0 == Approx(0.2).margin(0.006));
}
