#include <heed/nn/gru.hpp>

#include <heed/kernels/reference_gru.hpp>
#include <heed/nn/gradient_check.hpp>
#include "nn/gru_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using heed::Directions;
using heed::GruReset;
using heed::Index;
using heed::MaskedOutput;
using heed::Tensor;
using heed_test::make_gru;
using heed_test::random_tensor;

}  // namespace

TEST_CASE("a GRU's gradients equal central differences, with lengths, states, directions and both reset forms", "[nn]") {
  const auto reset = GENERATE(GruReset::after, GruReset::before);
  const auto directions = GENERATE(Directions::forward, Directions::reverse, Directions::both);
  const auto masked = GENERATE(MaskedOutput::repeat, MaskedOutput::zero);
  auto gru = make_gru<double>({.input_dim = 3, .hidden_dim = 4, .layers = 2, .directions = directions, .reset = reset});
  const Index dirs = gru.directions();
  auto x = random_tensor<double>(1, 3, 5, 3);
  auto initial = random_tensor<double>(2, 2 * dirs, 3, 4);
  const auto d_output = random_tensor<double>(3, 3, 5, 4 * dirs);
  const auto d_state = random_tensor<double>(4, 2 * dirs, 3, 4);
  const std::vector<Index> lengths = {5, 2, 1};
  const typename heed::Gru<double>::Options options{lengths, &initial, masked};

  typename heed::Gru<double>::Cache cache;
  gru.forward(x, options, &cache);
  auto grad = heed::zeros_like(gru);
  auto d = gru.backward(d_output, &d_state, cache, grad);
  const auto loss = [&] {
    const auto result = gru.forward(x, options);
    return heed_test::weighted_total(result.output, d_output) + heed_test::weighted_total(result.state, d_state);
  };
  const auto found = heed::check_gradients(gru, grad, loss, std::tie(x, d.x), std::tie(initial, d.initial_state));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
  CHECK(found.checked > 100);
  CHECK(heed::parameter_count(gru) == dirs * (3 * 4 * 3 + 3 * 4 * 4 + 24) + dirs * (3 * 4 * 4 * dirs + 3 * 4 * 4 + 24));
}

TEMPLATE_TEST_CASE("a GRU follows the textbook step", "[nn]", float, double) {
  using T = TestType;
  namespace ref = heed::reference;
  const auto reset = GENERATE(GruReset::after, GruReset::before);
  const Index hidden = GENERATE(1, 5, 33), input = 6, steps = 4, batch = 3;
  const auto gru = make_gru<T>({.input_dim = input, .hidden_dim = hidden, .reset = reset});
  const auto x = random_tensor<T>(5, batch, steps, input);
  const auto result = gru.forward(x);
  const auto copy = [](const auto& tensor) {
    const auto all = heed::flat(tensor);
    return std::vector<double>(all.begin(), all.end());
  };
  const auto& cell = *gru.layers[0].forward;
  const auto w_ih = copy(cell.weight_ih), w_hh = copy(cell.weight_hh), b_ih = copy(cell.bias_ih), b_hh = copy(cell.bias_hh);
  const ref::GruWeights weights{{w_ih.data(), 3 * hidden, input}, {w_hh.data(), 3 * hidden, hidden}, b_ih.data(), b_hh.data()};
  const ref::GruForm form{reset == GruReset::after ? ref::GruReset::after : ref::GruReset::before, ref::GruGate::sigmoid};
  for (Index b = 0; b < batch; ++b) {
    std::vector<double> state(static_cast<std::size_t>(hidden), 0.0);
    for (Index t = 0; t < steps; ++t) {
      std::vector<double> now(static_cast<std::size_t>(input));
      for (Index i = 0; i < input; ++i) now[static_cast<std::size_t>(i)] = static_cast<double>(x(b, t, i));
      state = ref::gru_step(weights, form, now.data(), state.data()).next;
      for (Index u = 0; u < hidden; ++u) CHECK(heed_test::close(result.output(b, t, u), state[static_cast<std::size_t>(u)]));
    }
    for (Index u = 0; u < hidden; ++u) CHECK(result.state(0, b, u) == result.output(b, steps - 1, u));
  }
}

TEST_CASE("a GRU refuses what does not fit, by name", "[nn]") {
  const auto gru = make_gru<float>({.input_dim = 6, .hidden_dim = 4});
  const auto x = random_tensor<float>(3, 5, 4, 6);
  const std::vector<Index> short_lengths = {1, 2}, long_lengths = {1, 2, 5, 1, 1};
  const auto state = random_tensor<float>(3, 2, 5, 4);
  CHECK_THROWS_WITH(gru.forward(random_tensor<float>(3, 5, 4, 7)),
                    "Gru::forward: x has shape (5, 4, 7), wanted (any, any, 6)");
  CHECK_THROWS_WITH(gru.forward(x, {.lengths = short_lengths}),
                    "Gru::forward: lengths has 2 entries, wanted 5 (batch)");
  CHECK_THROWS_WITH(gru.forward(x, {.lengths = long_lengths}), "Gru::forward: lengths[2] is 5, wanted 0 to 4");
  CHECK_THROWS_WITH(gru.forward(x, {.initial_state = &state}),
                    "Gru::forward: initial_state has shape (2, 5, 4), wanted (1, 5, 4)");
  heed::Gru<float>::Cache cache;
  auto grad = heed::zeros_like(gru);
  CHECK_THROWS_WITH(gru.backward(x, nullptr, cache, grad), Catch::Contains("cache holds 0 runs"));
  CHECK_THROWS_WITH(make_gru<float>({.input_dim = 0, .hidden_dim = 4}),
                    "GruCell: input_dim is 0 and hidden_dim 4, wanted both positive");
}

TEST_CASE("a GRU that was never made from a configuration is refused", "[nn]") {
  heed::Gru<double> gru, grad;
  const heed::Tensor<double, 3> x(1, 2, 3);
  CHECK_THROWS_WITH(gru.forward(x), Catch::Contains("Gru::forward") && Catch::Contains("no cells"));
  CHECK_THROWS_WITH(gru.backward(x, nullptr, {}, grad), Catch::Contains("Gru::backward") && Catch::Contains("no cells"));
}
