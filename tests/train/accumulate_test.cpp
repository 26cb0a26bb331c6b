#include <heed/train/accumulate.hpp>

#include "train/train_testing.hpp"

using heed::GradientMean;
using heed_test::TwoTensors;

TEMPLATE_TEST_CASE("accumulated micro-batches give the mean over all counted tokens", "[train]", float, double) {
  using T = TestType;
  const std::vector<double> weights = {3, 0, 1, 17, 0};
  TwoTensors<T> grad = heed::zeros_like(TwoTensors<T>(1));
  std::vector<double> wanted(heed_test::all_elements(grad).size(), 0.0);
  GradientMean mean;
  for (std::size_t part = 0; part < weights.size(); ++part) {
    const TwoTensors<T> one(5 + part);
    mean.begin(grad, weights[part]);
    if (weights[part] == 0) continue;  // the gradient of a mean of nothing is zero
    heed::for_each_parameter(
        [](std::string_view, heed::Role role, auto& sum, const auto& x) {
          if (role != heed::Role::buffer) sum += x;
        },
        grad, one);
    const auto elements = heed_test::all_elements(one);
    for (std::size_t i = 0; i + 3 < wanted.size(); ++i) wanted[i] += weights[part] * double(elements[i]) / 21;
  }
  CHECK(mean.total == 21);
  mean.finish(grad);
  CHECK(heed_test::all_close(heed_test::all_elements(grad), wanted));
  CHECK(mean.total == 0);
}

TEST_CASE("one micro-batch alone keeps every bit, and an empty accumulation leaves zeros", "[train]") {
  TwoTensors<float> grad = heed::zeros_like(TwoTensors<float>(1));
  const TwoTensors<float> one(5);
  GradientMean mean;
  mean.finish(grad);
  mean.begin(grad, 7);
  CHECK(grad.weight(0, 0) == 0);
  grad = one;
  mean.begin(grad, 0);
  mean.finish(grad);
  CHECK(heed_test::all_same_bits(heed_test::all_elements(grad), heed_test::all_elements(one)));
}

TEST_CASE("accumulation refuses weights that are no weights", "[train]") {
  TwoTensors<float> grad(1);
  GradientMean mean;
  CHECK_THROWS_AS(mean.begin(grad, -1), heed::Error);
  CHECK_THROWS_AS(mean.begin(grad, std::nan("")), heed::Error);
  CHECK_THROWS_AS(mean.begin(grad, std::numeric_limits<double>::infinity()), heed::Error);
  CHECK(mean.total == 0);
}
