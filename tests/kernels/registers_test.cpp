#include <heed/kernels/registers.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Index;
using namespace heed_test;

TEMPLATE_TEST_CASE("both walks visit every element of a row once and nothing behind it", "[kernels]", float, double) {
  using T = TestType;
  using B = heed::Batch<T>;
  for (Index size = 0; size <= 9 * heed::lanes<T>; ++size) {
    auto turns = filled<T>(size + 1, T(1)), mapped = turns;
    heed::for_each_register<T>(
        size, [&](Index j, auto part, int) { part.store(turns.data() + j, part.load(turns.data() + j) + B(T(1))); });
    heed::map_registers<T>(
        size, [&](Index j, auto part) { part.store(mapped.data() + j, part.load(mapped.data() + j) + B(T(1))); });
    auto wanted = filled<T>(size, T(2));
    wanted.push_back(T(1));
    CHECK(all_same_bits(turns, wanted));
    CHECK(all_same_bits(mapped, wanted));
  }
}

TEMPLATE_TEST_CASE("a sum in turns is right and does not change when zeros follow the row", "[kernels]", float,
                   double) {
  using T = TestType;
  const auto total = [](const std::vector<T>& x) {
    heed::TurnSum<T> sum;
    heed::for_each_register<T>(static_cast<Index>(x.size()),
                               [&](Index j, auto part, int turn) { sum.add(turn, part.load(x.data() + j)); });
    return sum.total();
  };
  for (Index size = 0; size <= 9 * heed::lanes<T>; ++size) {
    std::vector<T> x = random_numbers<T>(size, 3);
    const T sum = total(x);
    double wanted = 0;
    for (const T value : x) wanted += double(value);
    CHECK(close(sum, wanted));
    for (int pad = 0; pad < 40; ++pad) {
      x.push_back(T(0));
      CHECK(same_bits(total(x), sum));
    }
  }
}

TEMPLATE_TEST_CASE("the tail's lanes behind the row hold the fill on loading and zero inside", "[kernels]", float,
                   double) {
  using T = TestType;
  const std::vector<T> x{T(1), T(2), T(3)};
  heed::map_registers<T>(1, [&](Index, auto part) {
    T loaded[16] = {}, inside[16] = {};
    heed::store(loaded, part.load(x.data(), T(-5)));
    heed::store(inside, part.inside(part.load(x.data(), T(-5))));
    CHECK((loaded[0] == 1 && inside[0] == 1));
    for (Index lane = 1; lane < heed::lanes<T>; ++lane) CHECK((loaded[lane] == -5 && inside[lane] == 0));
  });
}

TEMPLATE_TEST_CASE("the aligned walk visits every element once and is aligned after its head", "[kernels]", float,
                   double) {
  using T = TestType;
  using B = heed::Batch<T>;
  for (Index offset = 0; offset < 20; ++offset) {
    for (const Index size : {0, 1, 5, 16, 33, 70}) {
      alignas(64) T row[100] = {};
      T* begin = row + offset;
      heed::map_aligned_registers<T>(begin, size, [&](Index j, auto part) {
        part.store(begin + j, part.load(begin + j) + B(T(1)));
        const auto address = reinterpret_cast<std::uintptr_t>(begin + j);
        CHECK((j == 0 || address % (sizeof(T) * static_cast<std::size_t>(heed::lanes<T>)) == 0));
      });
      for (Index j = 0; j < 100; ++j) CHECK(row[j] == (j >= offset && j < offset + size ? 1 : 0));
    }
  }
}
