#include <heed/simd/batch.hpp>

#include <numeric>
#include <vector>

#include "simd/simd_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;
using heed::Batch;
using heed::Index;
using heed::lanes;

namespace {

template <class T>
constexpr T nan_of = std::numeric_limits<T>::quiet_NaN();
template <class T>
constexpr T inf_of = std::numeric_limits<T>::infinity();

template <class T>
std::vector<T> counting(Index count) {
  std::vector<T> x(static_cast<std::size_t>(count));
  std::iota(x.begin(), x.end(), T(1));
  return x;
}

}  // namespace

TEMPLATE_TEST_CASE("a quotient is rounded once, in batches as in scalars", "[simd]", float, double) {
  using T = TestType;
  std::uint64_t state = 1;
  const auto number = [&state] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<T>(static_cast<double>(state >> 11) * 0x1p-48 - 16);
  };
  for (int i = 0; i < 2000; ++i) {
    const T a = number(), b = number();
    for (const T lane : lanes_of(heed::divide(Batch<T>(a), Batch<T>(b)))) CHECK(same_bits(lane, a / b));
    CHECK(same_bits(heed::divide(a, b), a / b));
  }
  const T inf = std::numeric_limits<T>::infinity();
  for (const T lane : lanes_of(heed::divide(Batch<T>(T(1)), Batch<T>(inf)))) CHECK(lane == T(0));
  for (const T lane : lanes_of(heed::divide(Batch<T>(T(1)), Batch<T>(T(0))))) CHECK(lane == inf);
}

TEMPLATE_TEST_CASE("fma rounds once where the machine can, in batches as in scalars", "[simd]", float, double) {
  using T = TestType;
  const T a = T(1) + std::numeric_limits<T>::epsilon(), c = -(a * a);  // a * a + c is 0 rounded twice, not once
  const T once = heed::simd_detail::fused ? std::fma(a, a, c) : T(0);
  CHECK((once != T(0)) == heed::simd_detail::fused);
  CHECK(same_bits(heed::fma(a, a, c), once));
  for (const T lane : lanes_of(heed::fma(Batch<T>(a), Batch<T>(a), Batch<T>(c)))) CHECK(same_bits(lane, once));
  CHECK(same_bits(heed::fnma(a, a, -c), heed::simd_detail::fused ? -once : T(0)));
  for (const T lane : lanes_of(heed::fnma(Batch<T>(a), Batch<T>(a), Batch<T>(-c)))) {
    CHECK(lane == heed::fnma(a, a, -c));
  }
  CHECK(heed::fma(T(2), T(3), T(4)) == 10);
  CHECK(heed::fnma(T(2), T(3), T(4)) == -2);
}

TEMPLATE_TEST_CASE("maximum and minimum keep a NaN of either operand", "[simd]", float, double) {
  using T = TestType;
  const T values[] = {T(-2), T(0), T(3), inf_of<T>, -inf_of<T>, nan_of<T>};
  for (const T a : values)
    for (const T b : values) {
      const bool any_nan = a != a || b != b;
      const T larger = any_nan ? nan_of<T> : std::max(a, b), smaller = any_nan ? nan_of<T> : std::min(a, b);
      CHECK(ulps(heed::maximum(a, b), larger) == 0);
      CHECK(ulps(heed::minimum(a, b), smaller) == 0);
      for (const T lane : lanes_of(heed::maximum(Batch<T>(a), Batch<T>(b)))) CHECK(ulps(lane, larger) == 0);
      for (const T lane : lanes_of(heed::minimum(Batch<T>(a), Batch<T>(b)))) CHECK(ulps(lane, smaller) == 0);
    }
}

