#pragma once
// What the benchmarks of translators share.

#include <cstdio>
#include <cstdlib>
#include <vector>

#include <heed/core/random.hpp>
#include <heed/core/token_batch.hpp>

namespace heed_benchmark {

/// Pairs of random tokens without padding: every position counts.
inline heed::TokenBatch random_batch(heed::Index rows, heed::Index steps, heed::Index vocab) {
  heed::Rng rng{2, 0};
  const auto ids = [&] {
    heed::Tensor<heed::Index, 2> tensor(rows, steps);
    for (heed::Index& id : heed::flat(tensor)) id = 1 + rng.below(vocab - 1);
    return tensor;
  };
  const std::vector<heed::Index> lengths(static_cast<std::size_t>(rows), steps);
  return {ids(), lengths, ids(), ids(), lengths};
}

/// Ends a benchmark whose result is not right.
inline void stop_if(const char* program, bool wrong, const char* what) {
  if (!wrong) return;
  std::fprintf(stderr, "%s: %s\n", program, what);
  std::exit(1);
}

}  // namespace heed_benchmark
