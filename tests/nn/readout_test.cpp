#include <heed/nn/readout.hpp>

#include <heed/nn/gradient_check.hpp>
#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using heed::Index;
using heed::ReadoutKind;
using heed::Tensor;
using heed_test::random_tensor;
using Readout = heed::Readout<double>;

Readout make(ReadoutKind kind, double dropout) {
  heed::Rng rng{2, 0};
  return {{.kind = kind, .hidden_dim = 3, .memory_dim = 2, .embedding_dim = 4, .output_dim = 5, .dropout = dropout}, rng};
}

}  // namespace

TEST_CASE("a readout's gradients equal central differences, with and without dropout", "[nn]") {
  const auto kind = GENERATE(ReadoutKind::state, ReadoutKind::attentional, ReadoutKind::deep);
  const double rate = GENERATE(0.0, 0.5);
  Readout readout = make(kind, rate);
  auto state = random_tensor<double>(1, 6, 3);
  auto context = random_tensor<double>(2, 6, 2);
  auto embedding = random_tensor<double>(3, 6, 4);
  const auto d_y = random_tensor<double>(4, 6, readout.output_dim(3));
  const std::vector<Readout::Place> places = {{0, 0}, {0, 1}, {1, 0}, {2, 3}, {2, 4}, {5, 0}};
  const heed::Rng drawn{9, 1};
  heed::Serial serial;
  const auto run = [&](Readout::Cache* cache) {
    return readout.forward({heed::as_matrix(std::as_const(state)), heed::as_matrix(std::as_const(context)),
                            heed::as_matrix(std::as_const(embedding))},
                           &drawn, places, cache, serial);
  };
  Readout::Cache cache;
  run(&cache);
  Readout grad = heed::zeros_like(readout);
  Tensor<double, 2> d_state(6, 3), d_context = heed::zeros<double, 2>({6, 2}), d_embedding = heed::zeros<double, 2>({6, 4});
  readout.backward(d_y, cache, grad, heed::as_matrix(d_state), heed::as_matrix(d_context),
                   kind == ReadoutKind::deep ? heed::as_matrix(d_embedding) : heed::MatrixView<double>(), serial);
  const auto found = heed::check_gradients(readout, grad, [&] { return heed_test::weighted_total(run(nullptr), d_y); },
                                           std::tie(state, d_state), std::tie(context, d_context),
                                           std::tie(embedding, d_embedding));
  INFO(found.worst_name);
  CHECK(found.worst_error < 1e-8);
  CHECK(heed::parameter_count(readout) == (kind == ReadoutKind::state ? 0 : 5 * (5 + (kind == ReadoutKind::deep ? 4 : 0)) + 5));
}

TEST_CASE("dropout follows a row's place in the batch, not its place among the rows", "[nn]") {
  const Readout readout = make(ReadoutKind::attentional, 0.5);
  const auto state = random_tensor<double>(1, 1, 3), context = random_tensor<double>(2, 1, 2);
  heed::Serial serial;
  const auto run = [&](Readout::Place place) {
    const heed::Rng drawn{9, 1};
    return readout.forward({heed::as_matrix(state), heed::as_matrix(context), {}}, &drawn, {&place, 1}, nullptr, serial);
  };
  CHECK(heed_test::all_same_bits(heed::flat(run({3, 7})), heed::flat(run({3, 7}))));
  bool differs = false;
  for (Index step = 0; step < 8; ++step) {
    differs = differs || !heed_test::all_same_bits(heed::flat(run({3, step})), heed::flat(run({4, step})));
  }
  CHECK(differs);
}
