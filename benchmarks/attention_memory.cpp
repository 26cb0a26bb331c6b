// How much memory attention takes beyond its inputs and results (Linux).
//
//   attention_memory <forward|backward> [length] [head_dim]
//
// One head of one sample, by default of length 65536 and head_dim 64, with the default executor (HEED_NUM_THREADS).
// What grows is the process' peak resident memory, which is reset before the call; backward is the forward and the backward.
// The results' own size is taken off. A short call before brings in code, threads and their stacks.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/version.hpp>

#include "resident.hpp"

namespace {

using heed::Index;
using Tensor4 = heed::Tensor<float, 4>;

constexpr const char* name = "attention_memory";

Tensor4 random_head(Index length, Index dim, std::uint64_t seed) {
  Tensor4 x(1, 1, length, dim);
  heed::Rng rng{seed, 0};
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(rng.normal());
  return x;
}

/// MiB by which the peak grew, and of them those of the results.
struct Growth {
  double all, results;
};
Growth measure(bool backward, Index length, Index dim) {
  const Tensor4 query = random_head(length, dim, 1), key = random_head(length, dim, 2);
  const Tensor4 value = random_head(length, dim, 3), d_output = random_head(backward ? length : 0, dim, 4);
  heed_benchmark::reset_peak(name);
  const double before = heed_benchmark::resident(name, "VmRSS:");
  double results = 4.0 * double(length * dim), sink = 0;
  if (backward) {
    const auto forward = heed::attend(query, key, value, {.return_logsumexp = true});
    const auto grad = heed::attend_backward(d_output, query, key, value, forward);
    results = 4 * results + 4.0 * double(length);
    sink = double(grad.query(0, 0, 0, 0));
  } else {
    sink = double(heed::scaled_dot_product_attention(query, key, value)(0, 0, 0, 0));
  }
  if (!(sink == sink)) std::exit(1);
  return {heed_benchmark::resident(name, "VmHWM:") - before, results / 1048576};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const Index length = argc > 2 ? std::atoll(argv[2]) : 65536, dim = argc > 3 ? std::atoll(argv[3]) : 64;
  if ((mode != "forward" && mode != "backward") || argc > 4 || length < 1 || dim < 1) {
    std::fprintf(stderr, "usage: attention_memory <forward|backward> [length] [head_dim]\n");
    return 2;
  }
  std::printf("%s\n", heed::build_info().text().c_str());
  measure(mode == "backward", 1024, dim);
  const Growth growth = measure(mode == "backward", length, dim);
  std::printf("%s, length %td, head_dim %td: %.2f MiB beyond inputs and results (%.2f MiB)\n", mode.c_str(), length,
              dim, growth.all - growth.results, growth.results);
}
