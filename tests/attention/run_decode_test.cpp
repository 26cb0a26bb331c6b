// One query per head, cut into tasks: no cut changes a bit, in one piece and in pages.

#include <heed/attention/run_decode.hpp>

#include <heed/attention/attend_paged.hpp>

#include "attention/attention_testing.hpp"
#include "support/executors.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
bool same_result(const AttentionResult<T>& a, const AttentionResult<T>& b) {
  return same_tensor(a.output, b.output) && same_tensor(a.logsumexp, b.logsumexp) &&
         same_tensor(a.row_max, b.row_max) && same_tensor(a.weights, b.weights) && same_tensor(a.entropy, b.entropy);
}

}  // namespace

TEST_CASE("decode is cut through the keys where there are fewer heads than keep the threads busy", "[attention]") {
  const AttentionShape few{1, 1, 1, 1, 65536, 64, 64}, even{1, 8, 8, 1, 65536, 64, 64};
  const AttentionShape grouped{1, 9, 1, 1, 5000, 64, 64};
  CHECK(detail::DecodePlan(few, 1).chunks == 1);
  CHECK(detail::DecodePlan(few, 1).parts() == 0);
  CHECK(detail::DecodePlan(few, 2).chunks >= 2);
  CHECK(detail::DecodePlan(few, 16).chunks >= 16);
  CHECK(detail::DecodePlan(even, 8).chunks == 1);
  CHECK(detail::DecodePlan(grouped, 1).tasks == 3);
  CHECK(detail::DecodePlan(grouped, 2).most_tasks() == 3 * detail::DecodePlan(grouped, 2).chunks);
}

TEMPLATE_TEST_CASE("one query's results keep their bits for any number of threads", "[attention]", float, double) {
  const Index heads = GENERATE(1, 6);
  const auto query = random_tensor<TestType, 4>({2, heads, 1, 6}, 1, 1.5);
  const auto key = random_tensor<TestType, 4>({2, 1, 2300, 6}, 2, 1.5);
  const auto value = random_tensor<TestType, 4>({2, 1, 2300, 5}, 3);
  const std::vector<Index> lengths{2290, 700};
  AttentionOptions<TestType> options{.mask = key_lengths(lengths), .return_logsumexp = true, .return_row_max = true};
  options.return_weights = options.return_entropy = GENERATE(false, true);
  Serial serial;
  const auto wanted = attend(query, key, value, options, serial);
  for (const Index threads : {2, 5, 16}) {
    Backwards executor{threads};
    CHECK(same_result(attend(query, key, value, options, executor), wanted));
  }
  ThreadPool pool(3);
  CHECK(same_result(attend(query, key, value, options, pool), wanted));
}

TEST_CASE("queries against pages keep their bits for any number of threads", "[attention]") {
  PagedKeyValueCache<float> cache({.kv_heads = 1, .head_dim = 6, .value_dim = 5, .pages = 60, .page_size = 64});
  const std::vector<Index> sequences{cache.add(), cache.add()}, lengths{1500, 2100};
  for (std::size_t s = 0; s < 2; ++s)
    cache.append(sequences[s], random_tensor<float, 3>({1, lengths[s], 6}, s, 1.5),
                 random_tensor<float, 3>({1, lengths[s], 5}, 9 + s));
  const auto query = random_tensor<float, 4>({2, 2, 3, 6}, 1, 1.5);
  const AttentionOptions<float> options{.mask = causal(Corner::bottom_right), .return_logsumexp = true};
  Serial serial;
  const auto wanted = attend_paged(query, cache, sequences, options, serial);
  for (const Index threads : {4, 5, 16}) {
    Backwards executor{threads};
    CHECK(same_result(attend_paged(query, cache, sequences, options, executor), wanted));
  }
}
