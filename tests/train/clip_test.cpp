#include <heed/train/clip.hpp>

#include <limits>

#include "train/train_testing.hpp"

using heed::Convention;
using heed::Norm;
using heed_test::all_elements;
using heed_test::TwoTensors;

namespace {

// Norm of weight and bias (not of the buffer), in double.
double norm_of(const TwoTensors<float>& grad, Norm norm) {
  double power = 0;
  const auto add = [&](double x) { power = norm == Norm::euclidean ? power + x * x : std::max(power, std::abs(x)); };
  for (const float x : heed::flat(grad.weight)) add(x);
  for (const float x : heed::flat(grad.bias)) add(x);
  return norm == Norm::euclidean ? std::sqrt(power) : power;
}

}  // namespace

TEST_CASE("clip_by_global_norm scales everything but buffers to the limit and returns the norm before", "[train]") {
  const auto norm = GENERATE(Norm::euclidean, Norm::largest);
  const auto convention = GENERATE(Convention::torch, Convention::keras);
  for (const heed::Index rows : {1, 37, 1000}) {
    TwoTensors<float> grad(2, rows, 13);
    const TwoTensors<float> before = grad;
    const double found = heed::clip_by_global_norm(grad, {.limit = 0.5, .norm = norm, .convention = convention});
    CHECK(found == Approx(norm_of(before, norm)).epsilon(1e-6));
    CHECK(norm_of(grad, norm) == Approx(0.5).epsilon(1e-5));
    const double factor = convention == Convention::torch ? 0.5 / (found + 1e-6) : 0.5 / found;
    CHECK(grad.weight(0, 3) == Approx(before.weight(0, 3) * factor));
    CHECK(heed_test::all_same_bits(heed::flat(grad.seen), heed::flat(before.seen)));
  }
}

TEST_CASE("torch adds 1e-6 to the norm, Keras does not", "[train]") {
  TwoTensors<double> small(2);
  small.weight.setZero();
  small.bias.setZero();
  small.bias(1) = 3e-6;
  TwoTensors<double> other = small;
  heed::clip_by_global_norm(small, {.limit = 1e-6});
  CHECK(small.bias(1) == Approx(0.75e-6));
  heed::clip_by_global_norm(other, {.limit = 1e-6, .convention = Convention::keras});
  CHECK(other.bias(1) == Approx(1e-6));
}

TEST_CASE("a gradient below the limit keeps its bits", "[train]") {
  const auto convention = GENERATE(Convention::torch, Convention::keras);
  TwoTensors<float> grad(2);
  const TwoTensors<float> before = grad;
  heed::clip_by_global_norm(grad, {.limit = 1e3, .convention = convention});
  heed::clip_each_by_norm(grad, {.limit = 1e3, .convention = convention});
  heed::clip_by_value(grad, 1e3);
  CHECK(heed_test::all_same_bits(all_elements(grad), all_elements(before)));
}

TEST_CASE("clip_each_by_norm gives each tensor its own factor", "[train]") {
  TwoTensors<float> grad(2);
  const TwoTensors<float> before = grad;
  heed::clip_each_by_norm(grad, {.limit = 1, .convention = Convention::keras});
  double power = 0;
  for (const float x : heed::flat(grad.bias)) power += double(x) * double(x);
  CHECK(power == Approx(1).epsilon(1e-5));
  CHECK(grad.weight(0, 0) / before.weight(0, 0) < grad.bias(1) / before.bias(1));
}

TEST_CASE("clip_by_value cuts both ends and keeps NaN", "[train]") {
  TwoTensors<float> grad(2);
  grad.weight(0, 0) = 7;
  grad.weight(0, 1) = -7;
  grad.weight(0, 2) = std::numeric_limits<float>::quiet_NaN();
  grad.weight(0, 3) = 0.25f;
  heed::clip_by_value(grad, 0.5);
  CHECK(grad.weight(0, 0) == 0.5f);
  CHECK(grad.weight(0, 1) == -0.5f);
  CHECK(std::isnan(grad.weight(0, 2)));
  CHECK(grad.weight(0, 3) == 0.25f);
}

TEST_CASE("a broken gradient stays visible after clipping by norm", "[train]") {
  TwoTensors<float> grad(2);
  grad.weight(3, 3) = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(heed::clip_by_global_norm(grad, {.limit = 1})));
  CHECK(std::isnan(grad.bias(2)));
}

TEST_CASE("norms and clipped gradients have the same bits for any number of threads", "[train]") {
  TwoTensors<float> alone(2, 300, 101), shared = alone;
  heed::Serial serial;
  heed::ThreadPool pool(3);
  const double a = heed::clip_by_global_norm(alone, {.limit = 1}, serial);
  const double b = heed::clip_by_global_norm(shared, {.limit = 1}, pool);
  CHECK(heed_test::same_bits(a, b));
  CHECK(heed_test::all_same_bits(all_elements(alone), all_elements(shared)));
}

TEST_CASE("limits that are negative or NaN are refused", "[train]") {
  TwoTensors<float> grad(2);
  CHECK_THROWS_AS(heed::clip_by_global_norm(grad, {.limit = -1}), heed::Error);
  CHECK_THROWS_AS(heed::clip_each_by_norm(grad, {.limit = std::nan("")}), heed::Error);
  CHECK_THROWS_AS(heed::clip_by_value(grad, -0.5), heed::Error);
}
