#pragma once
// Registers of floating point numbers as integers of the same width: exponents taken out and put in, for the functions of
// math.hpp and exp2.hpp.

#include <heed/simd/batch.hpp>
#include <heed/simd/math_constants.hpp>

namespace heed::inline HEED_ABI {

namespace simd_detail {

template <class T, class Arch>
using BitsBatch = xsimd::batch<typename MathConstants<T>::Bits, Arch>;

template <class T, class Arch>
inline BitsBatch<T, Arch> to_bits(const Batch<T, Arch>& x) {
#if XSIMD_VERSION_MAJOR < 11
  return xsimd::bitwise_cast<BitsBatch<T, Arch>>(x);
#else
  return xsimd::bitwise_cast<typename MathConstants<T>::Bits>(x);
#endif
}
template <class T, class Arch>
inline Batch<T, Arch> from_bits(const BitsBatch<T, Arch>& x) {
#if XSIMD_VERSION_MAJOR < 11
  return xsimd::bitwise_cast<Batch<T, Arch>>(x);
#else
  return xsimd::bitwise_cast<T>(x);
#endif
}

// Integers to and from the place of the exponent. Zero-masked on AVX-512: g++ 12 warns of its own header's plain form.
template <class T, class Arch>
inline BitsBatch<T, Arch> to_exponent(const BitsBatch<T, Arch>& bits) {
#if defined(__AVX512F__)
  if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_slli_epi32(0xffff, bits, 23);
  if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_slli_epi64(0xff, bits, 52);
#endif
  return bits << MathConstants<T>::mantissa_bits;
}
template <class T, class Arch>
inline BitsBatch<T, Arch> exponent_bits(const BitsBatch<T, Arch>& bits) {
#if defined(__AVX512F__)
  if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_srli_epi32(0xffff, bits, 23);
  if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_srli_epi64(0xff, bits, 52);
#endif
  return bits >> MathConstants<T>::mantissa_bits;
}

// Shifts of every lane. (Full masks: gcc 12 warns of the undefined operand that its header gives the unmasked forms.)
template <int Bits, class T, class Arch>
inline BitsBatch<T, Arch> shift_left(const BitsBatch<T, Arch>& x) {
#if defined(__AVX512F__)
  if constexpr (avx512<Arch> && sizeof(T) == 4) return _mm512_maskz_slli_epi32(0xffff, x, Bits);
  if constexpr (avx512<Arch> && sizeof(T) == 8) return _mm512_maskz_slli_epi64(0xff, x, Bits);
#endif
  return x << Bits;
}
template <int Bits, class T, class Arch>
inline BitsBatch<T, Arch> shift_right(const BitsBatch<T, Arch>& x) {
#if defined(__AVX512F__)
  if constexpr (avx512<Arch> && sizeof(T) == 4) return _mm512_maskz_srli_epi32(0xffff, x, Bits);
  if constexpr (avx512<Arch> && sizeof(T) == 8) return _mm512_maskz_srli_epi64(0xff, x, Bits);
#endif
  return x >> Bits;
}

/// 2^n for an integer n in the normal range: the sum's low bits are n + bias, shifted into the exponent.
template <class T, class Arch>
inline Batch<T, Arch> power_of_two(const Batch<T, Arch>& n) {
  using C = MathConstants<T>;
  const Batch<T, Arch> biased = n + Batch<T, Arch>(C::round_magic + C::bias);
  return from_bits<T, Arch>(to_exponent<T, Arch>(to_bits<T, Arch>(biased)));
}

}  // namespace simd_detail

}  // namespace heed::inline HEED_ABI
