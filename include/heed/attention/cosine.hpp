#pragma once
// Cosine attention over a memory: score(i, j) = scale q_i . k_j / (|q_i| |k_j|), where the scale is 1 / temperature or
// learned as exp(min(log_scale, ln 100)). A vector of zeros has score 0.
//   A. Graves, G. Wayne, I. Danihelka, "Neural Turing Machines", 2014, section 3.3.1; learned scale: Z. Liu et al.,
//   "Swin Transformer V2", CVPR 2022, section 3.2.

#include <algorithm>
#include <cmath>
#include <string>

#include <heed/attention/dot_read.hpp>
#include <heed/core/role.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// unit = x / |x| for every row; zeros for a row of zeros.
template <class T>
void normalize_rows(const View<const T, 3>& x, const View<T, 3>& unit) {
  const Index width = x.dimension(2);
  for (Index b = 0; b < x.dimension(0); ++b) {
    for (Index i = 0; i < x.dimension(1); ++i) {
      const T* const row = sample(x, b).row(i);
      T* const out = sample(unit, b).row(i);
      const T length = std::sqrt(dot(row, row, width));
      for (Index d = 0; d < width; ++d) out[d] = length == T(0) ? T(0) : row[d] / length;
    }
  }
}

/// A masked query or key: no read of it passed anything back.
template <class T>
bool all_zero(const T* row, Index width) {
  return std::all_of(row, row + width, [](T x) { return x == T(0); });
}

/// d_x = (d_unit - unit (unit . d_unit)) / |x|. Rows to which nothing flows get zeros, whatever x holds there.
template <class T>
void normalize_rows_backward(const View<const T, 3>& x, const View<const T, 3>& d_unit, const View<T, 3>& d_x) {
  const Index width = x.dimension(2);
  for (Index b = 0; b < x.dimension(0); ++b) {
    for (Index i = 0; i < x.dimension(1); ++i) {
      const T* const row = sample(x, b).row(i);
      const T* const d_row = sample(d_unit, b).row(i);
      T* const out = sample(d_x, b).row(i);
      const T length = std::sqrt(dot(row, row, width));
      const bool nothing = length == T(0) || all_zero(d_row, width);
      const T along = nothing ? T(0) : dot(row, d_row, width) / (length * length);
      for (Index d = 0; d < width; ++d) out[d] = nothing ? T(0) : fnma(along, row[d], d_row[d]) / length;
    }
  }
}

}  // namespace detail

template <Real T>
struct CosineAttention {
  enum class Scale { fixed, learned };
  struct Config {
    T temperature = 1;  // of the start when learned
    Scale scale = Scale::fixed;
  };
  T temperature = 1;
  Tensor<T, 1> log_scale;  // (1), or empty: the scale is 1 / temperature

  struct Cache {
    Tensor<T, 3> state;    // (batch, query_length, width)
    Tensor<T, 3> query;    // the same, of length 1
    Tensor<T, 3> weights;  // (batch, query_length, key_length)
  };

  static void fields(auto&& visit, auto&... self) { visit("log_scale", self.log_scale..., Role::no_decay); }

  CosineAttention() = default;
  explicit CosineAttention(const Config& config) : temperature(config.temperature) {
    check(config.temperature > 0 && std::isfinite(config.temperature), [&] {
      return "CosineAttention: temperature is " + std::to_string(config.temperature) + ", wanted a positive number";
    });
    if (config.scale == Scale::fixed) return;
    log_scale.resize(1);
    log_scale(0) = -std::log(config.temperature);
  }

  T scale() const { return log_scale.size() == 0 ? T(1) / temperature : std::exp(std::min(log_scale(0), most())); }

  /// keys (batch, key_length, width) -> memory: keys of length 1. Once per source.
  Tensor<T, 3> project(const View<const T, 3>& keys) const {
    detail::check_rows("CosineAttention::project", "keys", keys, {-1, -1, -1});
    Tensor<T, 3> memory(keys.extents);
    detail::normalize_rows<T>(keys, memory);
    return memory;
  }
  /// What the reads of one source added up in `memory` -> d_keys. Values' gradient is memory.values.
  Tensor<T, 3> project_backward(const View<const T, 3>& keys, const MemoryGradient<T>& memory) const {
    detail::check_rows("CosineAttention::project_backward", "keys", keys, extents(memory.memory));
    Tensor<T, 3> d_keys(keys.extents);
    detail::normalize_rows_backward<T>(keys, memory.memory, d_keys);
    return d_keys;
  }

