#include <heed/core/abi.hpp>

#include <string>
#include <typeinfo>

#include "support/catch.hpp"

namespace heed::inline HEED_ABI {
struct Named {};
}  // namespace heed::inline HEED_ABI

TEST_CASE("The inline namespace is named after the instruction set of the including file", "[core]") {
  const std::string name = typeid(heed::Named).name();
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
  CHECK_THAT(name, Catch::Contains("abi_avx512"));
#elif defined(__AVX2__) && defined(__FMA__)
  CHECK_THAT(name, Catch::Contains("abi_avx2_fma"));
#elif defined(__x86_64__) && !defined(__AVX__) && !defined(__SSE4_2__)
  CHECK_THAT(name, Catch::Contains("abi_sse2"));
#else
  CHECK_THAT(name, Catch::Contains("abi_"));
#endif
  CHECK_THAT(name, !Catch::Contains("noexcept"));
}
