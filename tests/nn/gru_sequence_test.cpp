#include <heed/nn/gru_sequence.hpp>

#include <limits>

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
using heed_test::sample_of;

}  // namespace

TEST_CASE("a sample's bits depend on no other sample, no padding and no thread", "[nn]") {
  const auto reset = GENERATE(GruReset::after, GruReset::before);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto gru = make_gru<float>({.input_dim = 7, .hidden_dim = 19, .directions = Directions::both, .reset = reset});
  const Index batch = 21, steps = 9;
  auto x = random_tensor<float>(1, batch, steps, 7);
  std::vector<Index> lengths;
  for (Index b = 0; b < batch; ++b) lengths.push_back(1 + b * 5 % steps);
  for (Index b = 0; b < batch; ++b) {
    for (Index t = lengths[static_cast<std::size_t>(b)]; t < steps; ++t) {
      for (Index i = 0; i < 7; ++i) x(b, t, i) = nan;
    }
  }
  typename heed::Gru<float>::Cache cache;
  heed::ThreadPool pool(3);
  const auto together = gru.forward(x, {.lengths = lengths}, &cache, pool);
  auto d_output = random_tensor<float>(2, batch, steps, 38);
  auto grad = heed::zeros_like(gru);
  const auto d = gru.backward(d_output, nullptr, cache, grad, pool);
  heed::Serial serial;
  auto grad_serial = heed::zeros_like(gru);
  const auto d_serial = gru.backward(d_output, nullptr, cache, grad_serial, serial);
  heed::for_each_parameter(
      [](std::string_view, heed::Role, const auto& a, const auto& b) { CHECK(heed_test::all_same_bits(heed::flat(a), heed::flat(b))); },
      grad, grad_serial);
  CHECK(heed_test::all_same_bits(heed::flat(d.x), heed::flat(d_serial.x)));
  for (Index b = 0; b < batch; ++b) {
    const std::vector<Index> length = {lengths[static_cast<std::size_t>(b)]};
    const Index padded = steps + 4;
    typename heed::Gru<float>::Cache own;
    const auto alone = gru.forward(sample_of(x, b, padded, nan), {.lengths = length}, &own, serial);
    auto own_grad = heed::zeros_like(gru);
    const auto own_d = gru.backward(sample_of(d_output, b, padded, 0.f), nullptr, own, own_grad, serial);
    const auto expected = sample_of(together.output, b, steps, 0.f), found = sample_of(alone.output, 0, steps, 0.f);
    CHECK(heed_test::all_same_bits(heed::flat(found), heed::flat(expected)));
    for (Index u = 0; u < 19; ++u) CHECK(heed_test::same_bits(alone.state(1, 0, u), together.state(1, b, u)));
    for (Index i = 0; i < 7; ++i) CHECK(heed_test::same_bits(own_d.x(0, 0, i), d.x(b, 0, i)));
    heed::for_each_parameter(
        [](std::string_view, heed::Role, const auto& g) {
          for (const float v : heed::flat(g)) CHECK(std::isfinite(v));
        },
        own_grad);
  }
}
