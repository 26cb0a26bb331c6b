#pragma once
// The elementwise part of one step of a gated recurrent unit (Cho et al. 2014), forward and backward, for a batch of
// rows. The products with the weights are the caller's. Gates lie in torch's order r, z, n; H is hidden_dim.
//
//   r = gate(x_r + h_r)      z = gate(x_z + h_z)      h' = (1 - z) n + z h
//   n = tanh(x_n + r h_n)        the reset-after form; gru_reset_before.hpp has the other one
//
// where x_g = W_ig x + b_ig and h_g = W_hg h + b_hg. Everything is computed in T, element by element: no row and no
// unit depends on another. Rows that are not active keep their state and pass its gradient on. No view may overlap
// another unless its description says so.

#include <algorithm>

#include <heed/kernels/registers.hpp>
#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

/// The function of r and z: sigmoid, or clip(x/6 + 1/2, 0, 1) as in Keras.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"  // g++ takes the enumerator sigmoid for a shadow of heed::sigmoid
enum class GruGate { sigmoid, hard_sigmoid };
#pragma GCC diagnostic pop

/// One forward step.
template <Real T>
struct GruStepForward {
  MatrixView<const T> input;      ///< (rows, 3H): W_ih x + b_ih
  MatrixView<const T> recurrent;  ///< (rows, 3H): W_hh h + b_hh
  MatrixView<const T> state;      ///< (rows, H): h
  MatrixView<T> next;             ///< (rows, H), written: h'; may be state
  MatrixView<T> saved;            ///< (rows, 4H), written: r, z, n and h_n, for backward; data null: not kept
  const bool* active = nullptr;   ///< (rows): rows that take this step; null: all
};

/// One backward step of what a forward step saved.
template <Real T>
struct GruStepBackward {
  MatrixView<const T> saved;   ///< (rows, 4H)
  MatrixView<const T> state;   ///< (rows, H): h of the forward step
  MatrixView<const T> d_next;  ///< (rows, H)
  MatrixView<T> d_input;       ///< (rows, 3H), written; exactly 0 in rows that are not active
  MatrixView<T> d_recurrent;   ///< (rows, 3H), written, as d_input
  MatrixView<T> d_state;  ///< (rows, H), written: z * d_next; may be d_next. W_hh^T d_recurrent is added by the caller
  const bool* active = nullptr;  ///< (rows), as in the forward step
};

namespace gru_detail {

struct SigmoidGate {
  template <class B>
  B value(const B& x) const {
    return sigmoid(x);
  }
  /// From the gate's value.
  template <class B>
  B slope(const B& gate) const {
    return fnma(gate, gate, gate);
  }
};

struct HardSigmoidGate {
  template <class B>
  B value(const B& x) const {
    using T = typename B::value_type;
    return minimum(maximum(fma(x, B(T(1) / T(6)), B(T(0.5))), B(T(0))), B(T(1)));
  }
  template <class B>
  B slope(const B& gate) const {
    using T = typename B::value_type;
    const B below_one = select(gate < B(T(1)), B(T(1) / T(6)), B(T(0)));
    return select(is_nan(gate), gate, select(gate > B(T(0)), below_one, B(T(0))));
  }
};

template <class Use>
void choose(GruGate gate, Use&& use) {
  gate == GruGate::sigmoid ? use(SigmoidGate{}) : use(HardSigmoidGate{});
}

/// (1 - z) n + z h: exactly h where z is 1 and n where z is 0.
template <class B>
B mix(const B& z, const B& n, const B& h) {
  return fma(z, h, (B(1) - z) * n);
}

template <class T>
bool is_active(const bool* active, Index row) {
  return !active || active[row];
}

template <class T>
void keep_state(const MatrixView<const T>& state, const MatrixView<T>& next, Index row) {
  if (next.data != state.data) std::copy_n(state.row(row), state.cols, next.row(row));
}

template <class T>
void clear_row(const MatrixView<T>& x, Index row) {
  std::fill_n(x.row(row), x.cols, T(0));
}

}  // namespace gru_detail

