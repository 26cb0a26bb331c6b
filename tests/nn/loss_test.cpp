#include <heed/nn/loss.hpp>

#include <cmath>
#include <vector>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::CrossEntropyOptions;
using heed::Index;
using heed::Reduction;
using heed::Smoothing;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

struct Row {
  double loss;
  std::vector<double> gradient;
};

// -sum_c w_c t_c log softmax(x)_c and its gradient, in double.
Row textbook(const std::vector<double>& x, const std::vector<double>& masses) {
  double total = 0, mass = 0;
  for (const double v : x) total += std::exp(v);
  for (const double m : masses) mass += m;
  Row row{0, {}};
  for (std::size_t c = 0; c < x.size(); ++c) {
    row.loss -= masses[c] * (x[c] - std::log(total));
    row.gradient.push_back(mass * std::exp(x[c]) / total - masses[c]);
  }
  return row;
}

std::vector<double> smoothed(std::vector<double> t, double s, Smoothing smoothing) {
  const auto count = static_cast<double>(t.size());
  for (double& x : t)
    x = smoothing == Smoothing::all_classes ? x * (1 - s) + s / count : x * (1 - s) + (1 - x) * s / (count - 1);
  return t;
}

const std::vector<Index> targets = {1, 4, 0, 2, 4, 3};  // 4 is ignored below

}  // namespace

TEMPLATE_TEST_CASE("cross-entropy of class ids follows the textbook for every mix of options", "[nn]", float, double) {
  using T = TestType;
  const auto reduction = GENERATE(Reduction::none, Reduction::mean, Reduction::sum);
  const auto smoothing = GENERATE(Smoothing::all_classes, Smoothing::other_classes);
  const double s = GENERATE(0.0, 0.15);
  const bool weighted = GENERATE(false, true), middle = GENERATE(false, true);
  const std::vector<T> weights = {T(0.5), T(2), T(1), T(0.25), T(1.5)};
  // (2, 5, 3) with the classes in the middle, or (6, 5)
  const auto logits = middle ? random_tensor<T>(1, 2, 5, 3) : random_tensor<T>(1, 6, 1, 5);
  const std::vector<T> upstream(reduction == Reduction::none ? 6 : 1, T(2));
  CrossEntropyOptions<T> options{.reduction = reduction, .ignore = 4, .label_smoothing = s, .smoothing = smoothing};
  options.class_axis = middle ? 1 : -1;
  options.upstream = upstream;
  if (weighted) options.class_weights = weights;
  Tensor<T, 3> d_logits;
  const auto found = heed::cross_entropy(logits, targets, options, &d_logits);

  double sum = 0, weight = 0, worst = 0;
  for (const Index t : targets) weight += t == 4 ? 0 : weighted ? double(weights[std::size_t(t)]) : 1;
  const double share = reduction == Reduction::mean ? 2 / weight : 2;
  for (Index r = 0; r < 6; ++r) {
    const auto at = [&](Index c) { return middle ? (r / 3 * 5 + c) * 3 + r % 3 : r * 5 + c; };
    const Index target = targets[std::size_t(r)];
    std::vector<double> x, masses(5, 0.0);
    for (Index c = 0; c < 5; ++c) x.push_back(double(logits.data()[at(c)]));
    masses[std::size_t(target)] = 1;
    masses = smoothed(masses, s, smoothing);
    for (std::size_t c = 0; weighted && c < 5; ++c) masses[c] *= double(weights[c]);
    if (target == 4) masses.assign(5, 0.0);
    const Row wanted = textbook(x, masses);
    sum += wanted.loss;
    worst = std::max(worst, heed_test::error(double(found.losses(r)), wanted.loss));
    for (Index c = 0; c < 5; ++c)
      worst =
          std::max(worst, heed_test::error(double(d_logits.data()[at(c)]), share * wanted.gradient[std::size_t(c)]));
  }
  CHECK(worst <= heed_test::tolerance<T>());
  CHECK(heed_test::error(found.sum, sum) <= heed_test::tolerance<T>());
  CHECK(heed_test::error(found.loss, reduction == Reduction::mean ? sum / weight : sum) <= heed_test::tolerance<T>());
  CHECK(found.weight == weight);
  CHECK(found.counted == 4);
  const auto quiet = heed::cross_entropy(logits, targets, options);  // without a gradient: the same bits
  CHECK(heed_test::all_same_bits(heed::flat(quiet.losses), heed::flat(found.losses)));
}

