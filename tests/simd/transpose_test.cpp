#include <heed/simd/transpose.hpp>

#include "kernels/kernel_testing.hpp"
#include "simd/simd_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

TEMPLATE_TEST_CASE("load_columns reads the columns of as many rows as there are lanes", "[simd]", float, double) {
  using T = TestType;
  constexpr Index width = heed::lanes<T>, group = heed::column_group<T>;
  for (const Index stride : {group, group + 1, Index{37}}) {
    // the last row ends with the allocation: a sanitizer sees a read behind it
    const auto x = random_numbers<T>((width - 1) * stride + group, 1);
    heed::Batch<T> out[group];
    heed::load_columns<T>(x.data(), stride, out);
    for (Index j = 0; j < group; ++j) {
      const auto column = lanes_of(out[j]);
      for (Index i = 0; i < width; ++i) {
        CHECK(column[static_cast<std::size_t>(i)] == x[static_cast<std::size_t>(i * stride + j)]);
      }
    }
  }
}

TEMPLATE_TEST_CASE("transpose turns rows into columns and twice is nothing", "[simd]", float, double) {
  using T = TestType;
  constexpr Index width = heed::lanes<T>;
  const auto x = random_numbers<T>(width * width, 2);
  heed::Batch<T> rows[width];
  for (Index i = 0; i < width; ++i) rows[i] = heed::load<T>(x.data() + i * width);
  heed::transpose<T>(rows);
  for (Index i = 0; i < width; ++i) {
    const auto row = lanes_of(rows[i]);
    for (Index j = 0; j < width; ++j) {
      CHECK(row[static_cast<std::size_t>(j)] == x[static_cast<std::size_t>(j * width + i)]);
    }
  }
  heed::transpose<T>(rows);
  CHECK(lanes_of(rows[width - 1]) == std::vector<T>(x.end() - width, x.end()));
}
