// How much memory a training step of the Transformer takes beyond parameters, gradients and moments (Linux).
//
//   transformer_memory [batch] [length] [steps]
//
// The model and batch of transformer_benchmark, by default 16 pairs of 32 tokens, with the default executor
// (HEED_NUM_THREADS). Gradients and moments are there and a tiny batch has been trained on before; what grows then is the
// process' peak resident memory, which is reset. transformer_memory_peer.py measures PyTorch the same way.

#include <cstdio>
#include <cstdlib>

#include <heed/heed.hpp>
#include <heed/version.hpp>

#include "resident.hpp"
#include "translation_batch.hpp"

int main(int argc, char** argv) {
  using heed::Index;
  const auto argument = [&](int i, Index otherwise) { return argc > i ? std::atoll(argv[i]) : otherwise; };
  const Index batch = argument(1, 16), length = argument(2, 32), steps = argument(3, 3), vocab = 10000;
  if (argc > 4 || batch < 1 || length < 1 || steps < 1) {
    std::fprintf(stderr, "usage: transformer_memory [batch] [length] [steps]\n");
    return 2;
  }
  using Model = heed::Transformer<float>;
  heed::Rng rng{1, 0};
  Model model({.source_vocab = vocab, .target_vocab = vocab}, rng);
  Model grad = heed::zeros_like(model);
  heed::Adam<Model> adam(model, {.learning_rate = 1e-4});
  double loss = 0;
  const auto step = [&](const heed::TokenBatch& data, Model::Cache& cache) {
    heed::set_zero(grad);
    loss = model.loss(data, {}, &cache).loss;
    model.backward(cache, grad);
    adam.step(model, grad);
  };
  {
    Model::Cache small;
    step(heed_benchmark::random_batch(1, 2, vocab), small);
  }
  const heed::TokenBatch data = heed_benchmark::random_batch(batch, length, vocab);
  heed_benchmark::reset_peak("transformer_memory");
  const double before = heed_benchmark::resident("transformer_memory", "VmRSS:");
  Model::Cache cache;
  for (Index i = 0; i < steps; ++i) step(data, cache);
  const double growth = heed_benchmark::resident("transformer_memory", "VmHWM:") - before;
  const double state = 16.0 * double(heed::parameter_count(model)) / 1048576;
  std::printf("%s\n%td x %td tokens, loss %.3f: %.1f MiB beyond parameters, gradients and moments (%.0f MiB)\n",
              heed::build_info().text().c_str(), batch, length, loss, growth, state);
}
