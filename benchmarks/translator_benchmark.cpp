// Whole training steps and greedy decoding of the GRU translator, in the configuration of the peers' scripts: vocabulary 10000,
// embedding 128, hidden 256, batch 64, 20 + 20 steps, Adam; greedy decoding of one sentence of 20 tokens, never stopped early.
//
//   translator_benchmark [--threads=1,2]      rows gru_train_step/threads:<n>, gru_greedy_1sent/threads:<n>

#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <heed/heed.hpp>
#include <heed/version.hpp>

#include "options.hpp"
#include "translation_batch.hpp"

namespace {

using heed::Index;
using heed_benchmark::random_batch;
using heed_benchmark::stop_if;
using Model = heed::GruSeq2Seq<float>;

constexpr Index vocab = 10000, batch = 64, steps = 20;

Model make_model() {
  heed::Rng rng{1, 0};
  return Model({.source_vocab = vocab, .target_vocab = vocab, .embedding_dim = 128, .hidden_dim = 256}, rng);
}

void train_step(benchmark::State& state, Index threads) {
  heed::ThreadPool pool(threads);
  Model model = make_model();
  Model grad = heed::zeros_like(model);
  heed::Adam<Model> adam(model, {.learning_rate = 1e-3});
  const heed::TokenBatch data = random_batch(batch, steps, vocab);
  Model::Cache cache;
  const auto step = [&] {
    heed::set_zero(grad);
    const double loss = model.loss(data, {}, &cache, pool).loss;
    model.backward(cache, grad, pool);
    adam.step(model, grad, pool);
    return loss;
  };
  const double first = step();
  stop_if("translator_benchmark", !(step() < first), "the loss does not fall");  // the same batch again
  for (auto _ : state) benchmark::DoNotOptimize(step());
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(2 * batch * steps), benchmark::Counter::kIsIterationInvariantRate);
}

/// The tokens that the whole product of every step gives.
std::vector<Index> by_all_logits(const Model& model, const heed::TokenBatch& data) {
  const auto encoded = model.encode(data.source, data.source_lengths);
  heed::GruSeq2SeqDecoder<float> decoder(model, encoded);
  std::vector<Index> tokens = {1};
  for (Index t = 0; t < steps; ++t) {
    const auto logits = decoder.step({&tokens.back(), 1});
    tokens.push_back(std::max_element(logits.row(0), logits.row(0) + vocab) - logits.row(0));
  }
  return tokens;
}

void greedy_sentence(benchmark::State& state, Index threads) {
  heed::ThreadPool pool(threads);
  const Model model = make_model();
  const heed::PackedGruSeq2Seq<float> packed(model);  // once per loaded model
  const heed::TokenBatch data = random_batch(1, steps, vocab);
  const auto translate = [&] {
    const auto encoded = model.encode(data.source, data.source_lengths, pool, &packed.encoder);
    heed::GruSeq2SeqDecoder<float> decoder(model, encoded, pool, &packed);
    std::vector<Index> tokens = {1};
    for (Index t = 0; t < steps; ++t) tokens.push_back(decoder.step_argmax({&tokens.back(), 1}, {}).front());
    return tokens;
  };
  stop_if("translator_benchmark", translate() != by_all_logits(model, data), "the likeliest tokens are not those of all logits");
  for (auto _ : state) benchmark::DoNotOptimize(translate());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<Index> counts = heed_benchmark::take_thread_counts(argc, argv);
  for (const Index threads : counts) {
    const std::string suffix = "/threads:" + std::to_string(threads);
    benchmark::RegisterBenchmark(("gru_train_step" + suffix).c_str(), train_step, threads)
        ->Unit(benchmark::kMillisecond)->UseRealTime();
    benchmark::RegisterBenchmark(("gru_greedy_1sent" + suffix).c_str(), greedy_sentence, threads)
        ->Unit(benchmark::kMillisecond)->UseRealTime();
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("heed", heed::build_info().text());
  benchmark::RunSpecifiedBenchmarks();
}
