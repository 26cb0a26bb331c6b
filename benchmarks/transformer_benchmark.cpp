// Whole training steps and greedy decoding of the Transformer, in the configuration of the peers' scripts: 512 features, 8
// heads, 2048 hidden, 6 + 6 layers, normalised behind the shortcuts, vocabulary 10000, nothing tied, no dropout. Training: 16
// pairs of 32 tokens, Adam. Decoding: 32 tokens from sources of 32, never stopped early.
//
//   transformer_benchmark [--threads=1,2]     rows transformer_train_step/threads:<n>, transformer_fwd_bwd/threads:<n>,
//                                             transformer_greedy32/batch:<b>/threads:<n>

#include <algorithm>
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
using Model = heed::Transformer<float>;

constexpr Index vocab = 10000, steps = 32;

Model make_model() {
  heed::Rng rng{1, 0};
  return Model({.source_vocab = vocab, .target_vocab = vocab}, rng);
}

enum class Part { whole_step, gradient };

void train(benchmark::State& state, Index threads, Part part) {
  heed::ThreadPool pool(threads);
  Model model = make_model();
  Model grad = heed::zeros_like(model);
  heed::Adam<Model> adam(model, {.learning_rate = 1e-4});
  const heed::TokenBatch data = random_batch(16, steps, vocab);
  Model::Cache cache;
  const auto step = [&] {
    heed::set_zero(grad);
    const double loss = model.loss(data, {}, &cache, pool).loss;
    model.backward(cache, grad, pool);
    if (part == Part::whole_step) adam.step(model, grad, pool);
    return loss;
  };
  const double first = step();
  const bool falls = part == Part::gradient || step() < first;  // the same batch again
  stop_if("transformer_benchmark", !falls, "the loss does not fall");
  for (auto _ : state) benchmark::DoNotOptimize(step());
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(2 * 16 * steps), benchmark::Counter::kIsIterationInvariantRate);
}

void greedy(benchmark::State& state, Index threads, Index rows) {
  heed::ThreadPool pool(threads);
  const Model model = make_model();
  const heed::PackedTransformer<float> packed(model);  // once per loaded model
  const heed::TokenBatch data = random_batch(rows, steps, vocab);
  const auto translate = [&] {
    const auto encoded = model.encode(data.source, data.source_lengths, pool);
    heed::TransformerTokenDecoder<float> decoder(model, encoded, pool, &packed);
    std::vector<std::vector<Index>> found(static_cast<std::size_t>(rows));
    std::vector<Index> tokens(static_cast<std::size_t>(rows), 1);
    for (Index t = 0; t < steps; ++t) {
      const auto logits = decoder.step(tokens);
      for (Index b = 0; b < rows; ++b) {
        tokens[std::size_t(b)] = heed::index_of_maximum(logits.row(b), vocab);
        found[std::size_t(b)].push_back(tokens[std::size_t(b)]);
      }
    }
    return found;
  };
  const auto found = translate();
  heed::TokenBatch fed = data;  // what was found, fed as a whole: its likeliest tokens must be the same
  for (Index b = 0; b < rows; ++b) {
    fed.target_input(b, 0) = 1;
    for (Index t = 1; t < steps; ++t) fed.target_input(b, t) = found[std::size_t(b)][std::size_t(t - 1)];
  }
  const auto logits = model.score(fed, pool).logits;
  Index same = 0;
  for (Index b = 0; b < rows; ++b) {
    for (Index t = 0; t < steps; ++t) {
      const float* const row = logits.data() + (b * steps + t) * vocab;
      same += row[found[std::size_t(b)][std::size_t(t)]] >= *std::max_element(row, row + vocab) - 1e-4f;
    }
  }
  stop_if("transformer_benchmark", same < rows * steps, "the likeliest tokens are not those of the whole pass");
  for (auto _ : state) benchmark::DoNotOptimize(translate());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<Index> counts = heed_benchmark::take_thread_counts(argc, argv);
  for (const Index threads : counts) {
    const std::string suffix = "/threads:" + std::to_string(threads);
    const auto add = [](const std::string& name, auto function, auto... arguments) {
      benchmark::RegisterBenchmark(name.c_str(), function, arguments...)->Unit(benchmark::kMillisecond)->UseRealTime();
    };
    add("transformer_train_step" + suffix, train, threads, Part::whole_step);
    add("transformer_fwd_bwd" + suffix, train, threads, Part::gradient);
    for (const Index rows : {Index{1}, Index{16}})
      add("transformer_greedy32/batch:" + std::to_string(rows) + suffix, greedy, threads, rows);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("heed", heed::build_info().text());
  benchmark::RunSpecifiedBenchmarks();
}
