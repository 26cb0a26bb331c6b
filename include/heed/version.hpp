#pragma once
// heed's version, read by CMakeLists.txt too, and what was built: tools and benchmarks print it first.

#include <string>
#include <string_view>

#include <Eigen/Core>

#include <heed/core/default_executor.hpp>
#include <heed/simd/batch.hpp>

#define HEED_VERSION_MAJOR 0
#define HEED_VERSION_MINOR 1
#define HEED_VERSION_PATCH 0

namespace heed::inline HEED_ABI {

/// What the including file was compiled with and how many threads heed runs on.
struct BuildInfo {
  std::string version;  // heed: "0.1.0"
  std::string_view
      isa;  // "avx512", "avx2_fma", "sse2", ...: chosen by -march; without one x86 gets sse2, which is slow
  Index float_lanes = 0;   // elements of a float register
  bool fused = false;      // a * b + c is one instruction with one rounding
  std::string eigen;       // "3.4.0"
  std::string xsimd;       // "8.1.0"
  std::string compiler;    // "g++ 12.2.0"
  bool exceptions = true;  // false: heed::set_error_handler's handler is called, then abort()
  Index threads = 1;       // of default_executor()

  /// One line: "heed 0.1.0 (avx512, 16 lanes, fma; Eigen 3.4.0, xsimd 8.1.0, g++ 12.2.0; 2 threads)".
  std::string text() const {
    std::string line = "heed " + version + " (" + std::string(isa) + ", " + std::to_string(float_lanes) + " lanes, ";
    line += fused ? "fma" : "no fma";
    line += "; Eigen " + eigen + ", xsimd " + xsimd + ", " + compiler;
    if (!exceptions) line += ", no exceptions";
    return line + "; " + std::to_string(threads) + (threads == 1 ? " thread)" : " threads)");
  }
};

/// "1.2.3"
inline std::string version_text(int major, int minor, int patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

inline BuildInfo build_info() {
#define HEED_TEXT_OF(name) #name
#define HEED_TEXT(name) HEED_TEXT_OF(name)
  BuildInfo info;
  info.version = version_text(HEED_VERSION_MAJOR, HEED_VERSION_MINOR, HEED_VERSION_PATCH);
  info.isa = HEED_TEXT(HEED_ISA);
  info.float_lanes = lanes<float>;
#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
  info.fused = true;
#endif
#if defined(EIGEN_PATCH_VERSION)  // Eigen 5 counts major.minor.patch, Eigen 3 world.major.minor
  info.eigen = version_text(EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION, EIGEN_PATCH_VERSION);
#else
  info.eigen = version_text(EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
#endif
  info.xsimd = version_text(xsimd_version[0], xsimd_version[1], xsimd_version[2]);
#if defined(__clang__)
  info.compiler = "clang++ " + version_text(__clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  info.compiler = "g++ " + version_text(__GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  info.compiler = "unknown compiler";
#endif
  info.exceptions = HEED_EXCEPTIONS != 0;
  info.threads = num_threads();
  return info;
#undef HEED_TEXT
#undef HEED_TEXT_OF
}

}  // namespace heed::inline HEED_ABI
