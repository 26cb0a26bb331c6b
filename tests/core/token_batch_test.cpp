#include <heed/core/token_batch.hpp>

#include <type_traits>

#include "support/catch.hpp"

TEST_CASE("A batch of token ids is a plain value: empty at first, deep when copied", "[core]") {
  STATIC_REQUIRE(std::is_copy_constructible_v<heed::TokenBatch>);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<std::vector<heed::Index>>);
  heed::TokenBatch batch;
  CHECK(batch.source.size() == 0);
  CHECK(batch.target_lengths.empty());
  batch.source = heed::zeros<heed::Index, 2>({2, 3});
  batch.source_lengths = {3, 1};
  heed::TokenBatch copy = batch;
  copy.source(1, 2) = 9;
  copy.source_lengths[0] = 2;
  CHECK(batch.source(1, 2) == 0);
  CHECK(batch.source_lengths[0] == 3);
}
