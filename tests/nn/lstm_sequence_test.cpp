#include <heed/nn/lstm_sequence.hpp>

#include <limits>

#include <heed/core/thread_pool.hpp>
#include <heed/nn/lstm.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Directions;
using heed::Index;
using heed::Lstm;
using heed::MaskedOutput;
using heed_test::random_tensor;

namespace {

Lstm<float> make(Directions directions) {
  heed::Rng rng{7, 0};
  return Lstm<float>({.input_dim = 3, .hidden_dim = 5, .directions = directions}, rng);
}

}  // namespace

TEST_CASE("a masked step keeps both states, and padding changes no bit of results and gradients", "[nn]") {
  const auto directions = GENERATE(Directions::forward, Directions::reverse);
  const auto masked = GENERATE(MaskedOutput::repeat, MaskedOutput::zero);
  const auto lstm = make(directions);
  const std::vector<Index> lengths = {4, 0, 2};
  auto x = random_tensor<float>(1, 3, 4, 3), other = x;
  for (Index t = 2; t < 4; ++t) {
    for (Index i = 0; i < 3; ++i) other(2, t, i) = other(1, t, i) = std::numeric_limits<float>::quiet_NaN();
  }
  const auto d_output = random_tensor<float>(2, 3, 4, 5);
  const auto run = [&](const auto& input) {
    Lstm<float>::Cache cache;
    auto result = lstm.forward(input, {.lengths = lengths, .masked_output = masked}, &cache);
    auto grad = heed::zeros_like(lstm);
    auto d = lstm.backward(d_output, nullptr, cache, grad);
    return std::tuple(std::move(result), std::move(d), std::move(grad));
  };
  const auto [a, d_a, grad_a] = run(x);
  const auto [b, d_b, grad_b] = run(other);
  const auto same = [](const auto& p, const auto& q) { return heed_test::all_same_bits(heed::flat(p), heed::flat(q)); };
  CHECK(same(a.output, b.output));
  CHECK(same(a.last.cell, b.last.cell));
  CHECK(same(d_a.x, d_b.x));
  heed::for_each_parameter([&](std::string_view, heed::Role, const auto& p, const auto& q) { CHECK(same(p, q)); },
                           grad_a, grad_b);
  const auto cut = lstm.forward(heed_test::sample_of(x, 2, 2, 0.0f));
  for (Index u = 0; u < 5; ++u) {
    CHECK(heed_test::same_bits(a.last.state(0, 2, u), cut.last.state(0, 0, u)));
    CHECK(heed_test::same_bits(a.last.cell(0, 2, u), cut.last.cell(0, 0, u)));
    CHECK(a.last.cell(0, 1, u) == 0);
    const bool repeats = masked == MaskedOutput::repeat && directions == Directions::forward;
    CHECK(heed_test::same_bits(a.output(2, 3, u), repeats ? a.last.state(0, 2, u) : 0.0f));
  }
}

TEST_CASE("an LSTM's bits depend on no number of threads, and a sample's on no batch", "[nn]") {
  const auto lstm = make(Directions::both);
  const auto x = random_tensor<float>(1, 40, 6, 3), d_output = random_tensor<float>(2, 40, 6, 10);
  heed::Serial serial;
  heed::ThreadPool pool(3);
  Lstm<float>::Cache cache, cache_three;
  const auto one = lstm.forward(x, {}, &cache, serial), three = lstm.forward(x, {}, &cache_three, pool);
  CHECK(heed_test::all_same_bits(heed::flat(one.output), heed::flat(three.output)));
  auto grad = heed::zeros_like(lstm), grad_three = grad;
  const auto d = lstm.backward(d_output, nullptr, cache, grad, serial);
  const auto d_three = lstm.backward(d_output, nullptr, cache_three, grad_three, pool);
  CHECK(heed_test::all_same_bits(heed::flat(d.x), heed::flat(d_three.x)));
  heed::for_each_parameter([](std::string_view, heed::Role, const auto& p,
                              const auto& q) { CHECK(heed_test::all_same_bits(heed::flat(p), heed::flat(q))); },
                           grad, grad_three);
  const auto alone = lstm.forward(heed_test::sample_of(x, 17, 6, 0.0f));
  for (Index t = 0; t < 6; ++t) {
    for (Index u = 0; u < 10; ++u) CHECK(heed_test::same_bits(alone.output(0, t, u), one.output(17, t, u)));
  }
}
