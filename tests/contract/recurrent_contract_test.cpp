// GRU and Bahdanau's attention, forward and backward: the bits are a contract.

#include "contract.hpp"

using namespace contract;

namespace {

template <class T>
struct TwoWayGru {
  const std::vector<Index>& lengths = switch_lengths;
  heed::Gru<T> gru;
  Tensor<T, 3> x = numbers<T, 3>({6, 129, 5}, 1), d_output = numbers<T, 3>({6, 129, 14}, 2);

  TwoWayGru() {
    heed::Rng rng{3, 0};
    gru = heed::Gru<T>({.input_dim = 5, .hidden_dim = 7, .layers = 2, .directions = heed::Directions::both}, rng);
  }
  Result operator()(const Batch& batch, heed::ExecutorRef executor) const {
    const auto own = batch.of(lengths);
    typename heed::Gru<T>::Cache cache;
    const auto found = gru.forward(batch.of(x, lengths, batch.fill),
                                   {.lengths = own, .masked_output = heed::MaskedOutput::zero}, &cache, executor);
    auto grad = heed::zeros_like(gru);
    const auto d = gru.backward(batch.of(d_output, lengths, 0), nullptr, cache, grad, executor);
    Result result(batch);
    for (std::size_t n = 0; n < own.size(); ++n) {
      result.samples[n].add_sample(found.output, n, own[n]), result.samples[n].add_sample(d.x, n, own[n]);
      for (Index run = 0; run < 4; ++run) {
        result.samples[n].add(&found.state(run, static_cast<Index>(n), 0), 7);
        result.samples[n].add(&d.initial_state(run, static_cast<Index>(n), 0), 7);
      }
    }
    result.batch.add_parameters(grad);
    return result;
  }
};

template <class T>
struct Reader {
  const std::vector<Index>& lengths = switch_lengths;
  const std::vector<Index> queries{3, 3, 3, 3, 3, 3};
  heed::BahdanauAttention<T> layer;
  Tensor<T, 3> state = numbers<T, 3>({6, 3, 4}, 1), keys = numbers<T, 3>({6, 129, 5}, 2),
               values = numbers<T, 3>({6, 129, 6}, 3), d_context = numbers<T, 3>({6, 3, 6}, 4);

  Reader() {
    heed::Rng rng{3, 0};
    layer = heed::BahdanauAttention<T>({.units = 21, .query_dim = 4, .key_dim = 5}, rng);
  }
  Result operator()(const Batch& batch, heed::ExecutorRef executor) const { return run(batch, executor, 0); }
  /// The keys' and values' rows lie `gap` numbers apart.
  Result run(const Batch& batch, heed::ExecutorRef executor, Index gap) const {
    const auto own = batch.of(lengths);
    const Batch whole{batch.samples};
    const Tensor<T, 3> q = whole.of(state, queries, 0), k = batch.of(keys, lengths, batch.fill),
                       v = batch.of(values, lengths, batch.fill), d_read = whole.of(d_context, queries, 0);
    std::vector<T> key_room, value_room;
    const auto vk = apart(k, gap, key_room), vv = apart(v, gap, value_room);
    const auto memory = layer.project(vk, executor);
    typename heed::BahdanauAttention<T>::Cache cache;
    const auto read = layer.forward(q, memory, vv, own, &cache, executor);
    auto grad = heed::zeros_like(layer);
    auto memory_grad = heed::zero_memory_gradient(memory, v);
    const auto d_state =
        layer.backward(d_read, cache, memory, vv, own, grad, memory_grad, heed::View<const T, 3>{}, executor);
    const auto d_keys = layer.project_backward(vk, memory_grad, grad, executor);
    Result result(batch);
    for (std::size_t n = 0; n < own.size(); ++n) {
      result.samples[n].add_sample(read.context, n, 3), result.samples[n].add_sample(read.weights, n, 3, own[n]);
      result.samples[n].add_sample(d_state, n, 3), result.samples[n].add_sample(d_keys, n, own[n]);
      result.samples[n].add_sample(memory_grad.values, n, own[n]);
    }
    result.batch.add_parameters(grad);
    return result;
  }

 private:
  static heed::View<const T, 3> apart(const Tensor<T, 3>& x, Index gap, std::vector<T>& room) {
    const Extents<3> e = heed::extents(x);
    const Index step = e[2] + gap;
    room.assign(static_cast<std::size_t>(e[0] * e[1] * step), std::numeric_limits<T>::quiet_NaN());
    for (Index row = 0; row < e[0] * e[1]; ++row) std::copy_n(x.data() + row * e[2], e[2], room.data() + row * step);
    return {room.data(), e, {e[1] * step, step, 1}};
  }
};

}  // namespace

TEMPLATE_TEST_CASE("contract: a GRU's outputs, states and input gradients depend on the sample alone", "[contract]",
                   float, double) {
  check_samples(6, TwoWayGru<TestType>());
}

TEMPLATE_TEST_CASE("contract: a GRU's results and parameter gradients depend on no thread and no run", "[contract]",
                   float, double) {
  check_executors(6, TwoWayGru<TestType>());
}

TEMPLATE_TEST_CASE("contract: Bahdanau's attention and its input gradients depend on the sample alone", "[contract]",
                   float, double) {
  check_samples(6, Reader<TestType>());
}

TEMPLATE_TEST_CASE("contract: Bahdanau's attention and its gradients depend on no thread, run or stride", "[contract]",
                   float, double) {
  const Reader<TestType> reader;
  check_executors(6, reader);
  heed::Serial serial;
  const Batch batch{{5, 0, 2}, 140, std::numeric_limits<double>::quiet_NaN()};
  CHECK((reader.run(batch, serial, 3) == reader.run(batch, serial, 0)));
}
