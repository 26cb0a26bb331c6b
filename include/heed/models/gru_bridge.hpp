#pragma once
// From an encoder's last states to a decoder's first one: as it is, or tanh(W [forward; reverse]) (Bahdanau et al. 2015).

#include <algorithm>
#include <optional>
#include <utility>

#include <heed/kernels/activation.hpp>
#include <heed/nn/dense.hpp>

namespace heed::inline HEED_ABI {

enum class BridgeKind { copy, dense_tanh };

template <class T>
struct GruBridge {
  struct Cache {
    Tensor<T, 2> joined;  // (batch, memory_dim): the last layer's directions side by side
    Tensor<T, 2> state;   // (batch, decoder_dim)
  };

  std::optional<Dense<T>> dense;

  static void fields(auto&& visit, auto&... self) { visit("", self.dense...); }

  GruBridge() = default;
  /// Throws heed::Error where a copy would have to change the width.
  GruBridge(BridgeKind kind, Index memory_dim, Index decoder_dim, Rng& rng) {
    if (kind == BridgeKind::copy) {
      check_extent("GruBridge", "a bridge that copies", "decoder_dim", decoder_dim, memory_dim);
    } else {
      dense.emplace(typename Dense<T>::Config{.in_features = memory_dim, .out_features = decoder_dim}, rng);
    }
  }

  /// states (layers * directions, batch, hidden), of which the last layer's are read -> (batch, decoder_dim).
  Tensor<T, 2> forward(const Tensor<T, 3>& states, Index directions, Cache* cache,
                       ExecutorRef executor = default_executor()) const {
    const Index batch = states.dimension(1), hidden = states.dimension(2), first = states.dimension(0) - directions;
    Tensor<T, 2> joined(batch, directions * hidden);
    for (Index d = 0; d < directions; ++d) {
      const T* const state = states.data() + (first + d) * batch * hidden;
      for (Index b = 0; b < batch; ++b) std::copy_n(state + b * hidden, hidden, joined.data() + (b * directions + d) * hidden);
    }
    if (!dense) return joined;
    Tensor<T, 2> state(batch, dense->out_features());
    dense->forward_into(as_matrix(std::as_const(joined)), as_matrix(state), executor);
    activation_row<T>(Activation::tanh, state.data(), state.data(), state.size());
    if (cache) *cache = {std::move(joined), state};
    return state;
  }

  /// d_state (batch, decoder_dim) -> (layers * directions, batch, hidden), zero but for the last layer; adds to grad.
  Tensor<T, 3> backward(const Tensor<T, 2>& d_state, const Cache& cache, Index layers, Index directions, GruBridge& grad,
                        ExecutorRef executor = default_executor()) const {
    Tensor<T, 2> d_joined = d_state;
    if (dense) {
      check_shape("GruBridge::backward", "d_state", extents(d_state), extents(cache.state));
      Tensor<T, 2> d = d_state;
      for (Index i = 0; i < d.size(); ++i) {
        const T t = cache.state.data()[i];
        d.data()[i] *= fnma(t, t, T(1));
      }
      d_joined.resize(d.dimension(0), dense->in_features());
      dense->backward_into(as_matrix(std::as_const(d)), as_matrix(cache.joined), *grad.dense, as_matrix(d_joined), executor);
    }
    const Index batch = d_joined.dimension(0), hidden = d_joined.dimension(1) / directions, first = (layers - 1) * directions;
    Tensor<T, 3> d_states = zeros<T, 3>({layers * directions, batch, hidden});
    for (Index d = 0; d < directions; ++d) {
      T* const state = d_states.data() + (first + d) * batch * hidden;
      for (Index b = 0; b < batch; ++b) std::copy_n(d_joined.data() + (b * directions + d) * hidden, hidden, state + b * hidden);
    }
    return d_states;
  }
};

}  // namespace heed::inline HEED_ABI
