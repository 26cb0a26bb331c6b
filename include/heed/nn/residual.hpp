#pragma once
// A sublayer f of a Transformer with its shortcut and normalisation: norm(x + dropout(f(x))), as the paper has it, or
// x + dropout(f(norm(x))), which trains without warm-up.
//   A. Vaswani et al., "Attention Is All You Need", 2017, section 3.1; R. Xiong et al., "On Layer Normalization in the
//   Transformer Architecture", 2020.

#include <utility>

#include <heed/nn/dropout.hpp>
#include <heed/nn/block_norm.hpp>

namespace heed::inline HEED_ABI {

/// Whether a block normalises behind the shortcut's sum (post-norm) or before its sublayer (pre-norm).
enum class NormPlace { after, before };

template <class T>
struct Residual {
  BlockNorm<T> norm;
  Dropout<T> dropout;
  NormPlace place = NormPlace::after;

  /// What was normalised (x before, the sum after), and what dropout drew.
  struct State {
    typename BlockNorm<T>::State norm;
    typename Dropout<T>::Cache dropout;
  };

  static void fields(auto&& visit, auto&... self) { visit("", self.norm...); }

  /// x (batch, length, features) -> the same shape; f maps such a tensor to such a tensor. rng null: no dropout.
  template <class F>
  Tensor<T, 3> forward(const Tensor<T, 3>& x, const F& f, Rng* rng, State& state, ExecutorRef executor) const {
    if (place == NormPlace::before) {
      state.norm.x = x;
      Tensor<T, 3> y = dropped(f(norm.forward(state.norm, executor)), rng, state, executor);
      detail::add_into(y, x, executor);
      return y;
    }
    state.norm.x = dropped(f(x), rng, state, executor);
    detail::add_into(state.norm.x, x, executor);
    return norm.forward(state.norm, executor);
  }

  /// d_y becomes d_x. back(d, x) is f's backward for the input x that f had. x: the forward's; read only where norm comes
  /// after, since the state has it otherwise.
  template <class Back>
  void backward(Tensor<T, 3>& d_y, const Tensor<T, 3>& x, const Back& back, const State& state, Residual& grad,
                ExecutorRef executor) const {
    const auto sublayer = [&](const Tensor<T, 3>& in) {
      return state.dropout.factor.empty() ? back(d_y, in) : back(dropout.backward(d_y, state.dropout), in);
    };
    if (place == NormPlace::before) {
      Tensor<T, 3> d = sublayer(norm.apply(state.norm, executor));
      norm.backward(d, state.norm, grad.norm, executor);
      detail::add_into(d_y, d, executor);
    } else {
      norm.backward(d_y, state.norm, grad.norm, executor);
      detail::add_into(d_y, sublayer(x), executor);
    }
  }

  /// What the forward returned, made again where norm comes after; empty where it comes before.
  Tensor<T, 3> result(const State& state, ExecutorRef executor) const {
    return place == NormPlace::after ? norm.apply(state.norm, executor) : Tensor<T, 3>();
  }

 private:
  Tensor<T, 3> dropped(Tensor<T, 3> y, Rng* rng, State& state, ExecutorRef executor) const {
    state.dropout.factor.clear();
    if (!rng) return y;
    return dropout.forward(y, rng, &state.dropout, SequenceAxes::batch_step, executor);
  }
};

}  // namespace heed::inline HEED_ABI