TEMPLATE_TEST_CASE("select takes each lane from the side its mask names", "[simd]", float, double) {
  using T = TestType;
  const Batch<T> i = heed::iota<T>();
  const auto out = lanes_of(heed::select(i < Batch<T>(T(2)), Batch<T>(T(7)), i));
  for (Index j = 0; j < lanes<T>; ++j) CHECK(out[static_cast<std::size_t>(j)] == (j < 2 ? T(7) : T(j)));
  CHECK(heed::select(true, T(1), T(2)) == 1);
  CHECK(heed::select(false, T(1), T(2)) == 2);
}

TEMPLATE_TEST_CASE("partial loads and stores touch count elements and no more", "[simd]", float, double) {
  using T = TestType;
  const Index width = lanes<T>;
  for (Index count = 0; count <= width; ++count) {
    const std::vector<T> x =
        counting<T>(count);  // its end is the end of an allocation: a sanitizer sees a read behind it
    const auto loaded = lanes_of(heed::load_partial<T>(x.data(), count, T(-1)));
    for (Index j = 0; j < width; ++j) CHECK(loaded[static_cast<std::size_t>(j)] == (j < count ? T(j + 1) : T(-1)));
    std::vector<T> y(static_cast<std::size_t>(width + 1), T(9));
    heed::store_partial(y.data(), heed::Batch<T>(T(5)), count);
    for (Index j = 0; j <= width; ++j) CHECK(y[static_cast<std::size_t>(j)] == (j < count ? T(5) : T(9)));
    std::vector<T> exact(static_cast<std::size_t>(count));
    heed::store_partial(exact.data(), heed::load<T>(counting<T>(width).data()), count);
    CHECK(exact == x);
    const auto first = lanes_of(heed::select(heed::first_lanes<T>(count), Batch<T>(T(1)), Batch<T>(T(0))));
    CHECK(std::accumulate(first.begin(), first.end(), T(0)) == T(count));
    if (count > 0) CHECK(first[0] == 1);
  }
}

TEMPLATE_TEST_CASE("loads and stores need no alignment", "[simd]", float, double) {
  using T = TestType;
  const std::vector<T> x = counting<T>(lanes<T> + 1);
  std::vector<T> y(x.size(), T(0));
  heed::store(y.data() + 1, heed::load<T>(x.data() + 1));
  CHECK(std::equal(x.begin() + 1, x.end(), y.begin() + 1));
}

TEMPLATE_TEST_CASE("reductions halve the register in one order and keep NaN", "[simd]", float, double) {
  using T = TestType;
  std::vector<T> x(static_cast<std::size_t>(lanes<T>));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = T(1) / T(i + 3);
  std::vector<T> halves = x;
  for (std::size_t half = x.size() / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) halves[i] += halves[i + half];
  CHECK(same_bits(heed::reduce_add(heed::load<T>(x.data())), halves[0]));
  CHECK(heed::reduce_max(heed::load<T>(x.data())) == x.front());
  CHECK(heed::reduce_min(heed::load<T>(x.data())) == x.back());
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::vector<T> y = x;
    y[i] = nan_of<T>;
    CHECK(std::isnan(heed::reduce_add(heed::load<T>(y.data()))));
    CHECK(std::isnan(heed::reduce_max(heed::load<T>(y.data()))));
    CHECK(std::isnan(heed::reduce_min(heed::load<T>(y.data()))));
    y[i] = inf_of<T>;
    CHECK(heed::reduce_max(heed::load<T>(y.data())) == inf_of<T>);
  }
}

TEMPLATE_TEST_CASE("is_nan and broadcast see every lane", "[simd]", float, double) {
  using T = TestType;
  const auto mask = heed::is_nan(heed::broadcast<T>(nan_of<T>));
  for (const T lane : lanes_of(heed::select(mask, Batch<T>(T(1)), Batch<T>(T(0))))) CHECK(lane == 1);
  const auto none = heed::is_nan(heed::broadcast<T>(inf_of<T>));
  for (const T lane : lanes_of(heed::select(none, Batch<T>(T(1)), Batch<T>(T(0))))) CHECK(lane == 0);
}
