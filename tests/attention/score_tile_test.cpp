#include <heed/attention/score_tile.hpp>

#include <memory>
#include <vector>

#include <heed/core/workspace.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::detail;

namespace {

/// Scratch for one tile of float.
struct Storage {
  std::vector<float> scores = std::vector<float>(static_cast<std::size_t>(query_block * key_block), 99.f);
  std::unique_ptr<bool[]> allowed{new bool[static_cast<std::size_t>(query_block * key_block)]};
  Workspace gemm{Workspace::rounded<float>(gemm_scratch_size<float>(query_block, key_block, 64))};
  float* scratch() {
    gemm.reset();
    return gemm.take<float>(gemm_scratch_size<float>(query_block, key_block, 64));
  }
  ScoreTile<float> tile(Range queries, Range keys) { return {scores.data(), allowed.get(), queries, keys, false}; }
};

}  // namespace

TEST_CASE("head_rows reads in place where rows are contiguous and copies where not", "[attention]") {
  const auto x = random_tensor<float, 4>({2, 3, 9, 5}, 1);
  std::vector<float> copy(9 * 5);
  const MatrixView<const float> rows = head_rows<float>(x, 1, 2, {3, 7}, copy.data());
  CHECK(rows.data == &x(1, 2, 3, 0));
  CHECK(rows.rows == 4);
  const View<const float, 4> reversed(x.data() + 4, {2, 3, 9, 5}, {135, 45, 5, -1});
  const MatrixView<const float> copied = head_rows<float>(reversed, 1, 2, {3, 7}, copy.data());
  CHECK(copied.data == copy.data());
  CHECK(copied(2, 1) == x(1, 2, 5, 3));
}

TEST_CASE("all_finite finds one NaN or infinity anywhere", "[attention]") {
  auto x = random_tensor<float, 2>({3, 37}, 1);
  CHECK(all_finite<float>(as_matrix(x)));
  for (const float bad : {not_a_number<float>, infinite<float>, -infinite<float>}) {
    for (const Index j : {0, 15, 16, 36}) {
      auto y = x;
      y(1, j) = bad;
      CHECK_FALSE(all_finite<float>(as_matrix(y)));
    }
  }
  x.setConstant(std::numeric_limits<float>::max());
  CHECK(all_finite<float>(as_matrix(x)));
}

TEST_CASE("a tile holds scaled, biased scores, -inf where the mask or the bias says so", "[attention]") {
  const auto query = random_tensor<float, 4>({1, 1, 8, 6}, 1), key = random_tensor<float, 4>({1, 1, 20, 6}, 2);
  auto bias = random_tensor<float, 2>({8, 20}, 3);
  bias(4, 5) = -infinite<float>;
  const AttentionCall<float> call("f", query, key, key,
                                  {.scale = 2.f, .mask = causal(Corner::bottom_right), .bias = bias});
  Storage storage;
  ScoreTile<float> tile = storage.tile({2, 6}, {4, 17});
  compute_scores<float>(call, 0, 0, head_rows<float>(query, 0, 0, {2, 6}, nullptr),
                        head_rows<float>(key, 0, 0, {4, 17}, nullptr), tile, storage.scratch());
  CHECK(tile.mixed);
  for (Index i = 2; i < 6; ++i) {
    CHECK(tile.any(i - 2));
    for (Index j = 4; j < 17; ++j) {
      double wanted = 0;
      for (Index d = 0; d < 6; ++d) wanted += double(query(0, 0, i, d)) * double(key(0, 0, j, d));
      const bool visible = j <= i + 12 && !(i == 4 && j == 5);
      CHECK(tile.allowed_row(i - 2)[j - 4] == visible);
      CHECK(close(tile.row(i - 2)[j - 4], visible ? 2 * wanted + double(bias(i, j)) : -infinite<double>));
    }
  }
}

TEST_CASE("dropout by rows gives what the coordinates say, wherever the tile begins", "[attention]") {
  const Tensor<float, 4> query(2, 3, 5, 4), key(2, 3, 300, 4);
  const Rng rng{4, 2};
  const AttentionCall<float> call("f", query, key, key, {.dropout = {.probability = 0.5, .rng = rng}});
  const Range keys{128, 128 + 75};
  std::vector<float> row(75, 3.f);
  apply_dropout(call, 1, 2, 4, keys, row.data());
  for (Index j = 0; j < 75; ++j) {
    const bool dropped = CoordinateBits(rng)(1, 2, 4, 128 + j) < probability_threshold(0.5);
    CHECK(row[std::size_t(j)] == (dropped ? 0.f : 6.f));
  }
}

TEST_CASE("products over visible pairs skip what a zero weight cannot hide, with the bits of the fast way",
          "[attention]") {
  Storage storage;
  ScoreTile<float> tile = storage.tile({0, 4}, {0, 6});
  tile.mixed = true;
  auto p = random_tensor<float, 2>({4, 6}, 1);
  const auto clean = random_tensor<float, 2>({6, 9}, 2), rows = random_tensor<float, 2>({4, 9}, 3);
  for (Index r = 0; r < 4; ++r) {
    for (Index j = 0; j < 6; ++j) {
      storage.allowed[static_cast<std::size_t>(r * key_block + j)] = j != 2 && r != 1;
      if (j == 2 || r == 1) p(r, j) = 0;
    }
  }
  auto poisoned = clean;
  poisoned.chip(2, 0).setConstant(not_a_number<float>);
  auto poisoned_rows = rows;
  poisoned_rows.chip(1, 0).setConstant(infinite<float>);
  const auto as_const = [](const Tensor<float, 2>& x) { return as_matrix(x); };
  Tensor<float, 2> fast(4, 9), slow(4, 9), fast_back(6, 9), slow_back(6, 9);
  multiply_visible<float>(tile, as_const(p), as_const(clean), as_matrix(fast), Accumulate::no, storage.scratch());
  multiply_visible<float>(tile, as_const(p), as_const(poisoned), as_matrix(slow), Accumulate::no, storage.scratch());
  CHECK(same_tensor(fast, slow));
  fast_back.setConstant(1);
  slow_back.setConstant(1);
  multiply_visible_transposed<float>(tile, as_const(p), as_const(rows), as_matrix(fast_back), storage.scratch());
  multiply_visible_transposed<float>(tile, as_const(p), as_const(poisoned_rows), as_matrix(slow_back),
                                     storage.scratch());
  CHECK(same_tensor(fast_back, slow_back));
}
