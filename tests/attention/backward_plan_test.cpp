#include <heed/attention/backward_plan.hpp>

#include "support/catch.hpp"

using namespace heed;

TEST_CASE("a backward is cut through its keys where there are fewer heads than keep the threads busy", "[attention]") {
  const AttentionShape few{1, 1, 1, 4096, 4096, 64, 64}, many{2, 8, 8, 4096, 4096, 64, 64};
  const AttentionShape short_keys{1, 1, 1, 64, 64, 64, 64};
  CHECK(detail::BackwardPlan<float>(few, 1).chunks == 1);
  CHECK(detail::BackwardPlan<float>(few, 2).chunks > 2);
  CHECK(detail::BackwardPlan<float>(few, 16).chunks >= 16);
  CHECK(detail::BackwardPlan<float>(many, 2).chunks == 1);
  CHECK(detail::BackwardPlan<float>(short_keys, 16).chunks == 1);
  const AttentionShape decode{1, 8, 2, 1, 100000, 64, 64};
  CHECK(detail::BackwardPlan<float>(decode, 16).chunks >= 16);
}

TEST_CASE("the parts of queries' gradients that are kept at a time stay below 16 MiB at 65536 tokens", "[attention]") {
  const AttentionShape shape{1, 1, 1, 65536, 65536, 64, 64};
  for (const Index threads : {1, 2, 16})
    CHECK(detail::BackwardPlan<float>(shape, threads).bytes() < std::size_t{14} << 20);
}

TEST_CASE("chunks are whole blocks that cover the keys, and a plan that is kept whole needs no more memory",
          "[attention]") {
  detail::BackwardPlan<double> plan({1, 3, 3, 200, 2100, 6, 5}, 16);
  REQUIRE(plan.chunks > 1);
  Index end = 0;
  for (Index c = 0; c < plan.chunks; ++c) {
    CHECK(plan.chunk(c).first == end);
    CHECK(plan.chunk(c).first % flash_detail::flash_keys == 0);
    end = plan.chunk(c).end;
  }
  CHECK(end == 2100);
  const std::size_t cut = plan.bytes();
  plan.keep_whole();
  CHECK(plan.chunk(0) == Range{0, 2100});
  CHECK(plan.bytes() < cut);
}
