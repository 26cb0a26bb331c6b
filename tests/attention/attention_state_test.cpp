#include <heed/attention/attention_state.hpp>

#include <heed/attention/scaled_dot_product.hpp>

#include "attention/attention_testing.hpp"

using namespace heed_test;

namespace {

const heed::AttentionOptions<double> with_logsumexp{.return_logsumexp = true};

Tensor<double, 4> keys(const Tensor<double, 4>& all, Index first, Index count) {
  return all.slice(Extents<4>{0, 0, first, 0}, Extents<4>{all.dimension(0), all.dimension(1), count, all.dimension(3)});
}

}  // namespace

TEST_CASE("parts over disjoint keys join to attention over all of them", "[attention]") {
  const auto q = random_tensor<double, 4>({2, 3, 5, 8}, 1, 3), k = random_tensor<double, 4>({2, 3, 20, 8}, 2, 3), v = random_tensor<double, 4>({2, 3, 20, 6}, 3);
  const auto whole = heed::attend(q, k, v, with_logsumexp);
  for (const Index cut : {1, 7, 19}) {
    auto first = heed::attend(q, keys(k, 0, cut), keys(v, 0, cut), with_logsumexp);
    heed::merge_attention(first, heed::attend(q, keys(k, cut, 20 - cut), keys(v, cut, 20 - cut), with_logsumexp));
    CHECK(close_tensor(first.output, whole.output));
    CHECK(close_tensor(first.logsumexp, whole.logsumexp));
  }
}

TEST_CASE("a part in which a query saw nothing changes no bit", "[attention]") {
  const auto q = random_tensor<double, 4>({1, 2, 4, 8}, 4), k = random_tensor<double, 4>({1, 2, 9, 8}, 5), v = random_tensor<double, 4>({1, 2, 9, 3}, 6);
  const auto seen = heed::attend(q, k, v, with_logsumexp);
  const auto unseen = heed::attend(q, keys(k, 0, 0), keys(v, 0, 0), with_logsumexp);
  auto left = seen, right = unseen, neither = unseen;
  heed::merge_attention(left, unseen);
  heed::merge_attention(right, seen);
  heed::merge_attention(neither, unseen);
  CHECK(same_tensor(left.output, seen.output));
  CHECK(same_tensor(right.output, seen.output));
  CHECK(same_tensor(right.logsumexp, seen.logsumexp));
  CHECK(same_tensor(neither.output, unseen.output));
  CHECK(neither.logsumexp(0, 0, 0) == -infinite<double>);
}

TEST_CASE("logsumexps far apart neither overflow nor lose the larger part", "[attention]") {
  heed::AttentionResult<float> a, b;
  a.output = random_tensor<float, 4>({1, 1, 1, 4}, 7), b.output = random_tensor<float, 4>({1, 1, 1, 4}, 8);
  a.logsumexp = Tensor<float, 3>(1, 1, 1), b.logsumexp = Tensor<float, 3>(1, 1, 1);
  a.logsumexp.setConstant(-3e38f), b.logsumexp.setConstant(3e38f);
  heed::merge_attention(a, b);
  CHECK(same_tensor(a.output, b.output));
  CHECK(a.logsumexp(0, 0, 0) == 3e38f);
}

TEST_CASE("parts that do not belong together are refused", "[attention]") {
  const auto q = random_tensor<double, 4>({1, 2, 4, 8}, 4), k = random_tensor<double, 4>({1, 2, 9, 8}, 5);
  auto part = heed::attend(q, k, k, with_logsumexp);
  const auto shorter = heed::attend(keys(q, 0, 3), k, k, with_logsumexp);
  const auto bare = heed::attend(q, k, k);
  CHECK(mentions(error_of([&] { heed::merge_attention(part, shorter); }), {"merge_attention", "other.output"}));
  CHECK(mentions(error_of([&] { heed::merge_attention(part, bare); }), {"other.logsumexp"}));
}
