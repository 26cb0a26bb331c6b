#pragma once
// What is done with one register. Hides what differs between xsimd 8.1 and 14 or is wrong in some of them: fma on
// AVX-512, max of NaN, reductions, masked tails.
//
// The operations are function objects, not functions: an unqualified fma(a, b, c) inside heed must never find
// xsimd::fma through its arguments. Outside heed write heed::fma, heed::select, ... A type of one's own joins them
// through functions beside it, fma_of, select_of, ... (dual.hpp).

#include <cassert>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <heed/simd/codegen.hpp>
#include <heed/simd/halving.hpp>

namespace heed::inline HEED_ABI {

/// All lanes x.
template <Real T, class Arch = default_arch>
inline Batch<T, Arch> broadcast(T x) {
  return Batch<T, Arch>(x);
}

/// lanes<T, Arch> elements from p, which needs no alignment.
template <Real T, class Arch = default_arch>
inline Batch<T, Arch> load(const T* p) {
  return Batch<T, Arch>::load_unaligned(p);
}

namespace simd_detail {

#if defined(__AVX512F__)
inline __mmask16 first_bits(Index count) { return static_cast<__mmask16>((1u << count) - 1u); }
#endif
#if defined(__AVX2__)
// 8 ones, 8 zeros: a window of n words that starts n_set words before the zeros has its first n_set words set.
alignas(64) inline constexpr std::int32_t mask_window[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
template <class T>
inline __m256i first_words(Index count) {
  const std::int32_t* begin = mask_window + 8 - count * static_cast<Index>(sizeof(T) / 4);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(begin));
}
#endif

struct Fma {
  template <Real T, class Arch>
  Batch<T, Arch> operator()(const Batch<T, Arch>& a, const Batch<T, Arch>& b, const Batch<T, Arch>& c) const {
#if defined(__AVX512F__)  // xsimd before 11 multiplies, then adds
    if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_fmadd_ps(a, b, c);
    if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_fmadd_pd(a, b, c);
#endif
    return xsimd::fma(a, b, c);
  }
  template <Real T>
  T operator()(T a, T b, T c) const {
    if constexpr (fused) return std::fma(a, b, c);
    return a * b + c;
  }
  auto operator()(const auto& a, const auto& b, const auto& c) const -> decltype(fma_of(a, b, c)) {
    return fma_of(a, b, c);
  }
};

struct Fnma {
  template <Real T, class Arch>
  Batch<T, Arch> operator()(const Batch<T, Arch>& a, const Batch<T, Arch>& b, const Batch<T, Arch>& c) const {
#if defined(__AVX512F__)
    if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_fnmadd_ps(a, b, c);
    if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_fnmadd_pd(a, b, c);
#endif
#if defined(__FMA__)
    return xsimd::fnma(a, b, c);
#else  // xsimd 8.1 has one for x86 alone; elsewhere it multiplies, then adds
    return xsimd::fma(-a, b, c);
#endif
  }
  template <Real T>
  T operator()(T a, T b, T c) const {
    if constexpr (fused) return std::fma(-a, b, c);
    return c - a * b;
  }
  auto operator()(const auto& a, const auto& b, const auto& c) const -> decltype(fnma_of(a, b, c)) {
    return fnma_of(a, b, c);
  }
};

struct Divide {
  template <class V>
  V operator()(const V& a, const V& b) const {
#if defined(__aarch64__)  // xsimd 8.1 refines an estimate of 1 / b in two steps, which is not rounded once
    if constexpr (std::same_as<V, xsimd::batch<float, xsimd::neon64>>) return vdivq_f32(a, b);
#endif
    return a / b;
  }
};

struct Select {
  // What is selected may be a scalar too: T and Arch are the mask's.
  template <Real T, class Arch>
  Batch<T, Arch> operator()(const BatchMask<T, Arch>& mask, const std::type_identity_t<Batch<T, Arch>>& a,
                            const std::type_identity_t<Batch<T, Arch>>& b) const {
    return xsimd::select(mask, a, b);
  }
  template <Real T, Real U>
  std::common_type_t<T, U> operator()(bool mask, T a, U b) const {
    return mask ? a : b;
  }
  auto operator()(const auto& mask, const auto& a, const auto& b) const -> decltype(select_of(mask, a, b)) {
    return select_of(mask, a, b);
  }
};

// x86's max returns its second operand when either is NaN, other machines differ; here a NaN in either one survives.
struct Maximum {
  template <Real T, class Arch>
  Batch<T, Arch> operator()(const Batch<T, Arch>& a, const Batch<T, Arch>& b) const {
#if defined(__AVX512F__)
    if constexpr (avx512<Arch> && std::same_as<T, float>)
      return _mm512_mask_max_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b);
    if constexpr (avx512<Arch> && std::same_as<T, double>)
      return _mm512_mask_max_pd(a, _mm512_cmp_pd_mask(a, a, _CMP_ORD_Q), a, b);
#endif
    return xsimd::select((a > b) | !(a == a), a, b);  // xsimd before 9: NaN != NaN is false on AVX
  }
  template <Real T>
  T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
  auto operator()(const auto& a, const auto& b) const -> decltype(maximum_of(a, b)) { return maximum_of(a, b); }
};

struct Minimum {
  template <Real T, class Arch>
  Batch<T, Arch> operator()(const Batch<T, Arch>& a, const Batch<T, Arch>& b) const {
#if defined(__AVX512F__)
    if constexpr (avx512<Arch> && std::same_as<T, float>)
      return _mm512_mask_min_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b);
    if constexpr (avx512<Arch> && std::same_as<T, double>)
      return _mm512_mask_min_pd(a, _mm512_cmp_pd_mask(a, a, _CMP_ORD_Q), a, b);
#endif
    return xsimd::select((a < b) | !(a == a), a, b);
  }
  template <Real T>
  T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
  auto operator()(const auto& a, const auto& b) const -> decltype(minimum_of(a, b)) { return minimum_of(a, b); }
};

