#include <heed/text/batches.hpp>

#include <set>

#include "support/catch.hpp"

using namespace heed;

namespace {

/// Pairs whose lengths cycle; pair i's first source id names it.
std::vector<EncodedPair> numbered_pairs(Index count) {
  std::vector<EncodedPair> pairs;
  for (Index i = 0; i < count; ++i)
    pairs.push_back({std::vector<Index>(static_cast<std::size_t>(1 + i % 7), 4 + i),
                     std::vector<Index>(static_cast<std::size_t>(1 + i % 5), 4 + i)});
  return pairs;
}

std::vector<Index> row(const Tensor<Index, 2>& tensor, Index i) {
  std::vector<Index> ids;
  for (Index j = 0; j < tensor.dimension(1); ++j) ids.push_back(tensor(i, j));
  return ids;
}

}  // namespace

TEST_CASE("a batch holds sources with their end and targets shifted by one, padded", "[text]") {
  const std::vector<EncodedPair> pairs = {{{4, 5}, {6}}, {{7}, {8, 9, 10}}, {{}, {}}};
  const std::vector<Index> places = {1, 0, 2};
  const TokenBatch batch = make_batch(pairs, places);
  using Ids = std::vector<Index>;
  CHECK(row(batch.source, 0) == Ids{7, 2, 0});
  CHECK(row(batch.source, 1) == Ids{4, 5, 2});
  CHECK(row(batch.source, 2) == Ids{2, 0, 0});
  CHECK(batch.source_lengths == Ids{2, 3, 1});
  CHECK(row(batch.target_input, 0) == Ids{1, 8, 9, 10});
  CHECK(row(batch.target_input, 1) == Ids{1, 6, 0, 0});
  CHECK(row(batch.target_output, 0) == Ids{8, 9, 10, 2});
  CHECK(row(batch.target_output, 1) == Ids{6, 2, 0, 0});
  CHECK(row(batch.target_output, 2) == Ids{2, 0, 0, 0});
  CHECK(batch.target_lengths == Ids{4, 2, 1});
  CHECK(token_count(batch) == 13);
}

TEST_CASE("a batch of nothing or of a pair that is not there is refused", "[text]") {
  const std::vector<EncodedPair> pairs = numbered_pairs(3);
  CHECK_THROWS_AS(make_batch(pairs, std::vector<Index>{}), Error);
  CHECK_THROWS_AS(make_batch(pairs, std::vector<Index>{3}), Error);
  CHECK_THROWS_AS(make_batch(pairs, std::vector<Index>{0, -1}), Error);
}

TEST_CASE("a plan has every pair once, batches of the size asked, sorted by length", "[text]") {
  const std::vector<EncodedPair> pairs = numbered_pairs(100);
  const auto lengths = [&](Index place) {
    const EncodedPair& pair = pairs[static_cast<std::size_t>(place)];
    return std::pair(pair.target.size(), pair.source.size());
  };
  for (const BatchPlan& plan : {batch_plan(pairs, 8), batch_plan(pairs, 8, {.seed = 3, .epoch = 2})}) {
    CHECK(plan.size() == 13);
    std::set<Index> seen;
    std::size_t short_batches = 0;
    for (const auto& batch : plan) {
      seen.insert(batch.begin(), batch.end());
      short_batches += batch.size() == 8 ? 0U : 1U;
      CHECK(std::is_sorted(batch.begin(), batch.end(), [&](Index a, Index b) { return lengths(a) < lengths(b); }));
    }
    CHECK(seen.size() == 100);
    CHECK(short_batches == 1);
  }
  const BatchPlan ordered = batch_plan(pairs, 8);
  for (std::size_t i = 1; i < ordered.size(); ++i) CHECK(lengths(ordered[i - 1].back()) <= lengths(ordered[i].front()));
  const BatchPlan shuffled = batch_plan(pairs, 8, {.seed = 3, .epoch = 2});
  CHECK(!std::is_sorted(shuffled.begin(), shuffled.end(),
                        [&](const auto& a, const auto& b) { return lengths(a.front()) < lengths(b.front()); }));
  CHECK(batch_plan(pairs, 1000).size() == 1);
  CHECK(batch_plan(std::vector<EncodedPair>{}, 8).empty());
  CHECK_THROWS_AS(batch_plan(pairs, 0), Error);
}

TEST_CASE("an epoch's order is a function of seed and epoch", "[text]") {
  const std::vector<EncodedPair> pairs = numbered_pairs(100);
  const BatchPlan plan = batch_plan(pairs, 8, {.seed = 1, .epoch = 1});
  CHECK(plan == batch_plan(pairs, 8, {.seed = 1, .epoch = 1}));
  CHECK(plan != batch_plan(pairs, 8, {.seed = 1, .epoch = 2}));
  CHECK(plan != batch_plan(pairs, 8, {.seed = 2, .epoch = 1}));
  CHECK(batch_plan(pairs, 8, {.seed = 1, .epoch = 2}) != batch_plan(pairs, 8, {.seed = 2, .epoch = 1}));
}

TEST_CASE("shuffling mixes equal lengths and batches alike", "[text]") {
  std::vector<EncodedPair> pairs(64, EncodedPair{{4}, {5}});
  const BatchPlan plan = batch_plan(pairs, 8, {.seed = 1, .epoch = 0});
  Index in_place = 0, position = 0;
  for (const auto& batch : plan)
    for (const Index place : batch) in_place += place == position++ ? 1 : 0;
  CHECK(in_place < 10);
}
