#pragma once
// Luong's local attention with predictive alignment: a query predicts the place p in the source that it looks at, and
// its softmax weights are drawn towards it:
//   p_i = S sigmoid(v . tanh(W_p q_i))
//   a_ij = softmax_j(score(i, j)) exp(-(j - p_i)^2 / (2 sigma^2)),  sigma = window / 2
// where S is the source's length. The scores are LuongAttention's; the weights no longer sum to 1.
//   M.-T. Luong, H. Pham, C. Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015,
//   section 3.2, eq. 9 and 10 (local-p), over all keys: beyond two windows a weight is below 4e-4 of its softmax.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <heed/attention/luong.hpp>
#include <heed/kernels/activation.hpp>

namespace heed::inline HEED_ABI {

template <Real T>
struct LocalLuongAttention {
  struct Config {
    typename LuongAttention<T>::Config content = {};
    Index units = 0;  // of the predictor
    T window = 10;    // D of the paper
  };
  LuongAttention<T> content;
  Projection<T> position;       // W_p: weight (units, query_dim)
  Tensor<T, 1> position_score;  // v: (units)
  T window = 10;

  /// What backward needs of one read.
  struct Cache {
    typename LuongAttention<T>::Cache content;
    Tensor<T, 3> state;      // (batch, query_length, query_dim)
    Tensor<T, 3> hidden;     // tanh(W_p q): (batch, query_length, units)
    Tensor<T, 3> softmax;    // (batch, query_length, key_length)
    Tensor<T, 2> positions;  // p: (batch, query_length); 0 where a query sees no key
  };

  static void fields(auto&& visit, auto&... self) {
    visit("content", self.content...);
    visit("position", self.position...);
    visit("position_score", self.position_score...);
  }

  LocalLuongAttention() = default;
  /// Glorot's uniform weights. Throws heed::Error for sizes below 1 or a window that is not positive.
  LocalLuongAttention(const Config& config, Rng& rng) : content(config.content, rng), window(config.window) {
    check(config.units > 0 && window > 0 && std::isfinite(window), [&] {
      return "LocalLuongAttention: units is " + std::to_string(config.units) + " and window " + std::to_string(window) +
             ", wanted both positive";
    });
    position = Projection<T>(config.units, config.content.query_dim, 0, rng);
    Tensor<T, 2> row(1, config.units);
    fill_glorot(row, rng);
    position_score = row.reshape(Extents<1>{config.units});
  }

  /// As LuongAttention's, once per source.
  Tensor<T, 3> project(const View<const T, 3>& keys, ExecutorRef executor = default_executor()) const {
    return content.project(keys, executor);
  }
  Tensor<T, 3> project_backward(const View<const T, 3>& keys, const MemoryGradient<T>& memory,
                                LocalLuongAttention& grad, ExecutorRef executor = default_executor()) const {
    return content.project_backward(keys, memory, grad.content, executor);
  }

  /// Arguments and results as BahdanauAttention::forward. S is the end of the keys that a query may see: the source's
  /// length.
  template <StepsLike<T> State>
  MemoryRead<T, detail::steps_rank<State>> forward(const State& state, const View<const T, 3>& memory,
                                                   const View<const T, 3>& values, const ReadMask& mask = {},
                                                   Cache* cache = nullptr,
                                                   ExecutorRef executor = default_executor()) const {
    constexpr int rank = detail::steps_rank<State>;
    const auto steps = detail::as_steps<const T>(state);
    const BoundMask bound = check_call("LocalLuongAttention::forward", steps, memory, values, mask);
    Cache local;
    Cache& kept = cache ? *cache : local;
    detail::copy_steps<T>(steps, kept.state);
    const Tensor<T, 3> nothing(steps.dimension(0), memory.dimension(1), 0);
    kept.softmax =
        content.forward(kept.state, memory, nothing, mask, cache ? &kept.content : nullptr, executor).weights;
    predict(bound, memory.dimension(1), kept, executor);
    auto result = detail::new_read<rank, T>(steps, values);
    const View<T, 3> context = detail::as_steps<T>(result.context), weights = detail::as_steps<T>(result.weights);
    for_each_query(bound, values.dimension(1), kept, executor, [&](Index b, Index i, const detail::VisibleKeys& keys) {
      T* const weight = detail::sample(weights, b).row(i);
      T* const sum = detail::sample(context, b).row(i);
      std::fill_n(weight, values.dimension(1), T(0));
      std::fill_n(sum, values.dimension(2), T(0));
      keys.for_each([&](Index j) {
        weight[j] = kept.softmax(b, i, j) * nearness(kept.positions(b, i), j);
        add_scaled_row(sum, weight[j], detail::sample(values, b).row(j), values.dimension(2));
      });
    });
    return result;
  }