// One instruction on x86, where it is a > b ? a : b.
struct Larger {
  template <Real T, class Arch>
  Batch<T, Arch> operator()(const Batch<T, Arch>& a, const Batch<T, Arch>& b) const {
#if defined(__AVX512F__)  // the unmasked forms: g++ 12 warns of its own header
    if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_max_ps(0xffff, a, b);
    if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_max_pd(0xff, a, b);
#endif
    return xsimd::max(a, b);
  }
};

struct Store {
  template <Real T, class Arch>
  void operator()(T* p, const Batch<T, Arch>& x) const {
    x.store_unaligned(p);
  }
};

struct StorePartial {
  template <Real T, class Arch>
  void operator()(T* p, const Batch<T, Arch>& x, Index count) const {
    assert(count >= 0 && count <= (lanes<T, Arch>));
#if defined(__AVX512F__)
    if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_mask_storeu_ps(p, first_bits(count), x);
    if constexpr (avx512<Arch> && std::same_as<T, double>)
      return _mm512_mask_storeu_pd(p, static_cast<__mmask8>(first_bits(count)), x);
#endif
#if defined(__AVX2__)
    if constexpr (avx2<Arch> && std::same_as<T, float>) return _mm256_maskstore_ps(p, first_words<T>(count), x);
    if constexpr (avx2<Arch> && std::same_as<T, double>) return _mm256_maskstore_pd(p, first_words<T>(count), x);
#endif
    alignas(64) T buffer[static_cast<std::size_t>(lanes<T, Arch>)];
    x.store_unaligned(buffer);
    for (Index i = 0; i < count; ++i) p[i] = buffer[i];
  }
};

struct Add {
  template <Real T>
  T operator()(T a, T b) const {
    return a + b;
  }
};

// Halves the register until one lane is left: lane i meets lane i + lanes / 2, then i + lanes / 4, ...
template <class Combine>
struct Reduce {
  template <Real T, class Arch>
  T operator()(const Batch<T, Arch>& x) const {
#if defined(__AVX2__)
    if constexpr (std::same_as<Combine, Add> && (avx512<Arch> || avx2<Arch>)) {
      return sum_by_halving(static_cast<typename Batch<T, Arch>::register_type>(x));
    }
#endif
    alignas(64) T buffer[static_cast<std::size_t>(lanes<T, Arch>)];
    x.store_unaligned(buffer);
    for (Index half = lanes<T, Arch> / 2; half > 0; half /= 2)
      for (Index i = 0; i < half; ++i) buffer[i] = Combine()(buffer[i], buffer[i + half]);
    return buffer[0];
  }
};

}  // namespace simd_detail

