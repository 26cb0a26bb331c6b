// Scaled dot-product attention, forward, backward and decoding from a cache: the bits are a contract.

#include "contract.hpp"

using namespace contract;

namespace {

/// Self-attention of samples of all lengths with holes, as a decoder does it.
template <class T>
struct SelfAttention {
  static constexpr Index heads = 4, kv_heads = 2, head_dim = 9, value_dim = 6, room = 129;
  const std::vector<Index>& lengths = switch_lengths;
  Tensor<T, 4> query = numbers<T, 4>({6, heads, room, head_dim}, 1),
               key = numbers<T, 4>({6, kv_heads, room, head_dim}, 2),
               value = numbers<T, 4>({6, kv_heads, room, value_dim}, 3),
               d_output = numbers<T, 4>({6, heads, room, value_dim}, 4);
  Tensor<T, 1> sink = numbers<T, 1>({heads}, 5), slopes = heed::alibi_slopes<T>(heads);

  static bool hole(Index key_index) { return key_index % 7 == 3; }

  Result operator()(const Batch& batch, heed::ExecutorRef executor) const {
    return run(batch, executor, Axes::as_they_are);
  }

  enum class Axes { as_they_are, length_first, backwards };
  Result run(const Batch& batch, heed::ExecutorRef executor, Axes axes) const {
    const Index steps = batch.padded_to(lengths);
    const auto own = batch.of(lengths);
    Tensor<T, 4> q = batch.of(query, lengths, batch.fill), k = batch.of(key, lengths, batch.fill),
                 v = batch.of(value, lengths, batch.fill), d = batch.of(d_output, lengths, batch.fill);
    Tensor<bool, 2> visible(batch.size(), steps);
    for (Index j = 0; j < steps; ++j) {
      visible.chip(j, 1).setConstant(!hole(j));
      if (hole(j))
        k.chip(j, 2).setConstant(static_cast<T>(batch.fill)), v.chip(j, 2).setConstant(static_cast<T>(batch.fill));
    }
    const heed::AttentionOptions<T> options{.mask = heed::causal(heed::Corner::top_left) & heed::key_lengths(own) &
                                                    heed::query_lengths(own) & heed::key_mask(visible),
                                            .softcap = T(4),
                                            .alibi_slopes = slopes,
                                            .sink = sink,
                                            .return_weights = true,
                                            .return_logsumexp = true};
    Tensor<T, 4> memory[4];
    const auto laid = [&](Tensor<T, 4>& x, std::size_t n) { return laid_out(x, memory[n], axes); };
    const auto vq = laid(q, 0), vk = laid(k, 1), vv = laid(v, 2), vd = laid(d, 3);
    const auto forward = heed::attend(vq, vk, vv, options, executor);
    const auto grad = heed::attend_backward(vd, vq, vk, vv, forward, options, executor);
    Result result(batch);
    for (std::size_t n = 0; n < own.size(); ++n) {
      Record& record = result.samples[n];
      record.add_sample(forward.output, n, own[n]), record.add_sample(forward.weights, n, own[n], own[n]);
      for (Index h = 0; h < heads; ++h) record.add(&forward.logsumexp(static_cast<Index>(n), h, 0), own[n]);
      record.add_sample(grad.query, n, own[n]), record.add_sample(grad.key, n, own[n]);
      record.add_sample(grad.value, n, own[n]);
    }
    result.batch.add(grad.sink);
    return result;
  }

 private:
  /// The same tensor with other strides.
  static heed::View<const T, 4> laid_out(const Tensor<T, 4>& x, Tensor<T, 4>& memory, Axes axes) {
    const Extents<4> e = heed::extents(x);
    if (axes == Axes::length_first) {  // (batch, length, heads, dim)
      memory = x.shuffle(Eigen::array<int, 4>{0, 2, 1, 3});
      return {memory.data(), e, {e[1] * e[2] * e[3], e[3], e[1] * e[3], 1}};
    }
    memory = x;
    heed::View<const T, 4> view(memory);
    if (axes == Axes::backwards) {
      memory = x.reverse(Eigen::array<bool, 4>{true, true, true, true});
      view.data = memory.data() + memory.size() - 1;
      for (Index& stride : view.strides) stride = -stride;
    }
    return view;
  }
};

/// One query per sample against a cache whose free slots held other numbers; lengths on both sides of a block and of a
/// chunk of keys.
template <class T>
struct Decode {
  static constexpr Index heads = 4, kv_heads = 2, head_dim = 9, value_dim = 6;
  const std::vector<Index> lengths{1, 255, 256, 257, 1024, 1025};
  Tensor<T, 4> query = numbers<T, 4>({6, heads, 1, head_dim}, 1), key = numbers<T, 4>({6, kv_heads, 1025, head_dim}, 2),
               value = numbers<T, 4>({6, kv_heads, 1025, value_dim}, 3);
  Tensor<T, 1> sink = numbers<T, 1>({heads}, 5);

  Result operator()(const Batch& batch, heed::ExecutorRef executor) const {
    const auto own = batch.of(lengths);
    const Tensor<T, 4> k = batch.of(key, lengths, batch.fill), v = batch.of(value, lengths, batch.fill);
    const Tensor<T, 4> q = Batch{batch.samples}.of(query, std::vector<Index>(6, 1), 0);
    heed::KeyValueCache<T> cache(
        {.batch = batch.size(), .kv_heads = kv_heads, .head_dim = head_dim, .value_dim = value_dim});
    cache.append(k, v);
    Tensor<T, 4> junk_key = k, junk_value = v;
    junk_key.setConstant(static_cast<T>(batch.fill)), junk_value.setConstant(static_cast<T>(batch.fill));
    cache.append(junk_key, junk_value);
    cache.truncate(k.dimension(2));
    const heed::AttentionOptions<T> options{.mask = heed::key_lengths(own), .sink = sink, .return_logsumexp = true};
    const auto read = heed::attend(q, cache.key(), cache.value(), options, executor);
    const auto grad = heed::attend_backward(read.output, q, cache.key(), cache.value(), read, options, executor);
    Result result(batch);
    for (std::size_t n = 0; n < own.size(); ++n) {
      Record& record = result.samples[n];
      record.add_sample(read.output, n, 1), record.add_sample(read.logsumexp, n, heads);
      record.add_sample(grad.query, n, 1), record.add_sample(grad.key, n, own[n]);
      record.add_sample(grad.value, n, own[n]);
    }
    result.batch.add(grad.sink);
    return result;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("contract: attention and its gradients depend on the sample alone", "[contract]", float, double) {
  check_samples(6, SelfAttention<TestType>());
}

TEMPLATE_TEST_CASE("contract: attention and its gradients depend on no thread, run or stride", "[contract]", float,
                   double) {
  using Attention = SelfAttention<TestType>;
  const Attention attention;
  check_executors(6, attention);
  heed::Serial serial;
  const Batch batch{{5, 0, 2, 4}, 140, std::numeric_limits<double>::quiet_NaN()};
  const Result wanted = attention(batch, serial);
  CHECK((attention.run(batch, serial, Attention::Axes::length_first) == wanted));
  CHECK((attention.run(batch, serial, Attention::Axes::backwards) == wanted));
}

TEMPLATE_TEST_CASE("contract: decoding from a cache depends on the sample alone, and on no thread", "[contract]", float,
                   double) {
  const Decode<TestType> decode;
  check_samples(6, decode);
  check_executors(6, decode);
}
