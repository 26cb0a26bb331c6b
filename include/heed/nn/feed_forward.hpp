#pragma once
// The position-wise feed-forward layer of a Transformer: y = linear2(dropout(activation(linear1 x))), or gated,
// y = linear2(dropout(activation(gate x) * linear1 x)).
//   A. Vaswani et al., "Attention Is All You Need", 2017, section 3.3; gated: N. Shazeer, "GLU Variants Improve
//   Transformer", 2020 (SwiGLU is silu with a gate).

#include <string>

#include <heed/kernels/activation.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/dropout.hpp>
#include <heed/nn/row_blocks.hpp>

namespace heed::inline HEED_ABI {

/// Whether a feed-forward layer has a third weight whose activation multiplies the others.
enum class Gate { no, yes };

template <class T>
struct FeedForward {
  struct Config {
    Index model_dim = 0, hidden_dim = 0;
    Activation activation = Activation::relu;
    Gate gate = Gate::no;
    Bias bias = Bias::yes;
    double dropout = 0;  // of the hidden features
  };

  Dense<T> linear1, linear2;  // model_dim to hidden_dim and back
  Dense<T> gate;              // as linear1, or empty
  Activation activation = Activation::relu;
  Dropout<T> dropout;

  /// What backward needs besides the input: the projections before the activation, and what dropout drew.
  struct State {
    Tensor<T, 3> hidden, gate;  // (batch, length, hidden_dim)
    typename Dropout<T>::Cache dropout;
  };
  struct Cache : State {
    Tensor<T, 3> x;
  };

  /// The weights in the order in which products read them: for a decoder's steps, made once per model.
  struct Packed {
    PackedWeight<T> linear1, linear2, gate;
  };
  Packed pack() const { return {linear1.pack(), linear2.pack(), gated() ? gate.pack() : PackedWeight<T>()}; }

  static void fields(auto&& visit, auto&... self) {
    visit("linear1", self.linear1...);
    visit("linear2", self.linear2...);
    visit("gate", self.gate...);
  }

  FeedForward() = default;
  /// Glorot's uniform weights, biases of zeros. Throws heed::Error for sizes below 1.
  FeedForward(const Config& config, Rng& rng)
      : linear1({config.model_dim, config.hidden_dim, config.bias}, rng),
        linear2({config.hidden_dim, config.model_dim, config.bias}, rng),
        activation(config.activation),
        dropout(config.dropout) {
    if (config.gate == Gate::yes) gate = Dense<T>({config.model_dim, config.hidden_dim, config.bias}, rng);
  }

  /// x (batch, length, model_dim) -> y of the same shape. rng null: evaluation; cache null: no backward will follow.
  Tensor<T, 3> forward(const Tensor<T, 3>& x, Rng* rng = nullptr, Cache* cache = nullptr,
                       ExecutorRef executor = default_executor()) const {
    State local;
    Tensor<T, 3> y = run(x, rng, cache ? *cache : local, executor);
    if (cache) cache->x = x;
    return y;
  }
  /// d_y -> d_x, both of x's shape; adds to grad.
  Tensor<T, 3> backward(const Tensor<T, 3>& d_y, const Cache& cache, FeedForward& grad,
                        ExecutorRef executor = default_executor()) const {
    return run_backward(d_y, cache.x, cache, grad, executor);
  }

  /// forward for callers that keep x themselves. packed: pack(), or null; it changes no bit.
  Tensor<T, 3> run(const Tensor<T, 3>& x, Rng* rng, State& state, ExecutorRef executor = default_executor(),
                   const Packed* packed = nullptr) const {
    check_shape("FeedForward::forward", "x", extents(x), Extents<3>{-1, -1, linear1.in_features()});
    const Index batch = x.dimension(0), length = x.dimension(1);
    const auto project = [&](const Dense<T>& dense, const Tensor<T, 3>& in, Tensor<T, 3>& out, const PackedWeight<T>* weight) {
      out.resize(batch, length, dense.out_features());
      dense.forward_into(as_matrix(in), as_matrix(out), executor, weight);
    };
    project(linear1, x, state.hidden, packed ? &packed->linear1 : nullptr);
    if (gated()) project(gate, x, state.gate, packed ? &packed->gate : nullptr);
    Tensor<T, 3> active = activated(state, executor);
    if (gated()) multiply(active, state.hidden, executor);
    if (rng) active = dropout.forward(active, rng, &state.dropout, SequenceAxes::batch_step, executor);
    Tensor<T, 3> y;
    project(linear2, active, y, packed ? &packed->linear2 : nullptr);
    return y;
  }
  /// backward for callers that keep x themselves.
  Tensor<T, 3> run_backward(const Tensor<T, 3>& d_y, const Tensor<T, 3>& x, const State& state, FeedForward& grad,
                            ExecutorRef executor = default_executor()) const {
    check_shape("FeedForward::backward", "d_y", extents(d_y), extents(x));
    Tensor<T, 3> active = activated(state, executor), d_active(extents(state.hidden)), factor;
    if (gated()) {
      factor = active;
      multiply(active, state.hidden, executor);
    }
    if (!state.dropout.factor.empty()) active = dropout.backward(active, state.dropout);  // the same factors
    linear2.backward_into(as_matrix(d_y), as_matrix(std::as_const(active)), grad.linear2, as_matrix(d_active), executor);
    if (!state.dropout.factor.empty()) d_active = dropout.backward(d_active, state.dropout);
    Tensor<T, 3> d_x(extents(x));
    if (!gated()) {
      differentiate(state.hidden, d_active, executor);
      linear1.backward_into(as_matrix(std::as_const(d_active)), as_matrix(x), grad.linear1, as_matrix(d_x), executor);
      return d_x;
    }
    multiply(factor, d_active, executor);  // of linear1's result
    multiply(d_active, state.hidden, executor);
    differentiate(state.gate, d_active, executor);
    Tensor<T, 3> d_more(extents(x));
    linear1.backward_into(as_matrix(std::as_const(factor)), as_matrix(x), grad.linear1, as_matrix(d_x), executor);
    gate.backward_into(as_matrix(std::as_const(d_active)), as_matrix(x), grad.gate, as_matrix(d_more), executor);
    detail::add_into(d_x, d_more, executor);
    return d_x;
  }

 private:
  bool gated() const { return gate.weight.size() > 0; }

  /// activation(hidden), or activation(gate).
  Tensor<T, 3> activated(const State& state, ExecutorRef executor) const {
    const Tensor<T, 3>& x = gated() ? state.gate : state.hidden;
    Tensor<T, 3> active(extents(x));
    detail::for_each_span(x.size(), executor, [&](Index first, Index count) {
      activation_row(activation, x.data() + first, active.data() + first, count);
    });
    return active;
  }
  /// d becomes d activation'(x).
  void differentiate(const Tensor<T, 3>& x, Tensor<T, 3>& d, ExecutorRef executor) const {
    detail::for_each_span(x.size(), executor, [&](Index first, Index count) {
      activation_backward_row(activation, x.data() + first, d.data() + first, d.data() + first, count);
    });
  }
  static void multiply(Tensor<T, 3>& y, const Tensor<T, 3>& x, ExecutorRef executor) {
    detail::for_each_span(x.size(), executor, [&](Index first, Index count) {
      multiply_row(y.data() + first, x.data() + first, count);
    });
  }
};

}  // namespace heed::inline HEED_ABI
