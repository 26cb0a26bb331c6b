#include <heed/core/numeric.hpp>

#include <type_traits>

#include "support/catch.hpp"

TEST_CASE("Layers compute with float and double, and sum in the same type", "[core]") {
  STATIC_REQUIRE(heed::Real<float>);
  STATIC_REQUIRE(heed::Real<double>);
  STATIC_REQUIRE(!heed::Real<int>);
  STATIC_REQUIRE(!heed::Real<long double>);
  STATIC_REQUIRE(std::is_same_v<heed::accumulator_t<float>, float>);
  STATIC_REQUIRE(std::is_same_v<heed::accumulator_t<double>, double>);
}
