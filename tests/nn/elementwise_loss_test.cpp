#include <heed/nn/elementwise_loss.hpp>

#include <vector>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::ElementwiseLossOptions;
using heed::Index;
using heed::Reduction;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

// Compares loss and gradient of loss(x, options, d_x) with textbook(x_i, t_i) and its central difference.
template <class Loss, class Textbook>
void check_loss(const Loss& loss, const Textbook& textbook) {
  const auto x = random_tensor<double>(1, 3, 4);
  Tensor<double, 2> target(3, 4);
  heed::Rng rng{2, 0};
  for (double& t : heed::flat(target)) t = rng.uniform();
  for (const auto reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
    const std::vector<double> upstream(reduction == Reduction::none ? 12 : 1, 3.0);
    Tensor<double, 2> d_x;
    const auto result = loss(x, target, ElementwiseLossOptions<double>{reduction, upstream}, &d_x);
    double sum = 0;
    for (Index i = 0; i < 12; ++i) {
      const double value = x.data()[i], t = target.data()[i], wanted = textbook(value, t);
      sum += wanted;
      if (reduction == Reduction::none) CHECK(result.losses.data()[i] == Approx(wanted));
      const double slope = (textbook(value + 1e-6, t) - textbook(value - 1e-6, t)) / 2e-6;
      CHECK(d_x.data()[i] == Approx(3 * slope / (reduction == Reduction::mean ? 12 : 1)).margin(1e-8));
    }
    CHECK(result.sum == Approx(sum));
    CHECK(result.loss == Approx(reduction == Reduction::mean ? sum / 12 : sum));
    CHECK(result.count == 12);
  }
}

}  // namespace

TEST_CASE("mean squared error, with every reduction and upstream", "[nn]") {
  check_loss([](const auto& x, const auto& t, const auto& options,
                auto* d) { return heed::mean_squared_error(x, t, options, d); },
             [](double x, double t) { return (x - t) * (x - t); });
}

TEST_CASE("smooth L1 is quadratic within beta and linear outside", "[nn]") {
  const double beta = GENERATE(0.3, 1.0, 4.0);
  check_loss([&](const auto& x, const auto& t, const auto& options,
                 auto* d) { return heed::smooth_l1(x, t, beta, options, d); },
             [&](double x, double t) {
               const double d = std::abs(x - t);
               return d < beta ? d * d / (2 * beta) : d - beta / 2;
             });
}

TEST_CASE("binary cross-entropy of logits, with smoothed labels", "[nn]") {
  const double smoothing = GENERATE(0.0, 0.2);
  check_loss([&](const auto& x, const auto& t, const auto& options,
                 auto* d) { return heed::binary_cross_entropy(x, t, smoothing, options, d); },
             [&](double x, double t) {
               const double mixed = t * (1 - smoothing) + smoothing / 2, p = 1 / (1 + std::exp(-x));
               return -mixed * std::log(p) - (1 - mixed) * std::log(1 - p);
             });
}

TEST_CASE("large logits overflow nowhere", "[nn]") {
  Tensor<float, 1> x(2), t(2), d_x;
  x.setValues({1000, -1000});
  t.setValues({0, 1});
  const auto loss = heed::binary_cross_entropy(x, t, 0, {}, &d_x);
  CHECK(loss.loss == 1000);
  CHECK(d_x(0) == 0.5f);
  CHECK(d_x(1) == -0.5f);
}

TEST_CASE("wrong shapes and options are refused, outputs untouched", "[nn]") {
  const auto x = random_tensor<float>(1, 3, 4);
  const auto other = random_tensor<float>(1, 4, 3);
  Tensor<float, 2> d_x(1, 1);
  CHECK_THROWS_AS(heed::mean_squared_error(x, other, {}, &d_x), heed::Error);
  CHECK_THROWS_AS(heed::smooth_l1(x, x, -1, {}, &d_x), heed::Error);
  CHECK_THROWS_AS(heed::binary_cross_entropy(x, x, 1.5, {}, &d_x), heed::Error);
  const std::vector<float> two(2);
  CHECK_THROWS_AS(heed::mean_squared_error(x, x, {.upstream = two}, &d_x), heed::Error);
  CHECK(d_x.size() == 1);
  CHECK(heed::mean_squared_error(Tensor<float, 1>(0), Tensor<float, 1>(0)).loss == 0);
}