TEST_CASE("cross-entropy of probabilities follows the textbook and divides by the rows", "[nn]") {
  const auto smoothing = GENERATE(Smoothing::all_classes, Smoothing::other_classes);
  const bool weighted = GENERATE(false, true), middle = GENERATE(false, true);
  const std::vector<double> weights = {0.5, 2, 1, 0.25};
  const auto logits = middle ? random_tensor<double>(1, 2, 4, 3) : random_tensor<double>(1, 6, 1, 4);
  Tensor<double, 3> probabilities(logits.dimensions());
  heed::Rng rng{2, 0};
  for (double& p : heed::flat(probabilities)) p = rng.uniform();
  CrossEntropyOptions<double> options{.label_smoothing = 0.1, .smoothing = smoothing};
  options.class_axis = middle ? 1 : 2;
  if (weighted) options.class_weights = weights;
  Tensor<double, 3> d_logits;
  const auto found = heed::cross_entropy(logits, probabilities, options, &d_logits);
  double sum = 0, worst = 0;
  for (Index r = 0; r < 6; ++r) {
    const auto at = [&](Index c) { return middle ? (r / 3 * 4 + c) * 3 + r % 3 : r * 4 + c; };
    std::vector<double> x, masses;
    for (Index c = 0; c < 4; ++c) x.push_back(logits.data()[at(c)]), masses.push_back(probabilities.data()[at(c)]);
    masses = smoothed(masses, 0.1, smoothing);
    for (std::size_t c = 0; weighted && c < 4; ++c) masses[c] *= weights[c];
    const Row wanted = textbook(x, masses);
    sum += wanted.loss;
    for (Index c = 0; c < 4; ++c)
      worst = std::max(worst, heed_test::error(d_logits.data()[at(c)], wanted.gradient[std::size_t(c)] / 6));
  }
  CHECK(worst <= heed_test::tolerance<double>());
  CHECK(found.loss == Approx(sum / 6));
  CHECK(found.weight == 6);
}

TEST_CASE("the in-place form has the bits of the other, for any number of threads", "[nn]") {
  const auto logits = random_tensor<float>(1, 70, 1003);
  std::vector<Index> ids(70);
  heed::Rng rng{2, 0};
  for (Index& id : ids) id = rng.below(1003);
  heed::ThreadPool pool(3);
  heed::Serial serial;
  Tensor<float, 2> gradient, in_place = logits;
  const auto a = heed::cross_entropy(logits, ids, {.label_smoothing = 0.1}, &gradient, serial);
  const auto b = heed::cross_entropy_in_place(heed::as_matrix(in_place), ids, {.label_smoothing = 0.1}, pool);
  CHECK(heed_test::same_bits(a.loss, b.loss));
  CHECK(heed_test::all_same_bits(heed::flat(gradient), heed::flat(in_place)));
}

TEST_CASE("with nothing counted, loss and gradient are zero", "[nn]") {
  auto logits = random_tensor<float>(1, 3, 4);
  const auto loss = heed::cross_entropy_in_place(heed::as_matrix(logits), std::vector<Index>{0, 0, 0}, {.ignore = 0});
  CHECK(loss.loss == 0);
  CHECK(loss.weight == 0);
  for (const float x : heed::flat(logits)) CHECK(x == 0);
}

TEST_CASE("an ignored row is not read", "[nn]") {
  auto logits = random_tensor<float>(1, 2, 4);
  logits(1, 2) = std::numeric_limits<float>::quiet_NaN();
  const auto loss = heed::cross_entropy_in_place(heed::as_matrix(logits), std::vector<Index>{1, -100});
  CHECK(std::isfinite(loss.loss));
  for (const float x : heed::flat(logits)) CHECK(std::isfinite(x));
}

TEST_CASE("wrong targets, shapes and options are refused before anything is written", "[nn]") {
  auto logits = random_tensor<float>(1, 3, 4);
  const auto before = logits;
  const auto run = [&](const std::vector<Index>& ids, const CrossEntropyOptions<float>& options) {
    heed::cross_entropy(logits, ids, options, &logits);
  };
  CHECK_THROWS_WITH(run({0, 4, 1}, {}), "cross_entropy: targets[1] is 4, wanted 0 to 3 or -100 (ignored)");
  CHECK_THROWS_AS(run({0, -1, 1}, {}), heed::Error);
  CHECK_THROWS_AS(run({0, 1}, {}), heed::Error);
  CHECK_THROWS_AS(run({0, 1, 1}, {.label_smoothing = 1.5}), heed::Error);
  CHECK_THROWS_AS(run({0, 1, 1}, {.class_axis = 2}), heed::Error);
  const std::vector<float> two(2);
  CHECK_THROWS_AS(run({0, 1, 1}, {.class_weights = two}), heed::Error);
  CHECK_THROWS_AS(run({0, 1, 1}, {.upstream = two}), heed::Error);
  CHECK_THROWS_AS(heed::cross_entropy(logits, random_tensor<float>(1, 4, 3)), heed::Error);
  CHECK(heed_test::all_same_bits(heed::flat(logits), heed::flat(before)));
}
