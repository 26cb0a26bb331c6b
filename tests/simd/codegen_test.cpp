#include <heed/simd/codegen.hpp>

#include <vector>

#include "support/catch.hpp"

TEMPLATE_TEST_CASE("keep_in_register changes no value", "[simd]", float, double) {
  using T = TestType;
  heed::Batch<T> x(T(3.5));
  heed::keep_in_register(x);
  std::vector<T> out(static_cast<std::size_t>(heed::lanes<T>));
  x.store_unaligned(out.data());
  CHECK(out == std::vector<T>(out.size(), T(3.5)));
  const T* p = out.data();
  heed::keep_in_register(p);
  CHECK(p == out.data());
  heed::Index offset = 7;
  heed::keep_in_register(offset);
  CHECK(offset == 7);
}

TEST_CASE("unroll calls with every index once, in order", "[simd]") {
  std::vector<int> seen;
  heed::unroll<5>([&](int i) { seen.push_back(i); });
  CHECK(seen == std::vector<int>{0, 1, 2, 3, 4});
  heed::unroll<0>([&](int i) { seen.push_back(i); });
  CHECK(seen.size() == 5);
}

TEST_CASE("prefetch accepts any address", "[simd]") {
  heed::prefetch(nullptr);
  CHECK_NOTHROW(heed::prefetch(reinterpret_cast<const void*>(~std::uintptr_t{0})));
}
