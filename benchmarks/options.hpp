#pragma once
// Options of the benchmarks beside Google Benchmark's own.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <heed/core/thread_pool.hpp>

namespace heed_benchmark {

/// Takes "--name=value" out of the arguments.
inline std::string take_option(int& argc, char** argv, const std::string& name, std::string value) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind(name + "=", 0) == 0)
      value = argument.substr(name.size() + 1);
    else
      argv[kept++] = argv[i];
  }
  argc = kept;
  return value;
}

/// "--threads=n"; by default the CPUs that this process may use. Exits with 2 on anything but a number from 1 up.
inline heed::Index take_threads(int& argc, char** argv) {
  const std::string text = take_option(argc, argv, "--threads", std::to_string(heed::num_threads()));
  char* end = nullptr;
  const long threads = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || threads < 1) {
    std::fprintf(stderr, "%s: --threads is \"%s\", wanted 1 or more\n", argv[0], text.c_str());
    std::exit(2);
  }
  return threads;
}

/// "--threads=1,2": one row of each benchmark per number. Exits with 2 on anything but numbers from 1 up.
inline std::vector<heed::Index> take_thread_counts(int& argc, char** argv) {
  const std::string list = take_option(argc, argv, "--threads", "1,2");
  std::vector<heed::Index> counts;
  for (const char* at = list.c_str(); *at;) {
    char* end = nullptr;
    counts.push_back(std::strtol(at, &end, 10));
    if (end == at || counts.back() < 1) {
      std::fprintf(stderr, "%s: --threads is \"%s\", wanted numbers from 1 up, as in --threads=1,2\n", argv[0], list.c_str());
      std::exit(2);
    }
    at = *end == ',' ? end + 1 : end;
  }
  return counts;
}

}  // namespace heed_benchmark
