#pragma once
// A process' resident memory, and its peak (Linux).

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace heed_benchmark {

/// "VmHWM:" (the peak) or "VmRSS:" in MiB. Exits with 1 where there is none, as reset_peak does.
inline double resident(const char* program, const std::string& what) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(what, 0) == 0) return std::strtod(line.c_str() + what.size(), nullptr) / 1024;
  std::fprintf(stderr, "%s: /proc/self/status has no %s\n", program, what.c_str());
  std::exit(1);
}

/// The peak starts again from what is resident now.
inline void reset_peak(const char* program) {
  std::ofstream refs("/proc/self/clear_refs");
  refs << "5" << std::flush;
  if (refs) return;
  std::fprintf(stderr, "%s: cannot write /proc/self/clear_refs\n", program);
  std::exit(1);
}

}  // namespace heed_benchmark
