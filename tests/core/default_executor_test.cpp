#include <heed/core/default_executor.hpp>

#include "support/catch.hpp"

TEST_CASE("the default executor has the threads that were asked for, and runs every part", "[core]") {
  const heed::Index before = heed::num_threads();
  heed::set_num_threads(3);
  CHECK(heed::num_threads() == 3);
  CHECK(heed::default_executor().concurrency() == 3);
  int parts[8] = {};
  heed::default_executor().parallel_for(8, [&](heed::Index i) { parts[i] = 1; });
  for (const int part : parts) CHECK(part == 1);
  heed::set_num_threads(before);
}
