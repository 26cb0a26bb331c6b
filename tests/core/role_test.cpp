#include <heed/core/role.hpp>

#include <type_traits>

#include "support/catch.hpp"

TEST_CASE("The roles of a tensor are distinct, and a plain parameter is the default one", "[core]") {
  STATIC_REQUIRE(std::is_enum_v<heed::Role>);
  STATIC_REQUIRE(heed::Role{} == heed::Role::parameter);
  STATIC_REQUIRE(heed::Role::no_decay != heed::Role::parameter);
  STATIC_REQUIRE(heed::Role::buffer != heed::Role::no_decay);
}
