#pragma once
// The registers of the instruction set that a file is compiled for, by way of xsimd. Only simd/ names xsimd.

#include <array>
#include <type_traits>

#include <xsimd/xsimd.hpp>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <heed/core/numeric.hpp>
#include <heed/core/view.hpp>

#if XSIMD_VERSION_MAJOR < 8 || (XSIMD_VERSION_MAJOR == 8 && XSIMD_VERSION_MINOR < 1)
#error "heed: xsimd 8.1 or newer is needed"
#endif

namespace heed::inline HEED_ABI {

/// The widest instruction set that the including file is compiled for.
using default_arch = xsimd::default_arch;

/// One register of T: +, -, *, / and comparisons are lane by lane. a * b + c must be written fma(a, b, c).
template <class T, class Arch = default_arch>
using Batch = xsimd::batch<T, Arch>;

/// One truth value per lane of Batch<T, Arch>.
template <class T, class Arch = default_arch>
using BatchMask = xsimd::batch_bool<T, Arch>;

/// Elements of T in one register.
template <class T, class Arch = default_arch>
inline constexpr Index lanes = static_cast<Index>(Batch<T, Arch>::size);

/// The xsimd that was compiled in: "8.1.0".
inline constexpr std::array<int, 3> xsimd_version = {XSIMD_VERSION_MAJOR, XSIMD_VERSION_MINOR, XSIMD_VERSION_PATCH};

namespace simd_detail {

#if defined(__AVX512F__)
template <class Arch>
inline constexpr bool avx512 = std::is_base_of_v<xsimd::avx512f, Arch>;
#else
template <class Arch>
inline constexpr bool avx512 = false;
#endif
#if defined(__AVX2__)
template <class Arch>
inline constexpr bool avx2 = std::is_base_of_v<xsimd::avx2, Arch> && !avx512<Arch>;
#else
template <class Arch>
inline constexpr bool avx2 = false;
#endif
#if defined(__FMA__) || defined(__AVX512F__) || defined(__ARM_FEATURE_FMA)
inline constexpr bool fused = true;
#else
inline constexpr bool fused = false;
#endif

/// Registers of an instruction set.
#if defined(__aarch64__) || defined(_M_ARM64)
template <class Arch>
inline constexpr int registers = 32;
#else
template <class Arch>
inline constexpr int registers = avx512<Arch> ? 32 : 16;
#endif

}  // namespace simd_detail

}  // namespace heed::inline HEED_ABI
