#include <heed/kernels/flash_tile.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::flash_detail;

TEMPLATE_TEST_CASE("tiles of scores match sums in double and raise the maxima of their columns", "[kernels]", float,
                   double) {
  constexpr Index step = FlashBlocks<TestType, default_arch>::queries, width = lanes<TestType>;
  const Index keys = GENERATE(1, 5, 6, 13), depth = GENERATE(1, 9), end = GENERATE(1, 2, 3, 4) * width;
  if (end > step) return;
  const auto key = random_numbers<TestType>(keys * depth, 1), query = random_numbers<TestType>(depth * step, 2);
  auto scores = filled<TestType>(keys * step, TestType(42)), largest = filled<TestType>(step, TestType(0.25));
  for_row_groups<FlashBlocks<TestType, default_arch>::key_rows>(keys, [&](auto rows, Index j) {
    score_rows<TestType, default_arch, rows>(depth, {key.data() + j * depth, depth, 1}, query.data(), 0, end / width,
                                             scores.data() + j * step, largest.data());
  });
  for (Index i = 0; i < step; ++i) {
    double wanted_max = 0.25;
    for (Index j = 0; j < keys; ++j) {
      double sum = 0;
      for (Index d = 0; d < depth; ++d)
        sum += double(key[std::size_t(j * depth + d)]) * double(query[std::size_t(d * step + i)]);
      CHECK(close(scores[std::size_t(j * step + i)], i < end ? sum : 42));
      if (i < end) wanted_max = std::max(wanted_max, sum);
    }
    CHECK(close(largest[std::size_t(i)], wanted_max));
  }
}

TEMPLATE_TEST_CASE("products join what is there, whatever the tail", "[kernels]", float, double) {
  constexpr Index step = FlashBlocks<TestType, default_arch>::queries;
  const Index rows = GENERATE(1, 3, 6, 11), cols = GENERATE(1, 15, 33, 64, 130), depth = GENERATE(1, 10);
  const auto a = random_numbers<TestType>(depth * step, 1), b = random_numbers<TestType>(depth * cols, 2);
  const auto factor = random_numbers<TestType>(rows, 3), old = random_numbers<TestType>((rows + 1) * cols, 4);
  auto scaled = old, added = old;
  for_row_groups<FlashBlocks<TestType, default_arch>::value_rows>(rows, [&](auto count, Index i) {
    const Strided<TestType> from{a.data() + i, 1, step};
    product_rows<TestType, default_arch, count>(from, matrix(b, depth, cols), scaled.data() + i * cols, cols,
                                                Rescale<TestType>{factor.data() + i});
    product_rows<TestType, default_arch, count>(from, matrix(b, depth, cols), added.data() + i * cols, cols, Add());
  });
  for (Index i = 0; i <= rows; ++i)
    for (Index j = 0; j < cols; ++j) {
      const auto at = static_cast<std::size_t>(i * cols + j);
      if (i == rows) {  // nothing behind the last row is touched
        CHECK(scaled[at] == old[at]);
        CHECK(added[at] == old[at]);
        continue;
      }
      double sum = 0;
      for (Index d = 0; d < depth; ++d)
        sum += double(a[std::size_t(d * step + i)]) * double(b[std::size_t(d * cols + j)]);
      CHECK(close(scaled[at], double(old[at]) * double(factor[std::size_t(i)]) + sum));
      CHECK(close(added[at], double(old[at]) + sum));
    }
}
