#pragma once
// What the tests of score and mask callables share: a problem with grouped heads, run forward and backward, and the
// comparison of two ways to say the same thing.

#include <heed/attention/modifier.hpp>
#include <heed/attention/scaled_dot_product_backward.hpp>

#include "attention/attention_testing.hpp"

namespace heed_test {

using heed::AttentionGradients;
using heed::AttentionOptions;
using heed::AttentionResult;

/// One attention call and its backward.
template <class T>
struct Attended {
  AttentionResult<T> forward;
  AttentionGradients<T> gradients;
};

template <class T>
struct Problem {
  Tensor<T, 4> query, key, value, d_output;
  Problem(Index batch, Index query_length, Index key_length, Index head_dim = 8, Index value_dim = 6)
      : query(random_tensor<T, 4>({batch, 4, query_length, head_dim}, 1, 1.5)),
        key(random_tensor<T, 4>({batch, 2, key_length, head_dim}, 2, 1.5)),
        value(random_tensor<T, 4>({batch, 2, key_length, value_dim}, 3)),
        d_output(random_tensor<T, 4>({batch, 4, query_length, value_dim}, 4)) {}

  /// Everything that can be asked for.
  template <class... F>
  Attended<T> attend(AttentionOptions<T> options, const F&... callables) const {
    options.return_weights = options.return_logsumexp = options.return_row_max = true;
    options.return_entropy = options.return_key_sums = true;
    Attended<T> result;
    result.forward = heed::attend(query, key, value, options, callables...);
    result.gradients = heed::attend_backward(d_output, query, key, value, result.forward, options, callables...);
    return result;
  }
  /// The loss whose gradient with respect to the output is d_output.
  template <class... F>
  double loss(const AttentionOptions<T>& options, const F&... callables) const {
    return weighted_sum(heed::scaled_dot_product_attention(query, key, value, options, callables...), d_output);
  }
};

/// Calls check(a's tensor, b's tensor) for every tensor of both.
template <class T, class Check>
void for_each_result(const Attended<T>& a, const Attended<T>& b, const Check& check) {
  check(a.forward.output, b.forward.output);
  check(a.forward.weights, b.forward.weights);
  check(a.forward.logsumexp, b.forward.logsumexp);
  check(a.forward.row_max, b.forward.row_max);
  check(a.forward.entropy, b.forward.entropy);
  check(a.forward.key_sums, b.forward.key_sums);
  check(a.gradients.query, b.gradients.query);
  check(a.gradients.key, b.gradients.key);
  check(a.gradients.value, b.gradients.value);
}
template <class T>
void check_same_bits(const Attended<T>& a, const Attended<T>& b) {
  for_each_result(a, b, [](const auto& x, const auto& y) { CHECK(same_tensor(x, y)); });
}
template <class T>
void check_close(const Attended<T>& a, const Attended<T>& b) {
  for_each_result(a, b, [](const auto& x, const auto& y) { CHECK(close_tensor(x, in_double(y))); });
}

}  // namespace heed_test
