#include <heed/nn/residual.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Around f(x) = 3 x, whose backward sees the input that f had.
struct Tripled {
  Residual<double> residual;
  explicit Tripled(NormPlace place, double dropout) : residual{BlockNorm<double>({.size = 4}), Dropout<double>(dropout), place} {}

  Tensor<double, 3> forward(const Tensor<double, 3>& x, Rng* rng, Residual<double>::State& state) const {
    Serial serial;
    return residual.forward(x, [](const Tensor<double, 3>& in) { return Tensor<double, 3>(in * 3.0); }, rng, state, serial);
  }
};

}  // namespace

TEST_CASE("a shortcut's gradient equals central differences, with dropout and without", "[nn]") {
  const NormPlace place = GENERATE(NormPlace::after, NormPlace::before);
  const double dropout = GENERATE(0.0, 0.4);
  const Tripled block(place, dropout);
  auto x = random_tensor<double>(1, 2, 3, 4);
  const auto d_y = random_tensor<double>(2, 2, 3, 4);
  const auto run = [&](Residual<double>::State& state) {
    Rng rng{5, 0};
    return block.forward(x, dropout > 0 ? &rng : nullptr, state);
  };
  Residual<double>::State state, unkept;
  const auto y = run(state);
  auto grad = zeros_like(block.residual);
  auto d = d_y;
  Serial serial;
  Tensor<double, 3> input;
  block.residual.backward(d, x, [&](const Tensor<double, 3>& d_f, const Tensor<double, 3>& in) {
    input = in;
    return Tensor<double, 3>(d_f * 3.0);
  }, state, grad, serial);
  for (Index i = 0; i < x.size(); ++i) {
    const double kept = x.data()[i], step = 1e-5;
    x.data()[i] = kept + step;
    const double above = weighted_total(run(unkept), d_y);
    x.data()[i] = kept - step;
    const double below = weighted_total(run(unkept), d_y);
    x.data()[i] = kept;
    CHECK(d.data()[i] == Approx((above - below) / (2 * step)).margin(1e-7));
  }
  if (place == NormPlace::after) {
    CHECK(all_same_bits(flat(input), flat(x)));
    CHECK(all_same_bits(flat(block.residual.result(state, serial)), flat(y)));
  } else {
    CHECK(all_same_bits(flat(input), flat(block.residual.norm.layer.forward(x))));
    CHECK(block.residual.result(state, serial).size() == 0);
  }
}
