#pragma once
// Philox4x32-10: random numbers as a pure function of a key and a counter, so that they are the same for any number of
// threads and any order of evaluation.
// J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 4.

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include <heed/core/check.hpp>
#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// The bijection itself: 128 bits of counter to 128 random bits under a 64-bit key, ten rounds.
struct Philox {
  using Counter = std::array<std::uint32_t, 4>;
  using Key = std::array<std::uint32_t, 2>;

  static constexpr Counter block(Counter counter, Key key) {
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t first = std::uint64_t{0xD2511F53} * counter[0];
      const std::uint64_t second = std::uint64_t{0xCD9E8D57} * counter[2];
      counter = {high(second) ^ counter[1] ^ key[0], low(second), high(first) ^ counter[3] ^ key[1], low(first)};
      key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};  // golden ratio, sqrt(3) - 1
    }
    return counter;
  }
  static constexpr std::uint32_t low(std::uint64_t word) { return static_cast<std::uint32_t>(word); }
  static constexpr std::uint32_t high(std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); }
};

/// A stream of random numbers whose whole state is two integers: what a checkpoint stores. Every draw is a function of
/// (seed, offset) and moves offset on by one.
struct Rng {
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;

  /// 64 random bits.
  constexpr std::uint64_t bits() {
    const Philox::Counter word = draw();
    return (std::uint64_t{word[1]} << 32) | word[0];
  }
  /// Uniform in [0, 1), a multiple of 2^-53.
  constexpr double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// Uniform in [low, high).
  constexpr double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal, by Box and Muller's transformation of one block.
  double normal() {
    const Philox::Counter word = draw();
    const std::uint64_t a = (std::uint64_t{word[1]} << 32) | word[0];
    const std::uint64_t b = (std::uint64_t{word[3]} << 32) | word[2];
    const double radius = std::sqrt(-2.0 * std::log(static_cast<double>((a >> 11) + 1) * 0x1p-53));  // in (0, 1]
    return radius * std::cos(6.283185307179586476925 * static_cast<double>(b >> 11) * 0x1p-53);
  }
  /// Uniform in [0, count), without bias: draws that fall in the incomplete last interval are thrown away.
  Index below(Index count) {
    check(count > 0, [&] { return "Rng::below: count is " + std::to_string(count) + ", wanted at least 1"; });
    const auto n = static_cast<std::uint64_t>(count);
    const std::uint64_t excess = (~std::uint64_t{0} % n + 1) % n;  // 2^64 mod n
    std::uint64_t value = bits();
    while (value < excess) value = bits();
    return static_cast<Index>(value % n);
  }
  /// Puts `items` (size(), operator[]) into a random order: Fisher and Yates.
  template <class Items>
  void shuffle(Items& items) {
    for (auto last = static_cast<Index>(items.size()); last > 1; --last)
      std::swap(items[static_cast<std::size_t>(last - 1)], items[static_cast<std::size_t>(below(last))]);
  }
  /// Hands out the current (seed, offset) and moves on: one call per random operation, for instance per dropout.
  constexpr Rng next() { return Rng{seed, offset++}; }

 private:
  constexpr Philox::Counter draw() {
    const std::uint64_t at = offset++;
    return Philox::block({Philox::low(at), Philox::high(at), 0, 0}, {Philox::low(seed), Philox::high(seed)});
  }
};

/// Random bits at a coordinate (SEMANTICS 17): a pure function of (seed, offset) and four indices, never of a flattened
/// index, tile, thread or batch size. Its key is drawn from another part of the counter space than Rng's own stream.
class CoordinateBits {
 public:
  explicit constexpr CoordinateBits(const Rng& rng) : key_{} {
    const Philox::Counter word = Philox::block({Philox::low(rng.offset), Philox::high(rng.offset), 0, 1},
                                               {Philox::low(rng.seed), Philox::high(rng.seed)});
    key_ = {word[0], word[1]};
  }
  /// The four words of last-axis positions 4 * quad ... 4 * quad + 3: one Philox block for four neighbours.
  constexpr Philox::Counter quad(Index a, Index b, Index c, Index quad) const {
    return Philox::block({static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(c),
                          static_cast<std::uint32_t>(quad)},
                         key_);
  }
  /// 32 random bits at (a, b, c, d), each index below 2^32 (d below 2^34).
  constexpr std::uint32_t operator()(Index a, Index b, Index c, Index d) const {
    return quad(a, b, c, d / 4)[static_cast<std::size_t>(d % 4)];
  }

 private:
  Philox::Key key_;
};

/// The bound that a 32-bit word is below with this probability: `bits < probability_threshold(p)` drops with rate p.
/// 64 bits wide, so that 1 means always.
constexpr std::uint64_t probability_threshold(double probability) {
  return static_cast<std::uint64_t>(probability * 0x1p32);
}

}  // namespace heed::inline HEED_ABI