  /// The backward of one read, as BahdanauAttention::backward.
  template <StepsLike<T> Context, StepsLike<T> Weights = View<const T, detail::steps_rank<Context>>>
  Tensor<T, detail::steps_rank<Context>> backward(const Context& d_context, const Cache& cache,
                                                  const View<const T, 3>& memory, const View<const T, 3>& values,
                                                  const ReadMask& mask, LocalLuongAttention& grad,
                                                  MemoryGradient<T>& memory_grad, const Weights& d_weights = {},
                                                  ExecutorRef executor = default_executor()) const {
    const char* const function = "LocalLuongAttention::backward";
    const detail::MemoryReadUpstream<T> upstream{detail::as_steps<const T>(d_context),
                                                 detail::as_steps<const T>(d_weights)};
    const BoundMask bound = check_call(function, cache.state, memory, values, mask);
    detail::check_read_backward<T>(function, upstream, cache.softmax, memory, values, memory_grad);
    Tensor<T, 3> d_softmax = zeros<T, 3>(extents(cache.softmax));
    Tensor<T, 2> d_positions = zeros<T, 2>(extents(cache.positions));
    for_each_query(bound, values.dimension(1), cache, executor, [&](Index b, Index i, const detail::VisibleKeys& keys) {
      keys.for_each([&](Index j) {
        d_positions(b, i) += pull_weight(upstream, values, cache, b, i, j, d_softmax(b, i, j), memory_grad);
      });
    });
    const Tensor<T, 3> nothing(values.dimension(0), values.dimension(1), 0);
    const Tensor<T, 3> no_context(cache.state.dimension(0), cache.state.dimension(1), 0);
    MemoryGradient<T> content_grad{std::move(memory_grad.memory), nothing, std::move(memory_grad.seen)};
    Tensor<T, 3> d_state = content.backward(no_context, cache.content, memory, nothing, mask, grad.content,
                                            content_grad, d_softmax, executor);
    memory_grad.memory = std::move(content_grad.memory);
    memory_grad.seen = std::move(content_grad.seen);
    predict_backward(bound, d_positions, cache, memory.dimension(1), grad, d_state, executor);
    auto result = detail::new_steps<detail::steps_rank<Context>, T>(d_state.dimension(0), d_state.dimension(1),
                                                                    d_state.dimension(2));
    std::copy_n(d_state.data(), d_state.size(), result.data());
    return result;
  }

