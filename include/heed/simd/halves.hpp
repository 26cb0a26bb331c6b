#pragma once
// Two numbers of about eight bits' precision in the place of one float: half the bytes where reading is what takes the
// time. A word's upper half is the upper half of both numbers' bit patterns in turn:
//
//   odd  = the word itself, read as a float: the even number's bits lie where its last sixteen fraction bits are
//   even = the word's lower half, moved up
//
// The odd number's upper half is chosen with those bits in mind, so both are within half a unit of their eighth bit.

#include <algorithm>
#include <bit>
#include <cstdint>

#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

namespace halves_detail {

inline constexpr std::uint32_t sign_bit = 0x80000000u, smallest_normal = 0x0080u;  // the latter as an upper half

/// The upper half of the nearest float whose lower half is `low`; never subnormal, which some machines multiply slowly.
inline std::uint32_t nearest_upper_half(float x, std::uint32_t low) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = (bits & ~sign_bit) + 0x8000u;
  return ((bits & sign_bit) >> 16) | std::max(magnitude > low ? (magnitude - low) >> 16 : 0u, smallest_normal);
}

}  // namespace halves_detail

/// Both numbers in one word. Each differs from what it stands for by at most 2^-8 of it, or 2^-125 where that is more;
/// finite numbers next to the largest float become infinite.
inline float join_halves(float even, float odd) {
  using namespace halves_detail;
  std::uint32_t low = nearest_upper_half(even, 0);
  if ((low & 0x7fffu) == smallest_normal) low = 0;
  return std::bit_cast<float>(nearest_upper_half(odd, low) << 16 | low);
}

/// The even number of a word; the odd one is the word.
inline float even_half(float word) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(word) << 16); }

/// The even numbers of a register of words.
template <class Arch>
inline Batch<float, Arch> even_halves(const Batch<float, Arch>& words) {
  using namespace simd_detail;
  return from_bits<float, Arch>(shift_left<16, float, Arch>(to_bits<float, Arch>(words)));
}

}  // namespace heed::inline HEED_ABI
