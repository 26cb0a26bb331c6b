#include <heed/attention/cosine.hpp>

#include <cmath>

#include "attention/reader_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
CosineAttention<T> layer(typename CosineAttention<T>::Scale scale) {
  return CosineAttention<T>({.temperature = T(0.3), .scale = scale});
}

template <class T>
using Scale = typename CosineAttention<T>::Scale;

}  // namespace

TEMPLATE_TEST_CASE("CosineAttention matches its definition, with a fixed and a learned scale", "[attention]", float,
                   double) {
  auto attention = layer<TestType>(GENERATE(Scale<TestType>::fixed, Scale<TestType>::learned));
  double scale = 1 / 0.3;
  SECTION("at the start both are 1 / temperature") {}
  SECTION("the learned scale stops at 100") {
    if (attention.log_scale.size() > 0) {
      attention.log_scale(0) = 7;
      scale = 100;
    }
  }
  const Source<TestType> in(2, 2, 13, 6, 6);
  const auto read = attention.forward(in.state, attention.project(in.keys), in.values);
  for (Index b = 0; b < 2; ++b) {
    for (Index i = 0; i < 2; ++i) {
      std::vector<double> scores;
      double sum = 0;
      for (Index j = 0; j < 13; ++j) {
        double qk = 0, qq = 0, kk = 0;
        for (Index d = 0; d < 6; ++d) {
          const double q = in.state(b, i, d), k = in.keys(b, j, d);
          qk += q * k, qq += q * q, kk += k * k;
        }
        scores.push_back(std::exp(scale * (qk / std::sqrt(qq * kk) - 1)));
        sum += scores.back();
      }
      for (Index j = 0; j < 13; ++j) CHECK(close(read.weights(b, i, j), scores[std::size_t(j)] / sum));
    }
  }
}

TEST_CASE("CosineAttention's gradients agree with central differences", "[attention]") {
  const std::vector<Index> lengths{4, 2};
  check_gradients(layer<double>(Scale<double>::fixed), Source<double>(2, 2, 4, 3, 3, 5), key_lengths(lengths));
  check_gradients(layer<double>(Scale<double>::learned), Source<double>(2, 2, 4, 3, 3, 5), key_lengths(lengths));
}

TEST_CASE("a scale beyond 100 has no gradient", "[attention]") {
  auto attention = layer<double>(Scale<double>::learned);
  attention.log_scale(0) = 5;
  CHECK(gradients_of(attention, Source<double>(2, 2, 4, 3, 3, 5), {}).layer.log_scale(0) == 0);
}

TEST_CASE("a vector of zeros has score 0 and gradient 0, not NaN", "[attention]") {
  Source<double> in(1, 1, 4, 3, 3);
  in.keys.chip(2, 1).setZero();
  in.state.setZero();
  const auto attention = layer<double>(Scale<double>::fixed);
  const auto read = attention.forward(in.state, attention.project(in.keys), in.values);
  for (Index j = 0; j < 4; ++j) CHECK(read.weights(0, 0, j) == 0.25);
  const auto found = gradients_of(attention, in, {});
  CHECK(close_tensor(found.state, zeros<double, 3>({1, 1, 3})));
  CHECK(close_tensor(found.keys, zeros<double, 3>({1, 4, 3})));
}

TEMPLATE_TEST_CASE("CosineAttention's bits do not depend on batch, padding or poison", "[attention]", float, double) {
  const auto attention = layer<TestType>(Scale<TestType>::learned);
  check_sample_bits<CosineAttention<TestType>, TestType>(attention, 18, 18);
  check_poison<CosineAttention<TestType>, TestType>(attention, 18, 18);
}

TEMPLATE_TEST_CASE("CosineAttention takes every kind of mask", "[attention]", float, double) {
  check_masks<CosineAttention<TestType>, TestType>(layer<TestType>(Scale<TestType>::learned), 18, 18);
}

TEST_CASE("CosineAttention has one parameter when it learns its scale and refuses a temperature that is none",
          "[attention]") {
  CHECK(parameter_count(layer<float>(Scale<float>::fixed)) == 0);
  CHECK(parameter_count(layer<float>(Scale<float>::learned)) == 1);
  for (const float temperature : {0.f, -1.f, not_a_number<float>}) {
    CHECK(mentions(error_of([&] { CosineAttention<float>({.temperature = temperature}); }),
                   {"CosineAttention", "temperature", "positive"}));
  }
}