/// a * b + c, rounded once where the instruction set can (FMA, AVX-512, NEON), twice elsewhere. Batches or scalars.
inline constexpr simd_detail::Fma fma;
/// c - a * b, rounded as fma.
inline constexpr simd_detail::Fnma fnma;
/// a / b, rounded once, of batches or scalars: what `/` is everywhere but for float on 64-bit ARM.
inline constexpr simd_detail::Divide divide;
/// Lane by lane mask ? a : b.
inline constexpr simd_detail::Select select;
/// The larger operand; a NaN in either one survives. Of equal ones the second.
inline constexpr simd_detail::Maximum maximum;
/// The smaller operand; a NaN in either one survives. Of equal ones the second.
inline constexpr simd_detail::Minimum minimum;
/// The larger operand of batches, for loops that cannot afford maximum: what a NaN gives depends on the machine.
inline constexpr simd_detail::Larger larger;
/// store(p, x): all lanes to p, which needs no alignment.
inline constexpr simd_detail::Store store;
/// store_partial(p, x, count): the first count lanes, 0 <= count <= lanes; memory behind them is not touched.
inline constexpr simd_detail::StorePartial store_partial;
/// The sum of all lanes, by halving.
inline constexpr simd_detail::Reduce<simd_detail::Add> reduce_add;
/// The largest lane, NaN if there is one.
inline constexpr simd_detail::Reduce<simd_detail::Maximum> reduce_max;
/// The smallest lane, NaN if there is one.
inline constexpr simd_detail::Reduce<simd_detail::Minimum> reduce_min;

/// The first count elements from p, 0 <= count <= lanes, and fill in the other lanes; memory behind is not read.
template <Real T, class Arch = default_arch>
inline Batch<T, Arch> load_partial(const T* p, Index count, T fill = T(0)) {
  assert(count >= 0 && count <= (lanes<T, Arch>));
#if defined(__AVX512F__)
  if constexpr (simd_detail::avx512<Arch> && std::same_as<T, float>)
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), simd_detail::first_bits(count), p);
  if constexpr (simd_detail::avx512<Arch> && std::same_as<T, double>)
    return _mm512_mask_loadu_pd(_mm512_set1_pd(fill), static_cast<__mmask8>(simd_detail::first_bits(count)), p);
#endif
#if defined(__AVX2__)
  if constexpr (simd_detail::avx2<Arch> && std::same_as<T, float>) {
    const __m256i mask = simd_detail::first_words<T>(count);
    return _mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
  }
  if constexpr (simd_detail::avx2<Arch> && std::same_as<T, double>) {
    const __m256i mask = simd_detail::first_words<T>(count);
    return _mm256_blendv_pd(_mm256_set1_pd(fill), _mm256_maskload_pd(p, mask), _mm256_castsi256_pd(mask));
  }
#endif
  alignas(64) T buffer[static_cast<std::size_t>(lanes<T, Arch>)];
  for (Index i = 0; i < lanes<T, Arch>; ++i) buffer[i] = i < count ? p[i] : fill;
  return Batch<T, Arch>::load_unaligned(buffer);
}

/// A batch whose lanes are 0, 1, 2, ...
template <Real T, class Arch = default_arch>
inline Batch<T, Arch> iota() {
  alignas(64) T buffer[static_cast<std::size_t>(lanes<T, Arch>)];
  for (Index i = 0; i < lanes<T, Arch>; ++i) buffer[i] = static_cast<T>(i);
  return Batch<T, Arch>::load_unaligned(buffer);
}

/// True in the first count lanes.
template <Real T, class Arch = default_arch>
inline BatchMask<T, Arch> first_lanes(Index count) {
  return iota<T, Arch>() < Batch<T, Arch>(static_cast<T>(count));
}

/// True where x is NaN.
template <Real T, class Arch>
inline BatchMask<T, Arch> is_nan(const Batch<T, Arch>& x) {
  return !(x == x);  // xsimd 8: NaN != NaN is false on AVX and AVX-512
}

/// Whether a lane of the mask is true.
template <class T, class Arch>
inline bool any_lane(const xsimd::batch_bool<T, Arch>& mask) {
  return xsimd::any(mask);
}

}  // namespace heed::inline HEED_ABI
