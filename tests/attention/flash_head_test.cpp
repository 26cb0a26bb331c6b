#include <heed/attention/flash_head.hpp>

#include <vector>

#include "attention/attention_testing.hpp"

using namespace heed_test;

TEST_CASE("a head's matrices are the caller's memory, a query head reading its group's keys", "[attention]") {
  const auto q = random_tensor<float, 4>({2, 6, 5, 4}, 1), k = random_tensor<float, 4>({2, 3, 7, 4}, 2), v = random_tensor<float, 4>({2, 3, 7, 3}, 3);
  const heed::AttentionCall<float> call("test", q, k, v, {});
  for (Index b = 0; b < 2; ++b) {
    for (Index h = 0; h < 6; ++h) {
      const auto head = heed::detail::flash_head(call, b, h);
      CHECK(head.query.at(2, 3) == &q(b, h, 2, 3));
      CHECK(head.key.at(6, 1) == &k(b, h / 2, 6, 1));
      CHECK(head.value.at(6, 2) == &v(b, h / 2, 6, 2));
    }
  }
}

TEST_CASE("a head's terms are its part of what the options broadcast", "[attention]") {
  const auto q = random_tensor<float, 4>({2, 2, 3, 4}, 1), k = random_tensor<float, 4>({2, 2, 5, 4}, 2);
  const auto bias = random_tensor<float, 4>({1, 2, 3, 1}, 3);
  const auto slopes = random_tensor<float, 1>({2}, 4), sinks = random_tensor<float, 1>({2}, 5);
  Tensor<bool, 2> allowed(3, 5);
  allowed.setConstant(true);
  allowed(1, 4) = false;
  Tensor<Index, 2> query_ids(2, 3), key_ids(2, 5);
  query_ids.setConstant(1), key_ids.setConstant(1);
  key_ids(1, 0) = 2;
  heed::AttentionOptions<float> options{.scale = 0.25f, .softcap = 3};
  options.mask = heed::boolean_mask(allowed) & heed::segment_ids(query_ids, key_ids) & heed::causal(heed::Corner::bottom_right);
  options.bias = bias;
  options.alibi_slopes = slopes;
  options.sink = sinks;
  const heed::AttentionCall<float> call("test", q, k, k, options);
  for (Index b = 0; b < 2; ++b) {
    for (Index h = 0; h < 2; ++h) {
      const auto head = heed::detail::flash_head(call, b, h);
      CHECK(head.scale == 0.25f);
      CHECK(head.terms.softcap == 3);
      CHECK(head.terms.alibi_slope == slopes(h));
      CHECK(head.terms.distance(0, 2) == 0);  // the first of three queries stands at the third of five keys
      CHECK(*head.sink == sinks(h));
      for (Index i = 0; i < 3; ++i) {
        for (Index j = 0; j < 5; ++j) {
          CHECK(head.terms.bias_at(i, j) == bias(0, h, i, 0));
          CHECK(head.visible(i, j) == (allowed(i, j) && key_ids(b, j) == 1 && j <= i + 2));
        }
      }
    }
  }
}

TEST_CASE("dropout is off at 0, keeps by 1 / (1 - p), and drops all at 1", "[attention]") {
  const auto q = random_tensor<double, 4>({1, 1, 2, 4}, 1);
  const auto dropout = [&](double p) {
    const heed::AttentionOptions<double> options{.dropout = {.probability = p, .rng = heed::Rng{3, 4}}};
    return heed::detail::head_dropout(heed::AttentionCall<double>("test", q, q, q, options), 0, 0);
  };
  CHECK(dropout(0).threshold == 0);
  CHECK(dropout(0.75).kept == 4);
  CHECK(dropout(1).factor(0, 1) == 0);
}

TEST_CASE("scratch pieces are as large as was counted, aligned, and do not overlap", "[attention]") {
  struct Pieces {
    float *a, *b;
    double* c;
  } pieces{};
  const auto make = [&](auto&& take) { take(pieces.a, 3), take(pieces.b, 17), take(pieces.c, 1); };
  const std::size_t bytes = heed::detail::scratch_size(make);
  CHECK(bytes == 64 + 128 + 64);
  heed::Workspace workspace(bytes);
  std::byte* const memory = workspace.take<std::byte>(static_cast<Index>(bytes));
  make(heed::detail::ScratchPieces(memory));
  CHECK(static_cast<void*>(pieces.a) == memory);
  CHECK(static_cast<void*>(pieces.b) == memory + 64);
  CHECK(static_cast<void*>(pieces.c) == memory + 192);
}
