#include <heed/attention/tiled_backward.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::detail;

TEST_CASE("query heads that share a key head add up in their order, as one head after the other would", "[attention]") {
  const auto query = random_tensor<double, 4>({1, 4, 70, 6}, 1), d_output = random_tensor<double, 4>({1, 4, 70, 3}, 4);
  const auto key = random_tensor<double, 4>({1, 2, 140, 6}, 2), value = random_tensor<double, 4>({1, 2, 140, 3}, 3);
  const AttentionCall<double> call("f", query, key, value, {});
  Textbook book;
  book.scale = double(call.scale);
  book.forward(query, key, value);
  book.backward(d_output, query, key, value);
  auto d_query = zeros<double, 4>(extents(query)), d_key = zeros<double, 4>(extents(key));
  auto d_value = zeros<double, 4>(extents(value));
  const BackwardTarget<double> target{d_output, book.output, book.logsumexp, d_query, d_key, d_value, {}};
  Workspace workspace(scratch_bytes<BackwardScratch<double>>(call.shape));
  const auto scratch = take_scratch<BackwardScratch<double>>(call.shape, workspace);
  HeadBackward<double> heads(call, target, scratch);
  heads.run(0, 1);
  CHECK(flat(d_key)[0] == 0);  // the other key head is untouched
  CHECK(d_query(0, 1, 5, 0) == 0);
  heads.run(0, 0);
  CHECK(close_tensor(d_query, book.d_query));
  CHECK(close_tensor(d_key, book.d_key));
  CHECK(close_tensor(d_value, book.d_value));
}

TEST_CASE("the bias gradient is the score gradient, summed where the bias repeats", "[attention]") {
  const auto query = random_tensor<double, 4>({1, 2, 9, 6}, 1), d_output = random_tensor<double, 4>({1, 2, 9, 3}, 4);
  const auto key = random_tensor<double, 4>({1, 2, 12, 6}, 2), value = random_tensor<double, 4>({1, 2, 12, 3}, 3);
  const auto bias = random_tensor<double, 2>({1, 12}, 5);
  const AttentionCall<double> call("f", query, key, value, {.bias = bias});
  Textbook book;
  book.scale = double(call.scale);
  book.bias = [&](Index, Index, Index, Index j) { return bias(0, j); };
  book.forward(query, key, value);
  book.backward(d_output, query, key, value);
  auto d_query = zeros<double, 4>(extents(query)), d_key = zeros<double, 4>(extents(key));
  auto d_value = zeros<double, 4>(extents(value)), d_bias = zeros<double, 4>({1, 1, 1, 12});
  const BackwardTarget<double> target{d_output, book.output, book.logsumexp, d_query, d_key, d_value, d_bias};
  Workspace workspace(scratch_bytes<BackwardScratch<double>>(call.shape));
  const auto scratch = take_scratch<BackwardScratch<double>>(call.shape, workspace);
  for (const Index head : {0, 1}) HeadBackward<double>(call, target, scratch).run(0, head);
  for (Index j = 0; j < 12; ++j) {
    double wanted = 0;
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < 9; ++i) wanted += book.d_scores(0, h, i, j);
    CHECK(close(d_bias(0, 0, 0, j), wanted));
  }
}
