#include <heed/attention/attention_scores.hpp>

#include "attention/attention_testing.hpp"

using namespace heed_test;
using heed::ScoreStage;

TEST_CASE("scores are the textbook's at every stage", "[attention]") {
  const auto q = random_tensor<double, 4>({2, 4, 5, 6}, 1, 3), k = random_tensor<double, 4>({2, 2, 7, 6}, 2, 3);
  const auto bias = random_tensor<double, 4>({1, 4, 5, 7}, 3);
  const auto slopes = random_tensor<double, 1>({4}, 4);
  heed::AttentionOptions<double> options{.scale = 0.3, .mask = heed::causal(heed::Corner::bottom_right), .softcap = 2};
  options.bias = bias;
  options.alibi_slopes = slopes;
  const auto scaled = heed::attention_scores(q, k, ScoreStage::scaled, options);
  const auto capped = heed::attention_scores(q, k, ScoreStage::capped, options);
  const auto masked = heed::attention_scores(q, k, ScoreStage::masked, options);
  const auto weights = heed::attention_scores(q, k, ScoreStage::weights, options);
  for (Index b = 0; b < 2; ++b) {
    for (Index h = 0; h < 4; ++h) {
      for (Index i = 0; i < 5; ++i) {
        double sum = 0;
        for (Index j = 0; j < 7; ++j) sum += std::exp(masked(b, h, i, j));
        for (Index j = 0; j < 7; ++j) {
          double dot = 0;
          for (Index d = 0; d < 6; ++d) dot += q(b, h, i, d) * k(b, h / 2, j, d);
          const double cap = 2 * std::tanh(0.3 * dot / 2), distance = std::abs(double(i + 2 - j));
          CHECK(close(scaled(b, h, i, j), 0.3 * dot));
          CHECK(close(capped(b, h, i, j), cap));
          CHECK(close(masked(b, h, i, j), j > i + 2 ? -infinite<double> : cap + bias(0, h, i, j) - slopes(h) * distance));
          CHECK(close(weights(b, h, i, j), std::exp(masked(b, h, i, j)) / sum));
        }
      }
    }
  }
}

TEST_CASE("scores of strided views are those of their copies", "[attention]") {
  const auto q = random_tensor<float, 4>({2, 5, 3, 6}, 5), k = random_tensor<float, 4>({2, 7, 3, 6}, 6);  // (batch, length, heads, dim)
  const heed::View<const float, 4> queries(q.data(), {2, 3, 5, 6}, {90, 6, 18, 1}), keys(k.data(), {2, 3, 7, 6}, {126, 6, 18, 1});
  const Tensor<float, 4> copied_q = q.shuffle(Extents<4>{0, 2, 1, 3}), copied_k = k.shuffle(Extents<4>{0, 2, 1, 3});
  CHECK(same_tensor(heed::attention_scores(queries, keys, ScoreStage::scaled), heed::attention_scores(copied_q, copied_k, ScoreStage::scaled)));
}

TEST_CASE("scores of shapes that do not fit are refused", "[attention]") {
  const auto q = random_tensor<float, 4>({2, 4, 5, 6}, 1), k = random_tensor<float, 4>({2, 3, 7, 6}, 2);
  CHECK(mentions(error_of([&] { heed::attention_scores(q, k, ScoreStage::scaled); }), {"attention_scores", "heads"}));
}

TEST_CASE("masked scores hold what callables change and hide", "[attention]") {
  const auto query = random_tensor<double, 4>({2, 2, 3, 4}, 1), key = random_tensor<double, 4>({2, 1, 5, 4}, 2);
  const auto change = [](auto s, auto at) { return 3 * s + at.key; };
  const auto past = heed::mask([](auto at) { return at.key <= at.query; });
  const auto plain = heed::attention_scores(query, key, heed::ScoreStage::capped);
  const auto found = heed::attention_scores(query, key, heed::ScoreStage::masked, {}, change, past);
  for (Index j = 0; j < 5; ++j) {
    if (j <= 2) CHECK(found(1, 1, 2, j) == Approx(3 * plain(1, 1, 2, j) + double(j)));
    if (j > 2) CHECK(found(1, 1, 2, j) == -infinite<double>);
  }
}
