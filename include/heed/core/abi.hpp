#pragma once
// The inline namespace that all of heed lives in, chosen by the flags of the including file, so that files built for
// two instruction sets (or with and without exceptions) never share a symbol: heed::abi_avx512::..., heed::abi_sse2::...

#if defined(__FAST_MATH__)
#error "heed: -ffast-math removes the infinities and NaNs that masks are made of; build without it"
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512CD__)
#define HEED_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define HEED_ISA avx2_fma
#elif defined(__AVX2__)
#define HEED_ISA avx2
#elif defined(__AVX__)
#define HEED_ISA avx
#elif defined(__SSE4_2__)
#define HEED_ISA sse4_2
#elif defined(__SSE2__) || defined(_M_X64)
#define HEED_ISA sse2
#elif defined(__aarch64__) || defined(_M_ARM64)
#define HEED_ISA neon64
#else
#define HEED_ISA generic
#endif

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define HEED_EXCEPTIONS 1
#define HEED_ABI_PASTE(isa) abi_##isa
#else
#define HEED_EXCEPTIONS 0
#define HEED_ABI_PASTE(isa) abi_##isa##_noexcept
#endif
#define HEED_ABI_EXPAND(isa) HEED_ABI_PASTE(isa)
#define HEED_ABI HEED_ABI_EXPAND(HEED_ISA)
