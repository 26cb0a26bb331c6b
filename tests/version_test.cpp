#include <heed/version.hpp>

#include "support/catch.hpp"

TEST_CASE("build_info says what was built", "[core]") {
  const heed::BuildInfo info = heed::build_info();
  CHECK(info.version == HEED_TEST_VERSION);  // what CMake read from the header
  CHECK(info.exceptions);
  CHECK(info.float_lanes == heed::lanes<float>);
  CHECK(info.threads == heed::num_threads());
  CHECK(info.eigen.substr(0, 2) >= "3.");
  CHECK_THAT(info.xsimd, Catch::Matches("[0-9]+\\.[0-9]+\\.[0-9]+"));
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
  CHECK(info.isa == "avx512");
  CHECK(info.float_lanes == 16);
  CHECK(info.fused);
#elif defined(__x86_64__) && !defined(__SSE4_2__)
  CHECK(info.isa == "sse2");
  CHECK(info.float_lanes == 4);
  CHECK(!info.fused);
#endif
}

TEST_CASE("build_info reads as one line", "[core]") {
  heed::BuildInfo info;
  info.version = "0.1.0", info.isa = "sse2", info.float_lanes = 4, info.fused = false, info.eigen = "3.4.0";
  info.xsimd = "8.1.0", info.compiler = "g++ 12.2.0", info.exceptions = false, info.threads = 1;
  CHECK(info.text() ==
        "heed 0.1.0 (sse2, 4 lanes, no fma; Eigen 3.4.0, xsimd 8.1.0, g++ 12.2.0, no exceptions; 1 thread)");
  info.exceptions = true, info.fused = true, info.threads = 2;
  CHECK(info.text() == "heed 0.1.0 (sse2, 4 lanes, fma; Eigen 3.4.0, xsimd 8.1.0, g++ 12.2.0; 2 threads)");
  CHECK(heed::build_info().text().find('\n') == std::string::npos);
}

TEST_CASE("version_text joins three numbers", "[core]") { CHECK(heed::version_text(1, 20, 3) == "1.20.3"); }
