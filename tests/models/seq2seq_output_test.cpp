#include <heed/models/seq2seq_output.hpp>

#include <cmath>

#include <heed/nn/gradient_check.hpp>
#include "nn/layer_testing.hpp"
#include "support/catch.hpp"

namespace {

using heed::Index;
using heed::Tensor;
using heed_test::random_tensor;
using Output = heed::Seq2SeqOutput<double>;

}  // namespace

TEST_CASE("the loss is the mean over what counts, and its gradients equal central differences", "[models]") {
  const auto kind = GENERATE(heed::ReadoutKind::state, heed::ReadoutKind::deep);
  heed::Rng rng{1, 0};
  Output output({.kind = kind, .hidden_dim = 3, .memory_dim = 2, .embedding_dim = 4, .output_dim = 5}, 6,
                heed::OutputWeight::own, rng);
  heed::RecurrentRead<double> read{random_tensor<double>(1, 2, 3, 3), random_tensor<double>(2, 2, 3, 2), {}};
  auto embedding = random_tensor<double>(3, 2, 3, 4);
  Tensor<Index, 2> target(2, 3);
  target.setValues({{5, 2, 0}, {1, 0, 0}});  // pad is 0: three positions count
  heed::Serial serial;
  const auto run = [&](Output::Cache* cache) {
    return output.loss(read, embedding, target, 0, {}, nullptr, cache, serial);
  };
  Output::Cache cache;
  const auto loss = run(&cache);
  CHECK(loss.counted == 3);
  const auto logits = output.logits(read, embedding, nullptr, serial);
  double sum = 0;
  for (const auto& [b, t] : {std::pair<Index, Index>{0, 0}, {0, 1}, {1, 0}}) {
    double total = 0;
    for (Index v = 0; v < 6; ++v) total += std::exp(logits(b, t, v));
    sum += std::log(total) - logits(b, t, target(b, t));
  }
  CHECK(loss.loss == Approx(sum / 3).epsilon(1e-12));
  Output grad = heed::zeros_like(output);
  auto d = output.backward(read, cache, nullptr, grad, nullptr, serial);
  const auto found = heed::check_gradients(output, grad, [&] { return run(nullptr).loss; }, std::tie(read.hidden, d.hidden));
  CHECK(found.worst_error < 1e-8);
  for (Index u = 0; u < 3; ++u) CHECK(d.hidden(1, 2, u) == 0);
}
