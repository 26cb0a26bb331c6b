#include <heed/nn/feed_forward.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

namespace {

FeedForward<double> make(Activation activation, Gate gate, double dropout = 0) {
  Rng rng{1, 0};
  FeedForward<double> layer(
      {.model_dim = 4, .hidden_dim = 7, .activation = activation, .gate = gate, .dropout = dropout}, rng);
  std::uint64_t seed = 5;
  for_each_parameter([&](std::string_view, Role, auto& x) {
    Rng own{seed++, 0};
    for (double& value : flat(x)) value = own.normal();
  }, layer);
  return layer;
}

}  // namespace

TEST_CASE("feed-forward is its formula, with a gate and without", "[nn]") {
  const auto x = random_tensor<double>(1, 2, 3, 4);
  const auto line = [&](const Dense<double>& dense, const double* in, Index row) {
    double sum = dense.bias(row);
    for (Index i = 0; i < dense.in_features(); ++i) sum += in[i] * dense.weight(row, i);
    return sum;
  };
  for (const Gate gate : {Gate::no, Gate::yes}) {
    const auto layer = make(Activation::silu, gate);
    const auto y = layer.forward(x);
    for (Index r = 0; r < 6; ++r) {
      std::vector<double> active;
      for (Index h = 0; h < 7; ++h) {
        const double hidden = line(layer.linear1, x.data() + r * 4, h);
        const double through = gate == Gate::yes ? line(layer.gate, x.data() + r * 4, h) : hidden;
        active.push_back(through / (1 + std::exp(-through)) * (gate == Gate::yes ? hidden : 1));
      }
      for (Index o = 0; o < 4; ++o) CHECK(y.data()[r * 4 + o] == Approx(line(layer.linear2, active.data(), o)));
    }
  }
}

TEST_CASE("feed-forward's gradients equal central differences", "[nn]") {
  auto layer = make(GENERATE(Activation::gelu, Activation::silu), GENERATE(Gate::no, Gate::yes), GENERATE(0.0, 0.4));
  auto x = random_tensor<double>(1, 2, 3, 4);
  const auto d_y = random_tensor<double>(2, 2, 3, 4);
  const auto run = [&](FeedForward<double>::Cache* cache) {
    Rng rng{11, 0};
    return layer.forward(x, &rng, cache);
  };
  FeedForward<double>::Cache cache;
  run(&cache);
  auto grad = zeros_like(layer);
  auto d_x = layer.backward(d_y, cache, grad);
  const auto found = check_gradients(layer, grad, [&] { return heed_test::weighted_total(run(nullptr), d_y); }, std::tie(x, d_x));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

TEST_CASE("feed-forward has the parameters of its configuration", "[nn]") {
  CHECK(parameter_count(make(Activation::relu, Gate::no)) == 4 * 7 * 2 + 7 + 4);
  CHECK(parameter_count(make(Activation::relu, Gate::yes)) == 4 * 7 * 3 + 7 * 2 + 4);
  Rng rng{1, 0};
  CHECK_THROWS_WITH(FeedForward<double>({.model_dim = 0, .hidden_dim = 3}, rng), Catch::Contains("in_features is 0"));
  CHECK_THROWS_WITH(make(Activation::relu, Gate::no).forward(random_tensor<double>(1, 2, 3, 5)), Catch::Contains("(2, 3, 5)"));
}
