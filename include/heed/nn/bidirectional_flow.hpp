#pragma once
// Bidirectional attention flow between a context h and a query u: what each context step looks at in the query, and
// which context steps matter most to it.
//   M. Seo et al., "Bidirectional Attention Flow for Machine Comprehension", ICLR 2017, section 2.4.
//
//   S_tj = w . [h_t; u_j; h_t * u_j]        U_t = softmax_j(S_t) u        H = sum_t softmax_t(max_j S_tj) h_t
//   output_t = [h_t; U_t; h_t * U_t; h_t * H]

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <heed/attention/bound_mask.hpp>
#include <heed/core/check.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/softmax.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct BidirectionalFlow {
  /// The rows' true lengths; empty: all. Outputs and gradients behind them are 0, and padding is never read.
  struct Lengths {
    std::span<const Index> context = {}, query = {};
  };
  /// What backward needs: the inputs and what was looked at.
  struct Cache {
    Tensor<T, 3> context, query;     // (batch, context_length, dim), (batch, query_length, dim)
    Tensor<T, 3> weights, attended;  // (batch, context_length, query_length), (.., dim): U
    Tensor<T, 2> peaks, summary;     // (batch, context_length): softmax of the maxima; (batch, dim): H
    Tensor<Index, 2> highest;        // (batch, context_length): the j of the maximum, the first of equals
    std::vector<Index> context_lengths, query_lengths;
  };
  struct Gradients {
    Tensor<T, 3> context, query;
  };

  Tensor<T, 1> weight;  // (3 dim): of h, of u, and of h * u

  static void fields(auto&& visit, auto&... self) { visit("weight", self.weight...); }

  BidirectionalFlow() = default;
  /// Uniform in +-1/sqrt(3 dim), as PyTorch starts a linear layer. Throws heed::Error for a dim below 1.
  BidirectionalFlow(Index dim, Rng& rng) {
    check(dim > 0, [&] { return "BidirectionalFlow: dim is " + std::to_string(dim) + ", wanted at least 1"; });
    weight.resize(3 * dim);
    const double bound = 1 / std::sqrt(static_cast<double>(3 * dim));
    uniform(weight, -bound, bound, rng);
  }

  Index dim() const { return weight.size() / 3; }

  /// context (batch, context_length, dim), query (batch, query_length, dim) -> (batch, context_length, 4 dim). cache
  /// null: inference. Throws heed::Error on other shapes and lengths that do not fit.
  Tensor<T, 3> forward(const Tensor<T, 3>& context, const Tensor<T, 3>& query, const Lengths& lengths = {},
                       Cache* cache = nullptr, ExecutorRef executor = default_executor()) const {
    const char* const function = "BidirectionalFlow::forward";
    check(dim() > 0,
          [&] { return std::string(function) + ": the layer has no weight, wanted BidirectionalFlow(dim, rng)"; });
    const Index batch = context.dimension(0), length = context.dimension(1), query_length = query.dimension(1);
    check_shape(function, "context", extents(context), Extents<3>{-1, -1, dim()});
    check_shape(function, "query", extents(query), Extents<3>{batch, -1, dim()});
    Cache local;
    Cache& c = cache ? *cache : local;
    c.context_lengths = known_lengths("context lengths", lengths.context, batch, length);
    c.query_lengths = known_lengths("query lengths", lengths.query, batch, query_length);
    c.weights = zeros<T, 3>({batch, length, query_length});
    c.attended = zeros<T, 3>({batch, length, dim()});
    c.peaks = zeros<T, 2>({batch, length});
    c.summary = zeros<T, 2>({batch, dim()});
    c.highest.resize(batch, length);
    Tensor<T, 3> output = zeros<T, 3>({batch, length, 4 * dim()});
    for_each_task(executor, batch, [&](Index b, Index) { forward_sample({*this, context, query, c, b}, c, output); });
    if (cache) c.context = context, c.query = query;
    return output;
  }

  /// d_output (batch, context_length, 4 dim) -> gradients of both inputs; adds to grad, samples in their order.
  Gradients backward(const Tensor<T, 3>& d_output, const Cache& c, BidirectionalFlow& grad,
                     ExecutorRef executor = default_executor()) const {
    const char* const function = "BidirectionalFlow::backward";
    const Index batch = c.context.dimension(0), length = c.context.dimension(1);
    check_shape(function, "d_output", extents(d_output), Extents<3>{batch, length, 4 * dim()});
    check_shape(function, "grad.weight", extents(grad.weight), extents(weight));
    Gradients result{zeros<T, 3>(extents(c.context)), zeros<T, 3>(extents(c.query))};
    Tensor<T, 2> d_weights = zeros<T, 2>({batch, 3 * dim()});
    for_each_task(executor, batch, [&](Index b, Index) {
      backward_sample({*this, c.context, c.query, c, b}, c, d_output, result, d_weights.data() + b * 3 * dim());
    });
    for (Index b = 0; b < batch; ++b) add_row(grad.weight.data(), d_weights.data() + b * 3 * dim(), 3 * dim());
    return result;
  }

 private:
  struct Scratch;

  /// One sample's rows and true lengths.
  struct Sample {
    const BidirectionalFlow& layer;
    const Tensor<T, 3>&context, &query;
    const Cache& cache;
    Index b;

    Index dim() const { return layer.dim(); }
    Index steps() const { return cache.context_lengths[static_cast<std::size_t>(b)]; }
    Index words() const { return cache.query_lengths[static_cast<std::size_t>(b)]; }
    const T* h(Index t) const { return &context(b, t, 0); }
    const T* u(Index j) const { return &query(b, j, 0); }
    /// The weight's part of h, of u or of h * u.
    const T* part(Index i) const { return layer.weight.data() + i * dim(); }
    /// h_t * w, what is multiplied with u.
    void gate(Index t, T* gated) const {
      std::copy_n(h(t), dim(), gated);
      multiply_row(gated, part(2), dim());
    }
  };

  static std::vector<Index> known_lengths(const char* name, std::span<const Index> lengths, Index batch, Index length) {
    if (lengths.empty()) return std::vector<Index>(static_cast<std::size_t>(batch), length);
    detail::check_per_sample("BidirectionalFlow::forward", name, lengths, batch, {0, length});
    return {lengths.begin(), lengths.end()};
  }

  static void forward_sample(const Sample& s, Cache& c, Tensor<T, 3>& output) {
    const Index dim = s.dim(), words = s.words(), steps = s.steps();
    if (words == 0 || steps == 0) {
      for (Index t = 0; t < steps; ++t) std::copy_n(s.h(t), dim, &output(s.b, t, 0));
      return;
    }
    T* const gated = thread_scratch<Scratch, T>(dim + words + steps);
    T *const biases = gated + dim, *const maxima = biases + words;
    for (Index j = 0; j < words; ++j) biases[j] = dot(s.part(1), s.u(j), dim);
    for (Index t = 0; t < steps; ++t) {
      T* const weights = &c.weights(s.b, t, 0);
      s.gate(t, gated);
      for (Index j = 0; j < words; ++j) weights[j] = dot<T>(gated, s.u(j), dim) + biases[j];
      const Index best = c.highest(s.b, t) = index_of_maximum<T>(weights, words);
      maxima[t] = weights[best] + dot(s.part(0), s.h(t), dim);
      softmax_row<T>(weights, weights, words, words);
      for (Index j = 0; j < words; ++j) add_scaled_row(&c.attended(s.b, t, 0), weights[j], s.u(j), dim);
    }
    softmax_row<T>(maxima, &c.peaks(s.b, 0), steps, steps);
    T* const summary = c.summary.data() + s.b * dim;
    for (Index t = 0; t < steps; ++t) add_scaled_row(summary, c.peaks(s.b, t), s.h(t), dim);
    for (Index t = 0; t < steps; ++t) {
      T* const out = &output(s.b, t, 0);
      const T* const attended = &c.attended(s.b, t, 0);
      std::copy_n(s.h(t), dim, out);
      std::copy_n(attended, dim, out + dim);
      for (Index i = 0; i < dim; ++i) {
        out[2 * dim + i] = out[i] * attended[i];
        out[3 * dim + i] = out[i] * summary[i];
      }
    }
  }

  /// Where one sample's backward keeps what it passes on; of each (dim), (query_length) or (context_length).
  struct Room {
    T *summary, *gated, *attended;  // gradients of H and U_t; h_t * w
    T *scores, *biases;             // of S_t and of u . w
    T *maxima, *peaks;

    explicit Room(const Sample& s)
        : summary(thread_scratch<Scratch, T>(3 * s.dim() + 2 * s.words() + 2 * s.steps())),
          gated(summary + s.dim()),
          attended(gated + s.dim()),
          scores(attended + s.dim()),
          biases(scores + s.words()),
          maxima(biases + s.words()),
          peaks(maxima + s.steps()) {
      std::fill_n(summary, s.dim(), T(0));
      std::fill_n(biases, s.words(), T(0));
    }
  };

  static void backward_sample(const Sample& s, const Cache& c, const Tensor<T, 3>& d_output, Gradients& d,
                              T* d_weight) {
    const Index dim = s.dim(), words = s.words(), steps = s.steps();
    const Room room(s);
    if (words > 0 && steps > 0) backward_summary(s, c, d_output, room);
    for (Index t = 0; t < steps; ++t) {
      const T *const d_out = &d_output(s.b, t, 0), *const attended = &c.attended(s.b, t, 0);
      const T* const summary = c.summary.data() + s.b * dim;
      T* const d_h = &d.context(s.b, t, 0);
      for (Index i = 0; i < dim; ++i) {
        room.attended[i] = fma(d_out[2 * dim + i], s.h(t)[i], d_out[dim + i]);
        d_h[i] = fma(d_out[3 * dim + i], summary[i], fma(d_out[2 * dim + i], attended[i], d_out[i]));
      }
      if (words > 0) backward_scores(s, c, t, room, d, d_weight);
    }
    for (Index j = 0; j < words; ++j) {
      add_scaled_row(&d.query(s.b, j, 0), room.biases[j], s.part(1), dim);
      add_scaled_row(d_weight + dim, room.biases[j], s.u(j), dim);
    }
  }

  /// The gradients of H and of the rows' maxima.
  static void backward_summary(const Sample& s, const Cache& c, const Tensor<T, 3>& d_output, const Room& room) {
    const Index dim = s.dim(), steps = s.steps();
    for (Index t = 0; t < steps; ++t) {
      const T* const d_out = &d_output(s.b, t, 3 * dim);
      for (Index i = 0; i < dim; ++i) room.summary[i] = fma(d_out[i], s.h(t)[i], room.summary[i]);
    }
    for (Index t = 0; t < steps; ++t) room.peaks[t] = dot<T>(room.summary, s.h(t), dim);
    softmax_backward_row<T>(&c.peaks(s.b, 0), room.peaks, room.maxima, steps, steps);
  }

  /// One context step: from the gradients of U_t, of H and of the row's maximum to h_t, the query and the weight.
  static void backward_scores(const Sample& s, const Cache& c, Index t, const Room& room, Gradients& d, T* d_weight) {
    const Index dim = s.dim(), words = s.words();
    const T *const h = s.h(t), *const weights = &c.weights(s.b, t, 0);
    T* const d_h = &d.context(s.b, t, 0);
    add_scaled_row<T>(d_h, c.peaks(s.b, t), room.summary, dim);
    add_scaled_row(d_h, room.maxima[t], s.part(0), dim);
    add_scaled_row(d_weight, room.maxima[t], h, dim);
    for (Index j = 0; j < words; ++j) room.scores[j] = dot<T>(room.attended, s.u(j), dim);
    softmax_backward_row<T>(weights, room.scores, room.scores, words, words);
    room.scores[c.highest(s.b, t)] += room.maxima[t];
    s.gate(t, room.gated);
    for (Index j = 0; j < words; ++j) {
      T* const d_u = &d.query(s.b, j, 0);
      add_scaled_row<T>(d_u, weights[j], room.attended, dim);
      add_scaled_row<T>(d_u, room.scores[j], room.gated, dim);
      room.biases[j] += room.scores[j];
    }
    T* const d_gated = room.gated;
    std::fill_n(d_gated, dim, T(0));
    for (Index j = 0; j < words; ++j) add_scaled_row(d_gated, room.scores[j], s.u(j), dim);
    for (Index i = 0; i < dim; ++i) {
      d_h[i] = fma(d_gated[i], s.part(2)[i], d_h[i]);
      d_weight[2 * dim + i] = fma(d_gated[i], h[i], d_weight[2 * dim + i]);
    }
  }
};

}  // namespace heed::inline HEED_ABI
