#include <heed/simd/row.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;

namespace {
const Index sizes[] = {0, 1, 3, 7, 8, 15, 16, 17, 31, 64, 65, 127, 200};
}

TEMPLATE_TEST_CASE("dot and sum match a loop in double for every tail", "[simd]", float, double) {
  using T = TestType;
  for (const Index n : sizes) {
    const auto x = random_numbers<T>(n, 1), y = random_numbers<T>(n, 2);
    double dot = 0, sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) dot += double(x[i]) * double(y[i]), sum += double(x[i]);
    CHECK(close(heed::dot(x.data(), y.data(), n), dot));
    CHECK(close(heed::sum(x.data(), n), sum));
  }
}

TEMPLATE_TEST_CASE("a row's reductions depend on its elements only, not on where it lies", "[simd]", float, double) {
  using T = TestType;
  for (const Index n : sizes) {
    const auto x = random_numbers<T>(n, 3);
    auto shifted = filled<T>(n + 2, not_a_number<T>);
    std::copy(x.begin(), x.end(), shifted.begin() + 1);
    CHECK(same_bits(heed::sum(x.data(), n), heed::sum(shifted.data() + 1, n)));
    CHECK(same_bits(heed::dot(x.data(), x.data(), n), heed::dot(shifted.data() + 1, x.data(), n)));
    CHECK(same_bits(heed::maximum_of(x.data(), n), heed::maximum_of(shifted.data() + 1, n)));
  }
}

TEMPLATE_TEST_CASE("the maximum is the largest element, NaN if there is one, -inf of nothing", "[simd]", float,
                   double) {
  using T = TestType;
  for (const Index n : sizes) {
    auto x = random_numbers<T>(n, 4);
    CHECK(heed::maximum_of(x.data(), n) == (n == 0 ? -infinite<T> : *std::max_element(x.begin(), x.end())));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const T kept = std::exchange(x[i], not_a_number<T>);
      CHECK(std::isnan(heed::maximum_of(x.data(), n)));
      x[i] = kept;
    }
  }
}

TEMPLATE_TEST_CASE("the place of the maximum is the lowest among equals and the first NaN", "[simd]", float, double) {
  using T = TestType;
  for (const Index n : sizes) {
    if (n == 0) continue;
    auto x = random_numbers<T>(n, 7);
    CHECK(heed::index_of_maximum(x.data(), n) == std::max_element(x.begin(), x.end()) - x.begin());
    for (std::size_t i = 0; i < x.size(); ++i) {
      auto y = x;
      y[i] = y.back() = T(9);
      CHECK(heed::index_of_maximum(y.data(), n) == static_cast<Index>(i));
      y[i] = y.back() = not_a_number<T>;
      CHECK(heed::index_of_maximum(y.data(), n) == static_cast<Index>(i));
    }
    std::fill(x.begin(), x.end(), -infinite<T>);
    CHECK(heed::index_of_maximum(x.data(), n) == 0);
  }
}

TEMPLATE_TEST_CASE("updates of a row change its elements and nothing behind them", "[simd]", float, double) {
  using T = TestType;
  for (const Index n : sizes) {
    const auto x = random_numbers<T>(n, 5), start = random_numbers<T>(n, 6);
    const auto check = [&](const auto& update, const auto& wanted) {
      auto y = start;
      y.push_back(T(42));
      update(y.data());
      CHECK(y.back() == 42);
      for (std::size_t i = 0; i < x.size(); ++i) CHECK(same_bits(y[i], wanted(start[i], x[i])));
    };
    check([&](T* y) { heed::fill_row(y, T(3), n); }, [](T, T) { return T(3); });
    check([&](T* y) { heed::scale_row(y, n, T(0.3)); }, [](T y, T) { return y * T(0.3); });
    check([&](T* y) { heed::add_row(y, x.data(), n); }, [](T y, T a) { return y + a; });
    check([&](T* y) { heed::add_scaled_row(y, T(0.3), x.data(), n); },
          [](T y, T a) { return heed::fma(T(0.3), a, y); });
  }
}
