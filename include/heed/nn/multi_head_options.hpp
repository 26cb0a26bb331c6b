#pragma once
// What a multi-head attention is made of, and what a call is told and hands back besides its inputs.

#include <optional>
#include <string>
#include <vector>

#include <heed/attention/modifier.hpp>
#include <heed/attention/rotary.hpp>
#include <heed/nn/extra_keys.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// Sizes that are 0 take the default named beside them.
struct MultiHeadConfig {
  Index model_dim = 0;  // of the queries' input
  Index heads = 1;
  Index kv_heads = 0;    // heads
  Index head_dim = 0;    // model_dim / heads; of queries and keys
  Index value_dim = 0;   // head_dim; of a head's values
  Index key_dim = 0;     // model_dim; of the keys' input
  Index memory_dim = 0;  // model_dim; of the values' input
  Index output_dim = 0;  // model_dim
  Bias bias = Bias::yes;
  ExtraKeys extra_keys = {};
  double dropout = 0;  // of the weights

  /// Every size filled in. Throws heed::Error for sizes that do not fit each other.
  MultiHeadConfig complete() const {
    MultiHeadConfig all = *this;
    const auto refuse = [](bool right, const char* what, Index found, const std::string& wanted) {
      check(right, [&] {
        return std::string("MultiHeadAttention: ") + what + " is " + std::to_string(found) + ", wanted " + wanted;
      });
    };
    refuse(model_dim > 0, "model_dim", model_dim, "a positive number");
    refuse(heads > 0, "heads", heads, "a positive number");
    for (Index* const size : {&all.kv_heads, &all.head_dim, &all.value_dim, &all.key_dim, &all.memory_dim, &all.output_dim})
      refuse(*size >= 0, "a size", *size, "0 (its default) or more");
    refuse(head_dim > 0 || model_dim % heads == 0, "model_dim", model_dim,
           "a multiple of the " + std::to_string(heads) + " heads, or a head_dim");
    const auto fill = [](Index& size, Index otherwise) { size = size == 0 ? otherwise : size; };
    fill(all.kv_heads, heads);
    fill(all.head_dim, model_dim / heads);
    fill(all.value_dim, all.head_dim);
    fill(all.key_dim, model_dim);
    fill(all.memory_dim, model_dim);
    fill(all.output_dim, model_dim);
    refuse(heads % all.kv_heads == 0, "heads", heads, "a multiple of the " + std::to_string(all.kv_heads) + " kv_heads");
    refuse(extra_keys.learned >= 0 && extra_keys.learned <= 1 && extra_keys.zeros >= 0 && extra_keys.zeros <= 1,
           "a count of extra keys", std::max(extra_keys.learned, extra_keys.zeros), "0 or 1");
    check(dropout >= 0 && dropout <= 1,
          [&] { return "MultiHeadAttention: dropout is " + std::to_string(dropout) + ", wanted 0 to 1"; });
    return all;
  }
};

/// Options of one call; everything is read in place and must outlive it.
template <Real T>
struct MultiHeadOptions {
  Mask mask = {};              // over (batch, heads, query_length, key_length)
  BroadcastView<T> bias = {};  // added to the scaled scores; rank 2 to 4, axes of 1 broadcast; -inf masks
  std::optional<T> scale = {};             // of query . key; 1 / sqrt(head_dim) when absent
  T softcap = 0;
  View<const T, 1> alibi_slopes = {};      // (heads)
  CallableRef<T> callables = {};           // heed::callables<T>(score, mask(g)); they are asked about extra keys too
  const RotaryTable<T>* rotary = nullptr;  // turns queries and keys
  RotaryCall rotary_call = {};
  Rng* rng = nullptr;           // training: dropout draws from it; null: evaluation
  bool return_weights = false;  // (batch, heads, query_length, key_length), those before dropout
  std::vector<Tensor<T, 4>>* collect_weights = nullptr;  // every attention that these options reach appends its weights
  // (1, heads, query_length, key_length): every backward that these options reach adds the bias' gradient, over samples
  Tensor<T, 4>* collect_d_bias = nullptr;

  /// As attend() takes them.
  AttentionOptions<T> attention(const detail::WidenedScores<T>& scores, const AttentionDropout& dropout) const {
    AttentionOptions<T> all{.scale = scale, .mask = scores.mask(), .softcap = softcap, .alibi_slopes = alibi_slopes, .dropout = dropout};
    all.bias = scores.bias();
    return all;
  }
};

/// What a forward returns; weights are empty unless asked for.
template <Real T>
struct MultiHeadResult {
  Tensor<T, 3> output;   // (batch, query_length, output_dim)
  Tensor<T, 4> weights;  // (batch, heads, query_length, key_length and one per extra key)
};

/// Gradients of a forward's inputs. An input that was given twice has the sum in the first: self-attention's is all in
/// query, and value is in key where one memory was both.
template <Real T>
struct MultiHeadGradients {
  Tensor<T, 3> query, key, value;
  Tensor<T, 4> bias;  // of the option, in its own extents with leading axes of 1; empty without
};

namespace detail {

/// Adds d_bias (samples, heads, query_length, key_length) to all (1, ...): samples in order first, so that it makes no
/// difference whether they had been added up before.
template <class T>
void collect_bias(const Tensor<T, 4>& d_bias, Tensor<T, 4>& all) {
  const Index size = all.size();
  check(size > 0 ? d_bias.size() % size == 0 : d_bias.size() == 0, [&] {
    return "MultiHeadAttention::backward: collect_d_bias has shape " + shape_text(extents(all)) +
           ", wanted (1, heads, query_length, key_length) of a bias of shape " + shape_text(extents(d_bias));
  });
  if (size == 0) return;
  std::vector<T> sum(d_bias.data(), d_bias.data() + size);
  for (Index b = 1; b < d_bias.size() / size; ++b) add_row(sum.data(), d_bias.data() + b * size, size);
  add_row(all.data(), sum.data(), size);
}

/// Queries or keys (batch, heads, length, head_dim) turned in place where the options say so, or their gradients back.
template <class T>
void turn_heads(Turn turn, const View<T, 4>& x, const MultiHeadOptions<T>& options, ExecutorRef executor) {
  if (!options.rotary) return;
  if (turn == Turn::forward)
    rotary_embedding_into<T>(x, x, *options.rotary, options.rotary_call, executor);
  else
    rotary_embedding_backward_into<T>(x, x, *options.rotary, options.rotary_call, executor);
}

}  // namespace detail

/// Means over the heads: weights (batch, heads, query_length, key_length) -> (batch, query_length, key_length), what
/// PyTorch returns by default.
template <Real T>
Tensor<T, 3> average_heads(const Tensor<T, 4>& weights) {
  const Index heads = weights.dimension(1), size = weights.dimension(2) * weights.dimension(3);
  Tensor<T, 3> mean = zeros<T, 3>({weights.dimension(0), weights.dimension(2), weights.dimension(3)});
  for (Index b = 0; b < weights.dimension(0); ++b) {
    for (Index h = 0; h < heads; ++h) add_row(mean.data() + b * size, weights.data() + (b * heads + h) * size, size);
    scale_row(mean.data() + b * size, size, T(1) / static_cast<T>(heads));
  }
  return mean;
}

}  // namespace heed::inline HEED_ABI
