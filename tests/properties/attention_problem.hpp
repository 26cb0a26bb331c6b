#pragma once
// One attention call with everything that its options view, and all that the library makes of it: what the property
// tests move, cut, pad and poison.

#include <heed/attention/scaled_dot_product_backward.hpp>

#include <optional>
#include <string>
#include <vector>

#include "attention/attention_testing.hpp"

namespace heed_test {

/// The inputs as a call takes them: any strides.
template <class T>
struct AttentionInputs {
  heed::View<const T, 4> query, key, value, d_output;
};

/// What is empty is not among the options.
template <class T>
struct AttentionProblem {
  Tensor<T, 4> query, key, value, d_output;
  heed::Mask corner;  // a causal corner and a window; everything else that masks is below
  std::vector<Index> key_lengths, query_lengths, offsets;
  Tensor<Index, 2> query_ids, key_ids;  // segments
  Tensor<std::uint8_t, 4> allowed;      // boolean mask, axes of 1 repeat
  Tensor<T, 4> bias;                    // the same
  int allowed_rank = 4, bias_rank = 4;  // their leading axes of 1 are left out down to this
  Tensor<T, 1> slopes, sink;
  std::optional<T> scale;
  T softcap = 0;
  heed::AttentionDropout dropout;

  Index batch() const { return query.dimension(0); }
  Index heads() const { return query.dimension(1); }
  Index query_length() const { return query.dimension(2); }
  Index key_length() const { return key.dimension(2); }
  Index kv_head(Index head) const { return head / (heads() / key.dimension(1)); }
  AttentionInputs<T> inputs() const { return {query, key, value, d_output}; }

  heed::AttentionOptions<T> options() const {
    heed::AttentionOptions<T> all{.scale = scale, .mask = corner, .softcap = softcap, .dropout = dropout};
    if (!offsets.empty()) all.mask = all.mask & heed::causal_offset(offsets);
    if (!key_lengths.empty()) all.mask = all.mask & heed::key_lengths(key_lengths);
    if (!query_lengths.empty()) all.mask = all.mask & heed::query_lengths(query_lengths);
    if (key_ids.size() > 0) all.mask = all.mask & heed::segment_ids(query_ids, key_ids);
    if (allowed.size() > 0) all.mask.boolean = of_rank(allowed, allowed_rank);
    if (bias.size() > 0) all.bias = of_rank(bias, bias_rank);
    if (slopes.size() > 0) all.alibi_slopes = slopes;
    if (sink.size() > 0) all.sink = sink;
    all.return_weights = all.return_logsumexp = all.return_row_max = all.return_entropy = all.return_key_sums = true;
    return all;
  }

 private:
  template <class U>
  static heed::BroadcastView<U> of_rank(const Tensor<U, 4>& x, int rank) {
    const Extents<4> e = heed::extents(x);
    if (rank == 2) return heed::View<const U, 2>(x.data(), {e[2], e[3]});
    if (rank == 3) return heed::View<const U, 3>(x.data(), {e[1], e[2], e[3]});
    return x;
  }
};

/// A problem with random numbers and no option set.
template <class T>
AttentionProblem<T> plain_problem(const heed::AttentionShape& shape, std::uint64_t seed = 1) {
  AttentionProblem<T> p;
  p.query = random_tensor<T, 4>(shape.query(), 4 * seed, 2);
  p.key = random_tensor<T, 4>(shape.key(), 4 * seed + 1, 2);
  p.value = random_tensor<T, 4>(shape.value(), 4 * seed + 2);
  p.d_output = random_tensor<T, 4>(shape.output(), 4 * seed + 3);
  return p;
}

/// Everything that can be asked for, forward and backward.
template <class T>
struct Everything {
  heed::AttentionResult<T> forward;
  heed::AttentionGradients<T> gradients;
};

template <class T>
Everything<T> everything(const heed::AttentionOptions<T>& options, const AttentionInputs<T>& in,
                         heed::ExecutorRef executor) {
  Everything<T> all;
  all.forward = heed::attend(in.query, in.key, in.value, options, executor);
  all.gradients = heed::attend_backward(in.d_output, in.query, in.key, in.value, all.forward, options, executor);
  return all;
}
template <class T>
Everything<T> everything(const AttentionProblem<T>& problem) {
  heed::Serial serial;
  return everything(problem.options(), problem.inputs(), serial);
}

/// Calls f(name, that member of each result) for every tensor with the batch as its first axis: what belongs to a
/// sample.
template <class F, class... Result>
void for_each_per_sample(const F& f, Result&... all) {
  f("output", all.forward.output...);
  f("weights", all.forward.weights...);
  f("logsumexp", all.forward.logsumexp...);
  f("row_max", all.forward.row_max...);
  f("entropy", all.forward.entropy...);
  f("key_sums", all.forward.key_sums...);
  f("d_query", all.gradients.query...);
  f("d_key", all.gradients.key...);
  f("d_value", all.gradients.value...);
}
/// The same for every tensor.
template <class F, class... Result>
void for_each_tensor(const F& f, Result&... all) {
  for_each_per_sample(f, all...);
  f("d_bias", all.gradients.bias...);
  f("d_sink", all.gradients.sink...);
}

/// The names of what differs in a bit; empty when all is the same.
template <class T>
std::string different_per_sample(const Everything<T>& found, const Everything<T>& wanted) {
  std::string names;
  for_each_per_sample([&](const char* name, const auto& a,
                          const auto& b) { names += same_tensor(a, b) ? "" : std::string(name) + " "; },
                      found, wanted);
  return names;
}
template <class T>
std::string different(const Everything<T>& found, const Everything<T>& wanted) {
  std::string names;
  for_each_tensor([&](const char* name, const auto& a,
                      const auto& b) { names += same_tensor(a, b) ? "" : std::string(name) + " "; },
                  found, wanted);
  return names;
}

}  // namespace heed_test