 private:
  BoundMask check_call(const char* function, const View<const T, 3>& state, const View<const T, 3>& memory,
                       const View<const T, 3>& values, const ReadMask& mask) const {
    check(position_score.size() > 0,
          [&] { return std::string(function) + ": the layer has no sizes, wanted LocalLuongAttention(config, rng)"; });
    return detail::check_read(function, state, position.in_features(), memory, -1, values, mask.mask);
  }
  T nearness(T place, Index key) const {
    const T distance = (static_cast<T>(key) - place) / (window / 2);
    return std::exp(-distance * distance / 2);
  }
  /// body(batch, query, visible keys) for every query, samples in parallel.
  template <class Body>
  static void for_each_query(const BoundMask& mask, Index key_length, const Cache& cache, ExecutorRef executor,
                             const Body& body) {
    const Index work = cache.softmax.size() * 16;
    for_each_task(detail::reader_executor(executor, work), cache.state.dimension(0), [&](Index b, Index) {
      bool* const storage = thread_scratch<detail::VisibleScratch, bool>(key_length);
      for (Index i = 0; i < cache.state.dimension(1); ++i)
        body(b, i, detail::visible_keys(mask, b, i, key_length, storage));
    });
  }
  /// kept.hidden and kept.positions from kept.state.
  void predict(const BoundMask& mask, Index key_length, Cache& kept, ExecutorRef executor) const {
    const Index batch = kept.state.dimension(0), length = kept.state.dimension(1), units = position_score.size();
    kept.hidden.resize(batch, length, units);
    kept.positions.resize(batch, length);
    position.forward_into(as_matrix(std::as_const(kept.state)), as_matrix(kept.hidden), executor);
    activation_row(Activation::tanh, kept.hidden.data(), kept.hidden.data(), kept.hidden.size());
    for_each_query(mask, key_length, kept, executor, [&](Index b, Index i, const detail::VisibleKeys& keys) {
      const auto source = static_cast<T>(keys.range.end);
      const T logit = dot(detail::sample(View<const T, 3>(kept.hidden), b).row(i), position_score.data(), units);
      kept.positions(b, i) = keys.range.end == 0 ? T(0) : source / (T(1) + std::exp(-logit));
    });
  }
  /// One weight's way back: d_values and d_softmax; returns what it adds to the gradient of the place.
  T pull_weight(const detail::MemoryReadUpstream<T>& upstream, const View<const T, 3>& values, const Cache& cache,
                Index b, Index i, Index j, T& d_softmax, MemoryGradient<T>& memory_grad) const {
    const T near = nearness(cache.positions(b, i), j), weight = cache.softmax(b, i, j) * near;
    const T* const d_context = detail::sample(upstream.context, b).row(i);
    T d_weight = dot(d_context, detail::sample(values, b).row(j), values.dimension(2));
    if (upstream.weights.data) d_weight += detail::sample(upstream.weights, b).row(i)[j];
    add_scaled_row(detail::sample(View<T, 3>(memory_grad.values), b).row(j), weight, d_context, values.dimension(2));
    d_softmax = d_weight * near;
    const T sigma = window / 2;
    return d_weight * weight * (static_cast<T>(j) - cache.positions(b, i)) / (sigma * sigma);
  }
  /// Adds to d_state and to grad's predictor. Where nothing arrives, whatever the state holds stays out.
  void predict_backward(const BoundMask& mask, const Tensor<T, 2>& d_positions, const Cache& cache, Index key_length,
                        LocalLuongAttention& grad, Tensor<T, 3>& d_state, ExecutorRef executor) const {
    const Index units = position_score.size();
    Tensor<T, 3> d_hidden = zeros<T, 3>(extents(cache.hidden)), storage, d_own(extents(cache.state));
    for (Index b = 0; b < cache.state.dimension(0); ++b) {
      for (Index i = 0; i < cache.state.dimension(1); ++i) {
        if (d_positions(b, i) == T(0)) continue;
        const T place = cache.positions(b, i), source = static_cast<T>(mask.keys(b, i).end);
        const T d_logit = d_positions(b, i) * place * (T(1) - place / source);
        const T* const hidden = detail::sample(View<const T, 3>(cache.hidden), b).row(i);
        add_scaled_row(grad.position_score.data(), d_logit, hidden, units);
        for (Index u = 0; u < units; ++u)
          d_hidden(b, i, u) = d_logit * position_score(u) * fnma(hidden[u], hidden[u], T(1));
      }
    }
    position.backward_into(as_matrix(std::as_const(d_hidden)),
                           detail::seen_steps<T>(cache.state, mask, key_length, storage), grad.position,
                           as_matrix(d_own), executor);
    add_row(d_state.data(), d_own.data(), d_state.size());
  }
};

}  // namespace heed::inline HEED_ABI
