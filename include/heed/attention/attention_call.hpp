#pragma once
// AttentionCall: one scaled dot-product call, checked: views, scale, mask and bias that fit each other. Everything that
// can be wrong with a call is found here, before any allocation that depends on it and before any write.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <heed/attention/bound_mask.hpp>
#include <heed/attention/check_view.hpp>
#include <heed/attention/options.hpp>
#include <heed/kernels/score_modifier.hpp>

namespace heed::inline HEED_ABI {

/// The extents of one attention call.
struct AttentionShape {
  Index batch = 0;
  Index heads = 0;
  Index kv_heads = 0;
  Index query_length = 0;
  Index key_length = 0;
  Index head_dim = 0;
  Index value_dim = 0;
  QueryPath path = QueryPath::by_length;  // of the options

  AttentionShape with_path(QueryPath chosen) const {
    AttentionShape shape = *this;
    shape.path = chosen;
    return shape;
  }
  Index heads_per_kv_head() const { return kv_heads == 0 ? 0 : heads / kv_heads; }
  Extents<4> query() const { return {batch, heads, query_length, head_dim}; }
  Extents<4> key() const { return {batch, kv_heads, key_length, head_dim}; }
  Extents<4> value() const { return {batch, kv_heads, key_length, value_dim}; }
  Extents<4> output() const { return {batch, heads, query_length, value_dim}; }
  Extents<4> weights() const { return {batch, heads, query_length, key_length}; }
  Extents<3> logsumexp() const { return {batch, heads, query_length}; }
  Extents<3> key_sums() const { return {batch, heads, key_length}; }
  ScoreShape scores() const { return {batch, heads, query_length, key_length}; }
};

namespace detail {

/// Refuses results that no memory holds. Inputs that repeat through strides of 0 may be far smaller than these.
inline void check_result_size(const char* function, const char* result, const Extents<4>& shape, Index element_size) {
  Index bytes = element_size;
  for (const Index extent : shape) bytes = checked_product(function, result, bytes, std::max<Index>(extent, 1));
}

/// Refuses extents of query, key and value that do not belong together.
inline AttentionShape check_attention_extents(const char* function, const Extents<4>& q, const Extents<4>& k,
                                              const Extents<4>& v) {
  const auto same = [&](const char* argument, const char* axis, Index found, Index wanted, const char* other) {
    check(found == wanted, [&] {
      return message({function, ": ", argument, " has ", axis, " ", found, ", wanted ", wanted, " as in ", other});
    });
  };
  check(q[3] > 0, [&] { return message({function, ": query has head_dim 0, wanted at least 1"}); });
  same("key", "head_dim", k[3], q[3], "query");
  same("key", "batch", k[0], q[0], "query");
  same("value", "batch", v[0], q[0], "query");
  same("value", "heads", v[1], k[1], "key");
  same("value", "length", v[2], k[2], "key");
  check(k[1] == 0 ? q[1] == 0 : q[1] % k[1] == 0, [&] {
    return message({function, ": query has ", q[1], " heads and key ", k[1], ", wanted a multiple of key's heads"});
  });
  return {q[0], q[1], k[1], q[2], k[2], q[3], v[3]};
}

/// Refuses query, key and value that are no views or do not belong together (BAD_INPUT A1 to A12).
template <class T>
AttentionShape check_attention_shape(const char* function, const View<const T, 4>& query, const View<const T, 4>& key,
                                     const View<const T, 4>& value) {
  check_input(function, "query", query);
  check_input(function, "key", key);
  check_input(function, "value", value);
  const AttentionShape shape = check_attention_extents(function, query.extents, key.extents, value.extents);
  check_result_size(function, "output", shape.output(), static_cast<Index>(sizeof(T)));
  check_result_size(function, "weights", shape.weights(), static_cast<Index>(sizeof(T)));
  return shape;
}

/// Refuses a scale that is no number and dropout out of range or without a source of bits (B17, B19, B20).
template <class T>
void check_attention_numbers(const char* function, const AttentionOptions<T>& options) {
  check(!options.scale || std::isfinite(*options.scale), [&] {
    return message({function, ": scale is ", static_cast<double>(*options.scale), ", wanted a finite number"});
  });
  check(std::isfinite(options.softcap), [&] {
    return message({function, ": softcap is ", static_cast<double>(options.softcap), ", wanted a finite number"});
  });
  const double p = options.dropout.probability;
  check(p >= 0 && p <= 1, [&] {
    return message({function, ": dropout.probability is ", p, ", wanted 0 to 1"});
  });
  check(p == 0 || options.dropout.rng.has_value(), [&] {
    return message({function, ": dropout.rng is not given, wanted an Rng for dropout.probability ", p});
  });
}

/// Refuses numbers per head of another count; a null view is absent.
template <class T>
void check_per_head(const char* function, const char* argument, const View<const T, 1>& x, Index heads) {
  if (!x.data) return;
  check_shape(function, argument, x.extents, Extents<1>{heads});
  check_input(function, argument, x);
}

}  // namespace detail

/// Views, options and callables of a call that is legal.
template <Real T>
struct AttentionCall {
  View<const T, 4> query, key, value;
  AttentionShape shape;
  T scale;
  BoundMask mask;
  T softcap;
  BroadcastView<T> bias;
  View<const T, 1> alibi_slopes, sink;         // (heads) or null
  double dropout;                              // the probability
  CoordinateBits bits;                         // of the dropout
  const ScoreModifier<T>* modifier = nullptr;  // of callables that outlive the call
  Index first_sample = 0;  // the place in the whole batch of this call's sample 0: dropout's coordinate

  /// Throws heed::Error naming `function`.
  AttentionCall(const char* function, const View<const T, 4>& q, const View<const T, 4>& k, const View<const T, 4>& v,
                const AttentionOptions<T>& options, const ScoreModifier<T>* callables = nullptr)
      : query(q),
        key(k),
        value(v),
        shape(detail::check_attention_shape(function, q, k, v).with_path(options.path)),
        scale(options.scale ? *options.scale : T(1) / std::sqrt(static_cast<T>(shape.head_dim))),
        mask(function, options.mask, shape.scores()),
        softcap(options.softcap),
        bias(options.bias),
        alibi_slopes(options.alibi_slopes),
        sink(options.sink),
        dropout(options.dropout.probability),
        bits(options.dropout.rng.value_or(Rng{})),
        modifier(callables) {
    detail::check_attention_numbers(function, options);
    bias.check_against(function, "bias", shape.weights());
    if (bias) check_input(function, "bias", bias.view);
    detail::check_per_head(function, "alibi_slopes", alibi_slopes, shape.heads);
    detail::check_per_head(function, "sink", sink, shape.heads);
    if (modifier) check_positions(function);
  }

  Index kv_head(Index head) const { return head / shape.heads_per_kv_head(); }

 private:
  /// Callables are told positions as numbers in T: refuses sequences where those are not exact.
  void check_positions(const char* function) const {
    constexpr Index limit = Index{1} << std::numeric_limits<T>::digits;
    Index largest = std::max(shape.query_length, shape.key_length);
    for (Index b = 0; b < shape.batch; ++b) {
      const Index offset = mask.position_offset(b);
      largest = std::max({largest, -offset, offset + shape.query_length});
    }
    check(largest <= limit, [&] {
      return message({function, ": a score or mask callable with positions up to ", largest, ", wanted at most ", limit,
                      ": beyond that they are not exact"});
    });
  }
};

}  // namespace heed::inline HEED_ABI
