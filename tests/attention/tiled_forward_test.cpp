#include <heed/attention/tiled_forward.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::detail;

namespace {

struct Head {
  Tensor<float, 4> query, key, value, output;
  Tensor<float, 3> logsumexp;
  Head()
      : query(random_tensor<float, 4>({1, 2, 90, 8}, 1)),
        key(random_tensor<float, 4>({1, 1, 300, 8}, 2)),
        value(random_tensor<float, 4>({1, 1, 300, 5}, 3)),
        output(zeros<float, 4>({1, 2, 90, 5})),
        logsumexp(zeros<float, 3>({1, 2, 90})) {}

  void run(const Mask& mask, std::initializer_list<Range> blocks) {
    const AttentionCall<float> call("f", query, key, value, {.mask = mask});
    Workspace workspace(scratch_bytes<ForwardScratch<float>>(call.shape));
    const auto scratch = take_scratch<ForwardScratch<float>>(call.shape, workspace);
    CHECK(workspace.used() == workspace.size());
    const ForwardTarget<float> target{output, {}, logsumexp};
    for (const Range& block : blocks) QueryBlockForward<float>(call, target, scratch).run(0, 1, block);
  }
};

}  // namespace

TEST_CASE("a query's bits do not depend on the block of queries that it is computed in", "[attention]") {
  const Mask mask = causal(Corner::bottom_right) & window(150, -1);
  Head whole, parts;
  whole.run(mask, {{0, 64}, {64, 90}});
  parts.run(mask, {{0, 1}, {1, 7}, {7, 60}, {60, 90}});
  CHECK(same_tensor(whole.output, parts.output));
  CHECK(same_tensor(whole.logsumexp, parts.logsumexp));
}

TEST_CASE("only the rows of the block are written", "[attention]") {
  Head head;
  head.output.setConstant(42);
  head.run({}, {{10, 20}});
  CHECK(head.output(0, 1, 9, 4) == 42);
  CHECK(head.output(0, 1, 10, 0) != 42);
  CHECK(head.output(0, 1, 19, 4) != 42);
  CHECK(head.output(0, 1, 20, 0) == 42);
  CHECK(head.output(0, 0, 15, 0) == 42);
}

TEST_CASE("the logsumexp of running blocks is that of the whole row", "[attention]") {
  Head head;
  head.run({}, {{0, 64}});
  double row_sum = 0;
  for (Index j = 0; j < 300; ++j) {
    double score = 0;
    for (Index d = 0; d < 8; ++d) score += double(head.query(0, 1, 33, d)) * double(head.key(0, 0, j, d));
    row_sum += std::exp(score / std::sqrt(8.0));
  }
  CHECK(close(head.logsumexp(0, 1, 33), std::log(row_sum)));
}
