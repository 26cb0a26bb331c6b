#include <heed/nn/gru_cell.hpp>

#include "nn/gru_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using heed::GruReset;
using heed::Index;
using heed::Tensor;
using heed_test::make_gru;
using heed_test::random_tensor;
using heed_test::step_of;

}  // namespace

TEMPLATE_TEST_CASE("step_into gives the bits of the sequence", "[nn]", float, double) {
  using T = TestType;
  const auto reset = GENERATE(GruReset::after, GruReset::before);
  const auto gru = make_gru<T>({.input_dim = 6, .hidden_dim = 21, .reset = reset});
  const auto& cell = *gru.layers[0].forward;
  const auto x = random_tensor<T>(3, 5, 4, 6);
  const auto sequence = gru.forward(x);
  Tensor<T, 2> state = heed::zeros<T, 2>({5, 21});
  heed::Workspace workspace(cell.step_bytes(5));
  for (Index t = 0; t < 4; ++t) {
    const Tensor<T, 2> now = step_of(x, t);
    cell.step_into(heed::as_matrix(state), heed::as_matrix(now), heed::as_matrix(std::as_const(state)), workspace);
    const Tensor<T, 2> expected = step_of(sequence.output, t);
    CHECK(heed_test::all_same_bits(heed::flat(state), heed::flat(expected)));
  }
  heed::Workspace small(16);
  const Tensor<T, 2> now = step_of(x, 0);
  CHECK_THROWS_AS(cell.step_into(heed::as_matrix(state), heed::as_matrix(now), heed::as_matrix(std::as_const(state)), small),
                  heed::Error);
}

TEST_CASE("a cell without bias and with hard gates follows its formula", "[nn]") {
  heed::Rng rng{5, 0};
  const heed::GruCell<double> cell({.input_dim = 1, .hidden_dim = 1, .gate = heed::GruGate::hard_sigmoid, .bias = heed::Bias::no}, rng);
  CHECK(heed::parameter_count(cell) == 6);
  Tensor<double, 2> x(1, 1), h(1, 1), out(1, 1);
  x(0, 0) = 0.3;
  h(0, 0) = -0.4;
  heed::Workspace workspace(cell.step_bytes(1));
  cell.step_into(heed::as_matrix(out), heed::as_matrix(std::as_const(x)), heed::as_matrix(std::as_const(h)), workspace);
  const auto gate = [](double a) { return std::min(1.0, std::max(0.0, a / 6 + 0.5)); };
  const auto &wi = cell.weight_ih, &wh = cell.weight_hh;
  const double r = gate(wi(0, 0) * 0.3 + wh(0, 0) * -0.4), z = gate(wi(1, 0) * 0.3 + wh(1, 0) * -0.4);
  const double n = std::tanh(wi(2, 0) * 0.3 + r * (wh(2, 0) * -0.4));
  CHECK(out(0, 0) == Approx((1 - z) * n + z * -0.4).epsilon(1e-13));
  CHECK(workspace.used() == 0);
}
