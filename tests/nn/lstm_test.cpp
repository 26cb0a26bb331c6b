#include <heed/nn/lstm.hpp>

#include <heed/nn/gradient_check.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Directions;
using heed::Index;
using heed::Lstm;
using heed::MaskedOutput;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

template <class T>
Lstm<T> make(typename Lstm<T>::Config config) {
  heed::Rng rng{7, 0};
  return Lstm<T>(config, rng);
}

}  // namespace

TEST_CASE("an LSTM's gradients equal central differences, with lengths, states and directions", "[nn]") {
  const auto directions = GENERATE(Directions::forward, Directions::reverse, Directions::both);
  const auto masked = GENERATE(MaskedOutput::repeat, MaskedOutput::zero);
  auto lstm = make<double>({.input_dim = 3, .hidden_dim = 4, .layers = 2, .directions = directions});
  const Index dirs = lstm.directions();
  auto x = random_tensor<double>(1, 3, 5, 3);
  Lstm<double>::States initial{random_tensor<double>(2, 2 * dirs, 3, 4), random_tensor<double>(6, 2 * dirs, 3, 4)};
  const auto d_output = random_tensor<double>(3, 3, 5, 4 * dirs);
  const Lstm<double>::States d_last{random_tensor<double>(4, 2 * dirs, 3, 4), random_tensor<double>(5, 2 * dirs, 3, 4)};
  const std::vector<Index> lengths = {5, 2, 0};
  const Lstm<double>::Options options{lengths, &initial, masked};
  Lstm<double>::Cache cache;
  lstm.forward(x, options, &cache);
  auto grad = heed::zeros_like(lstm);
  auto d = lstm.backward(d_output, &d_last, cache, grad);
  const auto loss = [&] {
    const auto result = lstm.forward(x, options);
    return heed_test::weighted_total(result.output, d_output) +
           heed_test::weighted_total(result.last.state, d_last.state) +
           heed_test::weighted_total(result.last.cell, d_last.cell);
  };
  const auto found = heed::check_gradients(lstm, grad, loss, std::tie(x, d.x), std::tie(initial.state, d.initial.state),
                                           std::tie(initial.cell, d.initial.cell));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
  CHECK(heed::parameter_count(lstm) == dirs * 16 * (3 + 4 + 2) + dirs * 16 * (4 * dirs + 4 + 2));
}

TEMPLATE_TEST_CASE("an LSTM gives PyTorch's numbers for two layers, both ways, with lengths and first states", "[nn]",
                   float, double) {
  using T = TestType;
  auto lstm = make<T>({.input_dim = 2, .hidden_dim = 2, .layers = 2, .directions = Directions::both});
  int number = 0;  // torch.nn.LSTM.named_parameters() comes in the same order
  heed::for_each_parameter(
      [&](std::string_view, heed::Role, auto& tensor) {
        for (int k = 0; k < tensor.size(); ++k) tensor.data()[k] = T(0.1 * ((3 * k + 5 * number) % 13 - 6));
        ++number;
      },
      lstm);
  Tensor<T, 3> x(2, 3, 2);
  for (int i = 0; i < 12; ++i) x.data()[i] = T(0.25 * ((7 * i) % 9 - 4));
  typename Lstm<T>::States initial{Tensor<T, 3>(4, 2, 2), Tensor<T, 3>(4, 2, 2)};
  for (int i = 0; i < 16; ++i) initial.state.data()[i] = T(0.125 * ((5 * i) % 7 - 3));
  initial.cell = initial.state * T(-2);
  const std::vector<Index> lengths = {3, 2};
  const auto result = lstm.forward(x, {lengths, &initial, MaskedOutput::zero});
  const std::vector<double> output = {-0.117401455802809,
                                      -0.149460307641106,
                                      0.00341813906045698,
                                      0.124848983186822,
                                      -0.0631932923709648,
                                      -0.216988867334749,
                                      -0.0215145233956628,
                                      0.128894842912375,
                                      -0.0560438576565145,
                                      -0.250778894652138,
                                      0.00581865089190977,
                                      0.0970462734343424,
                                      0.138695867272327,
                                      -0.386986097031725,
                                      -0.0287070745159942,
                                      0.115197807513223,
                                      0.0181186724473648,
                                      -0.311880689201435,
                                      0.0333153839821597,
                                      0.0540324769812945,
                                      0,
                                      0,
                                      0,
                                      0};
  const std::vector<double> state = {-0.0991948914061978, 0.14215024984355,    0.0213496259010637,  0.201564541599559,
                                     -0.0625042496868247, -0.0785607472769067, -0.077548588532752,  0.385126536600184,
                                     -0.0560438576565145, -0.250778894652138,  0.0181186724473648,  -0.311880689201435,
                                     0.00341813906045698, 0.124848983186822,   -0.0287070745159942, 0.115197807513223};
  const std::vector<double> cell = {-0.450733129560753,  0.230792044709625,  0.0411239983691092,  0.330168783028614,
                                    -0.116153589589904,  -0.202486973510389, -0.157549961004564,  0.707702973083392,
                                    -0.108526567434457,  -0.421895580699126, 0.0390678893058708,  -0.630416738599032,
                                    0.00721612872907409, 0.391392132005211,  -0.0538212566470892, 0.338536870731461};
  CHECK(heed_test::all_close(heed::flat(result.output), output));
  CHECK(heed_test::all_close(heed::flat(result.last.state), state));
  CHECK(heed_test::all_close(heed::flat(result.last.cell), cell));
}

TEST_CASE("an LSTM refuses what does not fit, by name", "[nn]") {
  const auto lstm = make<float>({.input_dim = 6, .hidden_dim = 4});
  const auto x = random_tensor<float>(3, 5, 4, 6);
  const std::vector<Index> long_lengths = {1, 2, 5, 1, 1};
  const Lstm<float>::States states{random_tensor<float>(3, 1, 5, 4), random_tensor<float>(3, 1, 5, 3)};
  CHECK_THROWS_WITH(lstm.forward(random_tensor<float>(3, 5, 4, 7)),
                    "Lstm::forward: x has shape (5, 4, 7), wanted (any, any, 6)");
  CHECK_THROWS_WITH(lstm.forward(x, {.lengths = long_lengths}), "Lstm::forward: lengths[2] is 5, wanted 0 to 4");
  CHECK_THROWS_WITH(lstm.forward(x, {.initial = &states}),
                    "Lstm::forward: initial.cell has shape (1, 5, 3), wanted (1, 5, 4)");
  auto grad = heed::zeros_like(lstm);
  CHECK_THROWS_WITH(lstm.backward(x, nullptr, {}, grad), Catch::Contains("cache holds 0 runs"));
  CHECK_THROWS_AS(make<float>({.input_dim = 6, .hidden_dim = 4, .layers = 0}), heed::Error);
  CHECK_THROWS_WITH(Lstm<float>().forward(x), Catch::Contains("no cells"));
}
