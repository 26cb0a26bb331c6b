#include <heed/nn/row_blocks.hpp>

#include <heed/core/thread_pool.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("every row comes once, in its block, and every element in one span", "[nn]") {
  ThreadPool pool(3);
  std::vector<int> rows(70, 0), elements(40000, 0);
  std::vector<Index> blocks(70);
  detail::for_each_row(70, pool, [&](Index block, Index row) { ++rows[std::size_t(row)], blocks[std::size_t(row)] = block; });
  detail::for_each_span(40000, pool, [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i) ++elements[std::size_t(i)];
  });
  CHECK(std::ranges::all_of(rows, [](int n) { return n == 1; }));
  CHECK(std::ranges::all_of(elements, [](int n) { return n == 1; }));
  CHECK(blocks[31] == 0);
  CHECK(blocks[32] == 1);
}

TEST_CASE("sums of blocks are added in their order, and an empty parameter has none", "[nn]") {
  detail::BlockSums<double> sums(2, 70), none(0, 70);
  for (Index block = 0; block < 3; ++block) sums.block(block)[1] = double(block + 1);
  double total[2] = {10, 20};
  sums.add_to(total);
  CHECK(total[0] == 10);
  CHECK(total[1] == 26);
  CHECK(none.block(0) == nullptr);
  auto y = random_tensor<double>(1, 3, 4);
  const auto x = random_tensor<double>(2, 3, 4), before = y;
  Serial serial;
  detail::add_into(y, x, serial);
  CHECK(y(2, 3) == before(2, 3) + x(2, 3));
}
