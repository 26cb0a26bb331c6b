#include <heed/kernels/flash_pack.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::flash_detail;

TEMPLATE_TEST_CASE("queries are packed transposed and scaled, with zeros up to a whole register", "[kernels]", float,
                   double) {
  constexpr Index step = FlashBlocks<TestType, default_arch>::queries, width = lanes<TestType>;
  const Index count = GENERATE(Index{1}, lanes<TestType> - 1, lanes<TestType>, 2 * lanes<TestType> + 3);
  const Index cols = GENERATE(1, 3, 4, 21), column_step = GENERATE(1, 2, -1);
  const auto numbers = random_numbers<TestType>((count + 5) * 64, 1);
  const StridedMatrix<TestType> x{numbers.data() + (column_step < 0 ? 40 : 0), count + 5, cols, 60, column_step};
  auto packed = filled<TestType>(cols * step, TestType(42));
  pack_transposed<TestType, default_arch>(x, 3, count, TestType(-2), packed.data());
  for (Index d = 0; d < cols; ++d)
    for (Index i = 0; i < (count + width - 1) / width * width; ++i)
      CHECK(packed[std::size_t(d * step + i)] == (i < count ? -2 * *x.at(3 + i, d) : 0));
}

TEST_CASE("rows are read in place where they are contiguous and copied where not", "[kernels]") {
  const auto numbers = random_numbers<float>(100, 1);
  std::vector<float> copy(20);
  const auto rows = contiguous_rows<float>({numbers.data(), 9, 5, 7, 1}, 3, 4, copy.data());
  CHECK(rows.data == numbers.data() + 21);
  CHECK(rows.rows == 4);
  CHECK(rows.stride == 7);
  const auto copied = contiguous_rows<float>({numbers.data() + 4, 9, 5, 7, -1}, 3, 4, copy.data());
  CHECK(copied.data == copy.data());
  CHECK(copied(2, 1) == numbers[4 + 35 - 1]);
}
