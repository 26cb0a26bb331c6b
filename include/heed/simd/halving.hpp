#pragma once
// The sum of a register by halving, in registers: lane i meets lane i + lanes / 2, then i + lanes / 4, ... The same order,
// and so the same bits, as the loop over lanes that other machines take (batch.hpp).

#include <heed/simd/arch.hpp>

namespace heed::inline HEED_ABI {

namespace simd_detail {

#if defined(__AVX2__)
inline float sum_by_halving(__m128 x) {
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
inline double sum_by_halving(__m128d x) { return _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x))); }
inline float sum_by_halving(__m256 x) {
  return sum_by_halving(_mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)));
}
inline double sum_by_halving(__m256d x) {
  return sum_by_halving(_mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1)));
}
#endif
#if defined(__AVX512F__)
// Masks of ones: g++ 12 warns of its own header's plain forms and of its casts to half a register.
inline double sum_by_halving(__m512d x) {
  const __m256d lower = _mm512_maskz_extractf64x4_pd(0xf, x, 0), upper = _mm512_maskz_extractf64x4_pd(0xf, x, 1);
  return sum_by_halving(_mm256_add_pd(lower, upper));
}
inline float sum_by_halving(__m512 x) {
  const __m512d pairs = _mm512_castps_pd(x);
  const __m256d lower = _mm512_maskz_extractf64x4_pd(0xf, pairs, 0);
  const __m256d upper = _mm512_maskz_extractf64x4_pd(0xf, pairs, 1);
  return sum_by_halving(_mm256_add_ps(_mm256_castpd_ps(lower), _mm256_castpd_ps(upper)));
}
#endif

}  // namespace simd_detail

}  // namespace heed::inline HEED_ABI
