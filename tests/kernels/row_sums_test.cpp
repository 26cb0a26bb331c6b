#include <heed/kernels/row_sums.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Index;
using namespace heed_test;

TEMPLATE_TEST_CASE("every column is one chain over the rows that starts from what was there", "[kernels]", float, double) {
  using T = TestType;
  const Index rows = GENERATE(0, 1, 7, 8, 9, 19), cols = GENERATE(1, 16, 33, 200), stride = cols + GENERATE(0, 3);
  const std::vector<T> x = random_numbers<T>(rows * stride, 1);
  std::vector<T> sums = random_numbers<T>(cols + 1, 2), wanted = sums;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) wanted[static_cast<std::size_t>(j)] += x[static_cast<std::size_t>(i * stride + j)];
  }
  heed::add_row_sums<T>({x.data(), rows, cols, stride}, sums.data());
  CHECK(all_same_bits(sums, wanted));
}
