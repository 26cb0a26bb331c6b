#include <heed/simd/math.hpp>

#include <bit>
#include <cstdint>

#include "simd/simd_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;
using heed::Batch;
using heed::Index;
using heed::lanes;

namespace {

// Every sign and exponent, with mantissas spread by a stride that is no power of two; in double, mostly the exponents
// where the functions are neither trivial nor saturated.
template <class T, class Visit>
void sweep(const Visit& visit) {
  if constexpr (sizeof(T) == 4) {
    for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 4093)
      visit(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  } else {
    std::uint64_t state = 1;
    for (int i = 0; i < 400000; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      std::uint64_t bits = state ^ (state >> 29);
      if (i % 8 != 0) bits = (bits & 0x800fffffffffffffu) | ((1011 + (state >> 33) % 23) << 52);
      visit(std::bit_cast<double>(bits));
    }
  }
}

// The largest error of f over the sweep, taken a register at a time.
template <class T, class F, class Exact>
double worst_error(const F& f, const Exact& exact) {
  std::vector<T> in, out(static_cast<std::size_t>(lanes<T>));
  double worst = 0;
  sweep<T>([&](T x) {
    in.push_back(x);
    if (in.size() < out.size()) return;
    heed::store(out.data(), f(heed::load<T>(in.data())));
    for (std::size_t i = 0; i < in.size(); ++i) worst = std::max(worst, ulps(out[i], exact(in[i])));
    in.clear();
  });
  return worst;
}

long double exact_sigmoid(long double x) {
  const long double e = std::exp(-std::fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

}  // namespace

// The bounds are those that simd/math.hpp states.
TEMPLATE_TEST_CASE("exp is within 1.2 units in the last place", "[simd]", float, double) {
  CHECK(worst_error<TestType>(heed::exp, [](long double x) { return std::exp(x); }) <= 1.2);
}
TEMPLATE_TEST_CASE("tanh is within 1.6 units in the last place, 2 without fused multiply-add", "[simd]", float,
                   double) {
  const double bound = heed::simd_detail::fused ? 1.6 : 2;
  CHECK(worst_error<TestType>(heed::tanh, [](long double x) { return std::tanh(x); }) <= bound);
}
TEMPLATE_TEST_CASE("tanh is odd, never larger than 1 and never falls by more than its error", "[simd]", float, double) {
  using T = TestType;
  T before = 0;
  bool odd = true, bounded = true, rising = true;
  for (int i = 0; i < 200000; ++i) {
    const T x = T(i) * T(1e-4), y = heed::tanh(x);
    odd = odd && same_bits(heed::tanh(-x), -y);
    bounded = bounded && y <= 1;
    rising = rising && y >= before - 2 * std::numeric_limits<T>::epsilon();
    before = y;
  }
  CHECK(odd);
  CHECK(bounded);
  CHECK(rising);
}
TEMPLATE_TEST_CASE("sigmoid is within 2.4 units in the last place", "[simd]", float, double) {
  CHECK(worst_error<TestType>(heed::sigmoid, exact_sigmoid) <= 2.4);
}
TEMPLATE_TEST_CASE("log is within 1 unit in the last place", "[simd]", float, double) {
  CHECK(worst_error<TestType>(heed::log, [](long double x) { return std::log(x); }) <= 1.0);
}
TEMPLATE_TEST_CASE("erf is within 1.4 units in the last place", "[simd]", float, double) {
  CHECK(worst_error<TestType>(heed::erf, [](long double x) { return std::erf(x); }) <= 1.4);
}

TEMPLATE_TEST_CASE("the ends of the number line map to exact values", "[simd]", float, double) {
  using T = TestType;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  CHECK(same_bits(heed::exp(-inf), T(0)));
  CHECK(heed::exp(inf) == inf);
  CHECK(heed::exp(T(0)) == 1);
  CHECK(heed::log(T(0)) == -inf);
  CHECK(heed::log(T(-0.0)) == -inf);
  CHECK(heed::log(inf) == inf);
  CHECK(same_bits(heed::log(T(1)), T(0)));
  CHECK(std::isnan(heed::log(T(-1))));
  CHECK(std::isnan(heed::log(-inf)));
  CHECK(heed::tanh(inf) == 1);
  CHECK(heed::tanh(-inf) == -1);
  CHECK(same_bits(heed::tanh(T(-0.0)), T(-0.0)));
  CHECK(heed::sigmoid(inf) == 1);
  CHECK(same_bits(heed::sigmoid(-inf), T(0)));
  CHECK(heed::sigmoid(T(0)) == T(0.5));
  CHECK(heed::erf(inf) == 1);
  CHECK(heed::erf(-inf) == -1);
  CHECK(same_bits(heed::erf(T(-0.0)), T(-0.0)));
  CHECK(std::isnan(heed::exp(nan)));
  CHECK(std::isnan(heed::log(nan)));
  CHECK(std::isnan(heed::tanh(nan)));
  CHECK(std::isnan(heed::sigmoid(nan)));
  CHECK(std::isnan(heed::erf(nan)));
}

TEMPLATE_TEST_CASE("exp is finite up to the largest number and gives subnormal results", "[simd]", float, double) {
  using T = TestType;
  const T below = sizeof(T) == 4 ? T(88.72283) : T(709.782712893383973), above = std::nextafter(below, T(1e9));
  CHECK(std::isfinite(heed::exp(below)));
  CHECK(std::isinf(heed::exp(above + T(1e-4))));
  const T smallest = std::numeric_limits<T>::denorm_min();
  const T edge = sizeof(T) == 4 ? T(-103.27893) : T(-744.4400719213812);  // ln of the smallest subnormal number
  CHECK(heed::exp(edge) == smallest);
  CHECK(same_bits(heed::exp(edge - T(0.8)), T(0)));
}

TEMPLATE_TEST_CASE("a scalar has the bits of a lane, wherever the lane is", "[simd]", float, double) {
  using T = TestType;
  std::vector<T> x(static_cast<std::size_t>(lanes<T>));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = T(0.37) * T(i) - T(1.9);
  const auto compare = [&](const auto& f) {
    const auto out = lanes_of(f(heed::load<T>(x.data())));
    for (std::size_t i = 0; i < x.size(); ++i) {
      CHECK((same_bits(out[i], f(x[i])) || (std::isnan(out[i]) && std::isnan(f(x[i])))));
    }
  };
  compare(heed::exp), compare(heed::log), compare(heed::tanh), compare(heed::sigmoid), compare(heed::erf);
}
