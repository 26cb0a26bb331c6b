#include <heed/simd/arch.hpp>

#include "support/catch.hpp"

TEST_CASE("a register holds as many lanes as fit its bytes", "[simd]") {
  CHECK(heed::lanes<float> * 4 == static_cast<heed::Index>(sizeof(heed::Batch<float>)));
  CHECK(heed::lanes<double> * 8 == static_cast<heed::Index>(sizeof(heed::Batch<double>)));
  CHECK(heed::lanes<float> == 2 * heed::lanes<double>);
#if defined(__AVX512F__)
  CHECK(heed::lanes<float> == 16);
#elif defined(__AVX2__)
  CHECK(heed::lanes<float> == 8);
#elif defined(__SSE2__) || defined(__aarch64__)
  CHECK(heed::lanes<float> == 4);
#endif
}

TEST_CASE("at most one of the x86 families is chosen and its registers are counted", "[simd]") {
  using Arch = heed::default_arch;
  CHECK_FALSE((heed::simd_detail::avx512<Arch> && heed::simd_detail::avx2<Arch>));
  if (heed::simd_detail::avx512<Arch>) CHECK(heed::simd_detail::registers<Arch> == 32);
  if (heed::simd_detail::avx2<Arch>) CHECK(heed::simd_detail::registers<Arch> == 16);
}

TEST_CASE("the xsimd that was compiled in is supported", "[simd]") {
  CHECK(heed::xsimd_version >= std::array<int, 3>{8, 1, 0});
}
