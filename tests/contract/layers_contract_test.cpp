// Dense layers and a Transformer's layers, forward, backward and step by step: the bits are a contract.

#include "contract.hpp"

using namespace contract;

namespace {

template <class Layer, class... Arguments>
Layer made(Arguments... arguments) {
  heed::Rng rng{3, 0};
  return Layer(arguments..., rng);
}
heed::TransformerLayerConfig config() { return {.model_dim = 12, .heads = 3, .hidden_dim = 20}; }

template <class T>
struct Encoder {
  const std::vector<Index>& lengths = switch_lengths;
  heed::TransformerEncoderLayer<T> layer = made<heed::TransformerEncoderLayer<T>>(config());
  Tensor<T, 3> x = numbers<T, 3>({6, 129, 12}, 1), d_y = numbers<T, 3>({6, 129, 12}, 2);

  Result operator()(const Batch& batch, heed::ExecutorRef executor) const {
    const auto own = batch.of(lengths);
    const heed::MultiHeadOptions<T> options{.mask = heed::key_lengths(own) & heed::query_lengths(own)};
    typename heed::TransformerEncoderLayer<T>::Cache cache;
    const auto y = layer.forward(batch.of(x, lengths, batch.fill), options, &cache, executor);
    auto grad = heed::zeros_like(layer);
    const auto d_x = layer.backward(batch.of(d_y, lengths, 0), cache, options, grad, executor);
    Result result(batch);
    for (std::size_t n = 0; n < own.size(); ++n)
      result.samples[n].add_sample(y, n, own[n]), result.samples[n].add_sample(d_x, n, own[n]);
    result.batch.add_parameters(grad);
    return result;
  }
};

template <class T>
struct Decoder {
  const std::vector<Index>& lengths = switch_lengths;
  const std::vector<Index> memory_lengths{129, 65, 1, 2, 64, 63};
  heed::TransformerDecoderLayer<T> layer = made<heed::TransformerDecoderLayer<T>>(config());
  Tensor<T, 3> x = numbers<T, 3>({6, 129, 12}, 1), memory = numbers<T, 3>({6, 129, 12}, 2),
               d_y = numbers<T, 3>({6, 129, 12}, 3);

  Result operator()(const Batch& batch, heed::ExecutorRef executor) const {
    const auto own = batch.of(lengths), own_memory = batch.of(memory_lengths);
    typename heed::TransformerDecoderLayer<T>::Options options;
    options.self.mask = heed::causal() & heed::key_lengths(own) & heed::query_lengths(own);
    options.memory.mask = heed::key_lengths(own_memory) & heed::query_lengths(own);
    typename heed::TransformerDecoderLayer<T>::Cache cache;
    const Tensor<T, 3> m = batch.of(memory, memory_lengths, batch.fill);
    const auto y = layer.forward(batch.of(x, lengths, batch.fill), m, options, &cache, executor);
    auto grad = heed::zeros_like(layer);
    const auto d = layer.backward(batch.of(d_y, lengths, 0), m, cache, options, grad, executor);
    Result result(batch);
    for (std::size_t n = 0; n < own.size(); ++n) {
      result.samples[n].add_sample(y, n, own[n]), result.samples[n].add_sample(d.x, n, own[n]);
      result.samples[n].add_sample(d.memory, n, own_memory[n]);
    }
    result.batch.add_parameters(grad);
    return result;
  }
};

/// The cached form: one token after the other.
template <class T>
Result step_by_step(const Decoder<T>& in, const Batch& batch, heed::ExecutorRef executor) {
  const auto own_memory = batch.of(in.memory_lengths);
  typename heed::TransformerDecoderLayer<T>::Options options;
  options.memory.mask = heed::key_lengths(own_memory);
  auto state = in.layer.start(batch.of(in.memory, in.memory_lengths, batch.fill), options.memory, 4, executor);
  Result result(batch);
  for (Index t = 0; t < 67; ++t) {  // across a tile of keys
    Tensor<T, 3> token(batch.size(), 1, 12);
    for (Index b = 0; b < batch.size(); ++b)
      token.chip(b, 0).chip(0, 0) = in.x.chip(batch.samples[static_cast<std::size_t>(b)], 0).chip(t, 0);
    const auto y = in.layer.step(token, options, state, executor);
    for (std::size_t n = 0; n < own_memory.size(); ++n) result.samples[n].add_sample(y, n, 1);
  }
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("contract: a row of a dense layer depends on no other row, however many there are", "[contract]",
                   float, double) {
  using T = TestType;
  const auto layer = made<heed::Dense<T>>(typename heed::Dense<T>::Config{.in_features = 70, .out_features = 67});
  const auto x = numbers<T, 2>({65, 70}, 1), d_y = numbers<T, 2>({65, 67}, 2);
  const auto rows_of = [](const Tensor<T, 2>& all, Index first, Index count) {
    return Tensor<T, 2>(all.slice(Extents<2>{first, 0}, Extents<2>{count, all.dimension(1)}));
  };
  const auto run = [&](Index first, Index count, heed::ExecutorRef executor) {
    typename heed::Dense<T>::Cache cache;
    const auto y = layer.forward(rows_of(x, first, count), &cache, executor);
    auto grad = heed::zeros_like(layer);
    const auto d_x = layer.backward(rows_of(d_y, first, count), cache, grad, executor);
    std::vector<Record> rows(static_cast<std::size_t>(count));
    for (Index r = 0; r < count; ++r) {
      rows[static_cast<std::size_t>(r)].add(&y(r, 0), 67);
      rows[static_cast<std::size_t>(r)].add(&d_x(r, 0), 70);
    }
    return rows;
  };
  heed::Serial serial;
  heed::ThreadPool pool(4);
  const auto wanted = run(0, 65, serial);
  for (const Index count : switch_rows)
    for (const Index first : {Index{0}, 65 - count})
      for (const heed::ExecutorRef executor : {heed::ExecutorRef(serial), heed::ExecutorRef(pool)}) {
        const auto found = run(first, count, executor);
        INFO(count << " rows from row " << first);
        for (std::size_t r = 0; r < found.size(); ++r) CHECK((found[r] == wanted[static_cast<std::size_t>(first) + r]));
      }
}

TEMPLATE_TEST_CASE("contract: a Transformer's encoder layer depends on the sample alone, and on no thread or run",
                   "[contract]", float, double) {
  const Encoder<TestType> encoder;
  check_samples(6, encoder);
  check_executors(6, encoder);
}

TEMPLATE_TEST_CASE("contract: a Transformer's decoder layer depends on the sample alone, and on no thread or run",
                   "[contract]", float, double) {
  const Decoder<TestType> decoder;
  check_samples(6, decoder);
  check_executors(6, decoder);
}

TEMPLATE_TEST_CASE("contract: a decoder's cached steps depend on the sample alone, and on no thread or run",
                   "[contract]", float, double) {
  const Decoder<TestType> decoder;
  const auto run = [&](const Batch& batch, heed::ExecutorRef executor) {
    return step_by_step(decoder, batch, executor);
  };
  check_samples(6, run);
  check_executors(6, run);
}