/// A whole step, reset after: input, recurrent (rows, 3H) and state -> next (rows, H).
template <Real T, class Arch = default_arch>
void gru_step(const GruStepForward<T>& step, GruGate gate = GruGate::sigmoid) {
  using B = Batch<T, Arch>;
  const Index hidden = step.state.cols;
  assert(step.input.cols == 3 * hidden && step.recurrent.cols == 3 * hidden && step.next.cols == hidden);
  assert(!step.saved.data || step.saved.cols == 4 * hidden);
  gru_detail::choose(gate, [&](auto function) {
    for (Index i = 0; i < step.state.rows; ++i) {
      if (!gru_detail::is_active<T>(step.active, i)) {
        gru_detail::keep_state(step.state, step.next, i);
        continue;
      }
      const T *x = step.input.row(i), *a = step.recurrent.row(i), *h = step.state.row(i);
      T* next = step.next.row(i);
      T* saved = step.saved.data ? step.saved.row(i) : nullptr;
      map_registers<T, Arch>(
          hidden, [&](Index j, auto part) __attribute__((always_inline)) {
            const B r = function.value(part.load(x + j) + part.load(a + j));
            const B z = function.value(part.load(x + hidden + j) + part.load(a + hidden + j));
            const B recurrent = part.load(a + 2 * hidden + j);
            const B n = tanh(fma(r, recurrent, part.load(x + 2 * hidden + j)));
            part.store(next + j, gru_detail::mix(z, n, part.load(h + j)));
            if (!saved) return;
            part.store(saved + j, r);
            part.store(saved + hidden + j, z);
            part.store(saved + 2 * hidden + j, n);
            part.store(saved + 3 * hidden + j, recurrent);
          });
    }
  });
}

/// The backward of gru_step.
template <Real T, class Arch = default_arch>
void gru_step_backward(const GruStepBackward<T>& step, GruGate gate = GruGate::sigmoid) {
  using B = Batch<T, Arch>;
  const Index hidden = step.state.cols;
  assert(step.saved.cols == 4 * hidden && step.d_input.cols == 3 * hidden && step.d_recurrent.cols == 3 * hidden);
  gru_detail::choose(gate, [&](auto function) {
    for (Index i = 0; i < step.state.rows; ++i) {
      if (!gru_detail::is_active<T>(step.active, i)) {
        gru_detail::clear_row(step.d_input, i);
        gru_detail::clear_row(step.d_recurrent, i);
        gru_detail::keep_state(step.d_next, step.d_state, i);
        continue;
      }
      const T *saved = step.saved.row(i), *h = step.state.row(i), *d_next = step.d_next.row(i);
      T *d_x = step.d_input.row(i), *d_a = step.d_recurrent.row(i), *d_h = step.d_state.row(i);
      map_registers<T, Arch>(
          hidden, [&](Index j, auto part) __attribute__((always_inline)) {
            const B d = part.load(d_next + j), r = part.load(saved + j), z = part.load(saved + hidden + j);
            const B n = part.load(saved + 2 * hidden + j);
            const B d_z = d * (part.load(h + j) - n) * function.slope(z);
            const B d_n = d * (B(T(1)) - z) * fnma(n, n, B(T(1)));
            const B d_r = d_n * part.load(saved + 3 * hidden + j) * function.slope(r);
            part.store(d_x + j, d_r);
            part.store(d_x + hidden + j, d_z);
            part.store(d_x + 2 * hidden + j, d_n);
            part.store(d_a + j, d_r);
            part.store(d_a + hidden + j, d_z);
            part.store(d_a + 2 * hidden + j, d_n * r);
            part.store(d_h + j, d * z);
          });
    }
  });
}

}  // namespace heed::inline HEED_ABI
