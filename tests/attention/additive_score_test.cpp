#include <heed/attention/additive_score.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("v is the weight itself, or gain * weight / |weight|", "[attention]") {
  AdditiveScore<double> score{random_tensor<double, 2>({1, 5}, 1), {}, {}};
  std::vector<double> v(5);
  score.effective(v.data());
  for (Index u = 0; u < 5; ++u) CHECK(v[std::size_t(u)] == score.weight(0, u));
  score.gain.resize(1);
  score.gain(0) = 3;
  score.effective(v.data());
  double square = 0;
  for (const double x : v) square += x * x;
  CHECK(square == Approx(9));
  CHECK(v[2] / v[1] == Approx(score.weight(0, 2) / score.weight(0, 1)));
}

TEST_CASE("the gradient of weight normalisation agrees with central differences", "[attention]") {
  AdditiveScore<double> score{random_tensor<double, 2>({1, 5}, 1), {}, zeros<double, 1>({1})};
  score.gain(0) = 1.3;
  const auto d_v = random_tensor<double, 1>({5}, 2);
  AdditiveScore<double> grad{zeros<double, 2>({1, 5}), {}, zeros<double, 1>({1})};
  score.backward(d_v.data(), grad);
  const auto loss = [&] {
    std::vector<double> v(5);
    score.effective(v.data());
    double sum = 0;
    for (Index u = 0; u < 5; ++u) sum += v[std::size_t(u)] * d_v(u);
    return sum;
  };
  const auto difference = [&](double& x) {
    const double kept = x, step = 1e-6;
    x = kept + step;
    const double above = loss();
    x = kept - step;
    const double below = loss();
    x = kept;
    return (above - below) / (2 * step);
  };
  for (Index u = 0; u < 5; ++u) CHECK(grad.weight(0, u) == Approx(difference(score.weight(0, u))).margin(1e-9));
  CHECK(grad.gain(0) == Approx(difference(score.gain(0))).margin(1e-9));
}
