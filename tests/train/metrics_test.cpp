#include <heed/train/metrics.hpp>

#include <limits>
#include <vector>

#include "support/catch.hpp"

using heed::Index;

TEST_CASE("argmax takes the first of equals and never NaN", "[train]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto of = [](std::vector<float> row) { return heed::argmax(std::span<const float>(row)); };
  CHECK(of({1, 3, 3, 2}) == 1);
  CHECK(of({nan, -1, nan, 0}) == 3);
  CHECK(of({nan, nan}) == 0);
}

TEST_CASE("token accuracy counts over batches and leaves pads out", "[train]") {
  heed::Tensor<double, 2> logits(3, 4);
  logits.setValues({{1, 2, 3, 0}, {9, 2, 3, 0}, {0, 0, 0, 5}});
  heed::TokenAccuracy accuracy;
  CHECK(accuracy.value() == 0);
  const std::vector<Index> targets = {2, 1, 0};
  accuracy.update(heed::as_matrix(std::as_const(logits)), targets, 0);
  CHECK(accuracy.counted == 2);
  CHECK(accuracy.value() == 0.5);
  CHECK_THROWS_AS(accuracy.update(heed::as_matrix(std::as_const(logits)), std::vector<Index>{1}), heed::Error);
}

TEST_CASE("perplexity is the exponential of the mean over all tokens, not of batch means", "[train]") {
  heed::MeanLoss loss;
  CHECK(loss.value() == 0);
  loss.update(6, 2);
  loss.update(1, 5);
  CHECK(loss.value() == 1);
  CHECK(loss.perplexity() == Approx(std::exp(1.0)));
}
