#pragma once
// What an attention call is told besides query, key and value, and what it hands back.

#include <optional>

#include <heed/attention/broadcast_view.hpp>
#include <heed/attention/mask.hpp>
#include <heed/core/numeric.hpp>
#include <heed/core/random.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// Dropout of probabilities after the softmax (SEMANTICS 17): p in [0, 1], kept ones are divided by 1 - p. The bit of
/// (batch, head, query, key) is a pure function of rng's (seed, offset) and that coordinate; give every call of a
/// training run its own, for instance through Rng::next(). A probability above 0 without rng is refused: nothing is
/// random unseen.
struct AttentionDropout {
  double probability = 0;
  std::optional<Rng> rng = {};
};

/// Which kernel a call with one query takes: both are right, but their last bits may differ (SEMANTICS 27).
enum class QueryPath {
  by_length,  // one query: that of decoding, which reads keys and values once
  block,      // that of many queries: a sequence of one has the bits that it has beside longer ones, padded
};

/// Options of scaled dot-product attention with elements T; the defaults are plain full attention.
template <Real T>
struct AttentionOptions {
  std::optional<T> scale = {};  // of query . key; 1 / sqrt(head_dim) when absent; 0 and negative are legal
  Mask mask = {};
  T softcap = 0;               // c tanh(score / c) of the scaled scores; 0 or less: off
  BroadcastView<T> bias = {};  // added to the scaled scores; rank 2 to 4, axes of 1 broadcast; -inf masks
  View<const T, 1> alibi_slopes = {};  // (heads): -slope |p - key| is added, p = query + the causal offset
  View<const T, 1> sink = {};          // (heads): a logit more in every row's denominator; its weight is no key's
  AttentionDropout dropout = {};
  QueryPath path = QueryPath::by_length;
  bool return_weights = false;    // (batch, heads, query_length, key_length), those before dropout
  bool return_logsumexp = false;  // (batch, heads, query_length), the natural log; needed by the backward
  bool return_row_max = false;    // (batch, heads, query_length): the largest visible score, -inf where none is
  bool return_entropy = false;    // (batch, heads, query_length): -sum of w log w over a query's weights
  bool return_key_sums = false;   // (batch, heads, key_length): what a key's weights add up to over the queries
};

/// What attend() returns. What was not asked for is empty.
template <Real T>
struct AttentionResult {
  Tensor<T, 4> output;     // (batch, heads, query_length, value_dim)
  Tensor<T, 4> weights;    // (batch, heads, query_length, key_length)
  Tensor<T, 3> logsumexp;  // (batch, heads, query_length)
  Tensor<T, 3> row_max;    // (batch, heads, query_length)
  Tensor<T, 3> entropy;    // (batch, heads, query_length)
  Tensor<T, 3> key_sums;   // (batch, heads, key_length)
};

/// Where attend_into() writes. A null view is not written.
template <Real T>
struct AttentionOutputs {
  View<T, 4> output;
  View<T, 4> weights = {};
  View<T, 3> logsumexp = {};
  View<T, 3> row_max = {};
  View<T, 3> entropy = {};
  View<T, 3> key_sums = {};
};

/// What attend_backward() returns: gradients in the shapes of the inputs. bias and sink are empty when the call had
/// none.
template <Real T>
struct AttentionGradients {
  Tensor<T, 4> query;
  Tensor<T, 4> key;
  Tensor<T, 4> value;
  Tensor<T, 4> bias;  // in the bias' own extents, with leading axes of 1 up to rank 4
  Tensor<T, 1> sink;  // (heads)
};

}  // namespace heed::inline HEED_ABI
