#include <heed/simd/halves.hpp>

#include <cmath>
#include <limits>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;

namespace {

/// Half a unit of the eighth significant bit, or twice the smallest normal number.
double allowed(float x) { return std::fmax(std::abs(double(x)) * 0x1p-8, 0x1p-125); }

}  // namespace

TEST_CASE("both numbers of a word are within half a unit of their eighth bit", "[simd]") {
  const auto numbers = random_numbers<float>(4000, 1);
  const auto check = [](float even, float odd) {
    const float word = heed::join_halves(even, odd);
    CHECK(std::abs(double(heed::even_half(word)) - double(even)) <= allowed(even));
    CHECK(std::abs(double(word) - double(odd)) <= allowed(odd));
  };
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    for (const float scale : {1.0f, 1e-20f, 1e-37f, 1e-44f, 1e30f}) check(numbers[i] * scale, numbers[i + 1] * scale);
    check(numbers[i], 0.0f);
    check(0.0f, numbers[i]);
    check(-0.0f, -numbers[i]);
  }
}

TEST_CASE("no half is subnormal", "[simd]") {
  for (const float x : {0.0f, -0.0f, 1e-45f, -1e-40f, 1.17e-38f, -1e-38f}) {
    for (const float y : {x, 1.0f, -1.0f}) {
      const float word = heed::join_halves(x, y);
      CHECK(std::fpclassify(word) != FP_SUBNORMAL);
      CHECK(std::fpclassify(heed::even_half(word)) != FP_SUBNORMAL);
    }
  }
}

TEST_CASE("numbers that halves cannot hold become infinite or stay not finite", "[simd]") {
  for (const float x : {std::numeric_limits<float>::max(), std::numeric_limits<float>::infinity(), not_a_number<float>}) {
    CHECK_FALSE(std::isfinite(heed::join_halves(1.0f, x)));
    CHECK_FALSE(std::isfinite(heed::even_half(heed::join_halves(x, 1.0f))));
  }
}

TEST_CASE("a register's even numbers are those of its words", "[simd]") {
  constexpr auto width = static_cast<std::size_t>(heed::lanes<float>);
  const auto numbers = random_numbers<float>(2 * static_cast<Index>(width), 2);
  float words[width], found[width];
  for (std::size_t i = 0; i < width; ++i) words[i] = heed::join_halves(numbers[2 * i], numbers[2 * i + 1]);
  heed::store(found, heed::even_halves(heed::load(words)));
  for (std::size_t i = 0; i < width; ++i) CHECK(same_bits(found[i], heed::even_half(words[i])));
}
