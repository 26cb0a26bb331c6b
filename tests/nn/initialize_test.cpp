#include <heed/nn/initialize.hpp>

#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Index;
using heed::Rng;
using heed::Tensor;

namespace {

// Mean and mean square.
template <class T, int Rank>
std::pair<double, double> moments(const Tensor<T, Rank>& tensor) {
  double sum = 0, square = 0;
  for (const T x : heed::flat(tensor)) sum += double(x), square += double(x) * double(x);
  const auto count = static_cast<double>(tensor.size());
  return {sum / count, square / count};
}

}  // namespace

TEST_CASE("uniform fills [low, high) with its mean and variance, the same for the same seed", "[nn]") {
  Tensor<float, 3> a(20, 30, 50), b(20, 30, 50);
  Rng first{3, 0}, again{3, 0};
  heed::uniform(a, -1, 3, first);
  heed::uniform(b, -1, 3, again);
  CHECK(heed_test::all_same_bits(heed::flat(a), heed::flat(b)));
  CHECK(first.offset == 30000);
  const auto [mean, square] = moments(a);
  CHECK(mean == Approx(1).margin(0.03));
  CHECK(square - mean * mean == Approx(16.0 / 12).margin(0.03));
  for (const float x : heed::flat(a)) REQUIRE((x >= -1 && x <= 3));
  CHECK_THROWS_AS(heed::uniform(a, 1, 0, first), heed::Error);
  CHECK_THROWS_AS(heed::uniform(a, 0, std::nan(""), first), heed::Error);
}

TEST_CASE("normal has its mean and deviation", "[nn]") {
  Tensor<double, 2> a(200, 200);
  Rng rng{4, 0};
  heed::normal(a, 2, 0.5, rng);
  const auto [mean, square] = moments(a);
  CHECK(mean == Approx(2).margin(0.01));
  CHECK(square - mean * mean == Approx(0.25).margin(0.01));
  CHECK_THROWS_AS(heed::normal(a, 0, -1, rng), heed::Error);
}

TEST_CASE("glorot_uniform and he_normal follow the fans of a weight", "[nn]") {
  Tensor<float, 2> weight(100, 300);
  Rng rng{5, 0};
  heed::glorot_uniform(weight, rng);
  const double bound = std::sqrt(6.0 / 400);
  float largest = 0;
  for (const float x : heed::flat(weight)) largest = std::max(largest, std::abs(x));
  CHECK(largest <= bound);
  CHECK(largest > 0.99 * bound);
  heed::he_normal(weight, rng);
  CHECK(moments(weight).second == Approx(2.0 / 300).epsilon(0.05));
  const Tensor<float, 4> image(8, 4, 3, 3);
  CHECK(heed::fans(image).in == 36);
  CHECK(heed::fans(image).out == 72);
}

TEST_CASE("orthogonal gives orthonormal rows or columns times the gain", "[nn]") {
  const Index rows = GENERATE(1, 5, 40), cols = GENERATE(1, 5, 40);
  Tensor<double, 2> weight(rows, cols);
  Rng rng{6, 0};
  heed::orthogonal(weight, rng, 2);
  const bool wide = rows <= cols;
  for (Index i = 0; i < std::min(rows, cols); ++i) {
    for (Index j = 0; j <= i; ++j) {
      double shared = 0;
      for (Index k = 0; k < std::max(rows, cols); ++k)
        shared += wide ? weight(i, k) * weight(j, k) : weight(k, i) * weight(k, j);
      CHECK(std::abs(shared - (i == j ? 4 : 0)) < 1e-12);
    }
  }
}