  /// Arguments and results as BahdanauAttention::forward; state has the keys' width.
  template <StepsLike<T> State>
  MemoryRead<T, detail::steps_rank<State>> forward(const State& state, const View<const T, 3>& memory,
                                                   const View<const T, 3>& values, const ReadMask& mask = {},
                                                   Cache* cache = nullptr,
                                                   ExecutorRef executor = default_executor()) const {
    constexpr int rank = detail::steps_rank<State>;
    const auto steps = detail::as_steps<const T>(state);
    const BoundMask bound =
        detail::check_read("CosineAttention::forward", steps, memory.dimension(2), memory, -1, values, mask.mask);
    auto result = detail::new_read<rank, T>(steps, values);
    const MemoryReadOutputs<T> out{detail::as_steps<T>(result.context), detail::as_steps<T>(result.weights)};
    Tensor<T, 3> unkept;
    Tensor<T, 3>& query = cache ? cache->query : unkept;
    query.resize(steps.extents);
    detail::normalize_rows<T>(steps, query);
    detail::dot_read<T>(bound, {query, memory, scale()}, values, out, executor);
    if (cache) {
      detail::copy_steps<T>(steps, cache->state);
      detail::copy_steps<T>(out.weights, cache->weights);
    }
    return result;
  }

  /// The backward of one read, as BahdanauAttention::backward.
  template <StepsLike<T> Context, StepsLike<T> Weights = View<const T, detail::steps_rank<Context>>>
  Tensor<T, detail::steps_rank<Context>> backward(const Context& d_context, const Cache& cache,
                                                  const View<const T, 3>& memory, const View<const T, 3>& values,
                                                  const ReadMask& mask, CosineAttention& grad,
                                                  MemoryGradient<T>& memory_grad, const Weights& d_weights = {},
                                                  ExecutorRef executor = default_executor()) const {
    const char* const function = "CosineAttention::backward";
    const View<const T, 3> state(cache.state), query(cache.query), weights(cache.weights);
    const detail::MemoryReadUpstream<T> upstream{detail::as_steps<const T>(d_context),
                                                 detail::as_steps<const T>(d_weights)};
    const BoundMask bound = detail::check_read(function, state, memory.dimension(2), memory, -1, values, mask.mask);
    detail::check_read_backward(function, upstream, weights, memory, values, memory_grad);
    Tensor<T, 3> d_query(state.extents);
    detail::dot_read_backward<T>(bound, {query, memory, scale()}, values, weights, upstream, d_query, memory_grad,
                                 executor);
    // scale enters as scale q.k and q.d_query = scale sum_j d_score_ij q.k_j, so that is the gradient of log(scale)
    if (log_scale.size() > 0 && log_scale(0) <= most()) add_to_log_scale(query, d_query, grad);
    auto d_state =
        detail::new_steps<detail::steps_rank<Context>, T>(state.dimension(0), state.dimension(1), state.dimension(2));
    detail::normalize_rows_backward<T>(state, d_query, detail::as_steps<T>(d_state));
    return d_state;
  }

 private:
  static T most() { return std::log(T(100)); }
  static void add_to_log_scale(const View<const T, 3>& query, const View<const T, 3>& d_query, CosineAttention& grad) {
    for (Index b = 0; b < query.dimension(0); ++b) {
      for (Index i = 0; i < query.dimension(1); ++i) {
        const T* const d_row = detail::sample(d_query, b).row(i);
        const Index width = query.dimension(2);
        if (!detail::all_zero(d_row, width)) grad.log_scale(0) += dot(detail::sample(query, b).row(i), d_row, width);
      }
    }
  }
};

}  // namespace heed::inline HEED_ABI
