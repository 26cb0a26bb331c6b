#pragma once
// Executors that no result may depend on.

#include <heed/core/executor.hpp>

namespace heed_test {

/// Runs parts last to first in the calling thread, and claims any concurrency.
struct Backwards {
  heed::Index threads;
  heed::Index concurrency() const { return threads; }
  void parallel_for(heed::Index count, heed::BodyRef body) const {
    while (count-- > 0) body(count);
  }
};

}  // namespace heed_test
