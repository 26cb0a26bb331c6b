#include <heed/kernels/linear_attention.hpp>

#include <vector>

#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;

namespace {

constexpr Index dim = 3, width = 21;

std::vector<double> numbers(Index count, double phase) {
  std::vector<double> x;
  for (Index i = 0; i < count; ++i) x.push_back(std::sin(1.7 * double(i) + phase));
  return x;
}

}  // namespace

TEST_CASE("A step decays the state, then adds the outer product of key and error", "[kernels]") {
  const bool decays = GENERATE(false, true), corrects = GENERATE(false, true);
  const auto key = numbers(dim, 1), value = numbers(width, 2), decay = numbers(dim, 3);
  const double beta = 0.6;
  auto state = numbers(dim * width, 4);
  const auto before = state;
  LinearTokens<double> tokens{{key.data(), 1, dim}, {value.data(), 1, width}};
  if (decays) tokens.decay = {decay.data(), 1, dim};
  if (corrects) tokens.beta = {&beta, 1, 1};
  std::vector<double> error(width);
  advance_state(tokens, 0, MatrixView<double>(state.data(), dim, width), error.data());
  const auto kept = [&](Index d) { return decays ? std::exp(decay[std::size_t(d)]) : 1.0; };
  for (Index e = 0; e < width; ++e) {
    double read = 0;
    for (Index d = 0; d < dim; ++d) read += kept(d) * before[std::size_t(d * width + e)] * key[std::size_t(d)];
    const double wanted_error = corrects ? beta * (value[std::size_t(e)] - read) : value[std::size_t(e)];
    for (Index d = 0; d < dim; ++d) {
      const double wanted = kept(d) * before[std::size_t(d * width + e)] + key[std::size_t(d)] * wanted_error;
      CHECK(heed_test::close(state[std::size_t(d * width + e)], wanted));
    }
  }
}

TEST_CASE("A read is the scaled product of state and query, and its backward that of a product", "[kernels]") {
  const auto state = numbers(dim * width, 1), query = numbers(dim, 2), d_output = numbers(width, 3);
  const MatrixView<const double> s(state.data(), dim, width);
  std::vector<double> output(width), d_query(dim), d_state(std::size_t(dim * width), 0.5);
  read_state(s, query.data(), 0.3, output.data());
  read_state_backward<double>(s, query.data(), 0.3, d_output.data(), d_query.data(), {d_state.data(), dim, width});
  for (Index e = 0; e < width; ++e) {
    double wanted = 0;
    for (Index d = 0; d < dim; ++d) wanted += 0.3 * s(d, e) * query[std::size_t(d)];
    CHECK(heed_test::close(output[std::size_t(e)], wanted));
  }
  for (Index d = 0; d < dim; ++d) {
    double wanted = 0;
    for (Index e = 0; e < width; ++e) wanted += 0.3 * s(d, e) * d_output[std::size_t(e)];
    CHECK(heed_test::close(d_query[std::size_t(d)], wanted));
    CHECK(heed_test::close(d_state[std::size_t(d * width)], 0.5 + 0.3 * query[std::size_t(d)] * d_output[0]));
  }
}

TEMPLATE_TEST_CASE("The feature is x + 1 above 0 and exp(x) below, with its slope", "[kernels]", float, double) {
  using T = TestType;
  const std::vector<T> x = {T(-40), T(-2), T(-1e-3), T(0), T(1e-3), T(3)};
  std::vector<T> y(x.size()), d(x.size(), T(2));
  elu_feature_row(x.data(), y.data(), Index(x.size()));
  elu_feature_backward_row(x.data(), d.data(), d.data(), Index(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exponential = std::exp(double(x[i]));
    CHECK(heed_test::error(double(y[i]) / (x[i] > 0 ? double(x[i]) + 1 : exponential), 1) <= heed_test::tolerance<T>());
    CHECK(heed_test::close(d[i], x[i] > 0 ? 2 : 2 * exponential));
  }
}
