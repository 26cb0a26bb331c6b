#pragma once
// The elementwise parts of a GRU step in the form of the paper (Cho et al. 2014; Keras reset_after=False, ONNX
// linear_before_reset=0): the reset gate is applied to the state before the product. A step is two calls with the
// caller's product between them, and so is its backward:
//
//   gru_gates:      r = gate(x_r + h_r), z = gate(x_z + h_z), reset_state = r h
//   (caller)        candidate = reset_state W_hn^T + b_hn
//   gru_candidate:  n = tanh(x_n + candidate), h' = (1 - z) n + z h
//
// Everything is computed in T, element by element. Rows that are not active keep their state and pass its gradient on.

#include <heed/kernels/gru_cell.hpp>

namespace heed::inline HEED_ABI {

/// One forward step; gru_gates and gru_candidate take the same struct.
template <Real T>
struct GruResetBeforeForward {
  MatrixView<const T> input;      ///< (rows, 3H): W_ih x + b_ih, all three gates
  MatrixView<const T> recurrent;  ///< (rows, 2H): W_hr h + b_hr, W_hz h + b_hz
  MatrixView<const T> candidate;  ///< (rows, H): read by gru_candidate
  MatrixView<const T> state;      ///< (rows, H): h
  MatrixView<T> reset_state;      ///< (rows, H), written by gru_gates: r h; exactly 0 in rows that are not active
  MatrixView<T> next;             ///< (rows, H), written by gru_candidate: h'; may be state
  MatrixView<T> saved;            ///< (rows, 3H), written: r, z by gru_gates, n by gru_candidate. Always needed
  const bool* active = nullptr;   ///< (rows): rows that take this step; null: all
};

/// One backward step; gru_candidate_backward, the caller's d_reset_state = d_candidate W_hn, gru_gates_backward.
template <Real T>
struct GruResetBeforeBackward {
  MatrixView<const T> saved;          ///< (rows, 3H)
  MatrixView<const T> state;          ///< (rows, H): h of the forward step
  MatrixView<const T> d_next;         ///< (rows, H)
  MatrixView<const T> d_reset_state;  ///< (rows, H): read by gru_gates_backward
  MatrixView<T> d_input;              ///< (rows, 3H), written: z, n by gru_candidate_backward, r by gru_gates_backward
  MatrixView<T> d_recurrent;          ///< (rows, 2H), written by the same two
  MatrixView<T> d_candidate;          ///< (rows, H), written by gru_candidate_backward
  MatrixView<T> d_state;              ///< (rows, H): z d_next written, then r d_reset_state added; may be d_next
  const bool* active = nullptr;       ///< (rows), as in the forward step
};

/// r, z and reset_state from input, recurrent and state.
template <Real T, class Arch = default_arch>
void gru_gates(const GruResetBeforeForward<T>& step, GruGate gate = GruGate::sigmoid) {
  using B = Batch<T, Arch>;
  const Index hidden = step.state.cols;
  assert(step.input.cols == 3 * hidden && step.recurrent.cols == 2 * hidden && step.saved.cols == 3 * hidden);
  gru_detail::choose(gate, [&](auto function) {
    for (Index i = 0; i < step.state.rows; ++i) {
      if (!gru_detail::is_active<T>(step.active, i)) {
        gru_detail::clear_row(step.reset_state, i);
        continue;
      }
      const T *x = step.input.row(i), *a = step.recurrent.row(i), *h = step.state.row(i);
      T *saved = step.saved.row(i), *reset_state = step.reset_state.row(i);
      map_registers<T, Arch>(hidden, [&](Index j, auto part) {
        const B r = function.value(part.load(x + j) + part.load(a + j));
        part.store(saved + j, r);
        part.store(saved + hidden + j, function.value(part.load(x + hidden + j) + part.load(a + hidden + j)));
        part.store(reset_state + j, r * part.load(h + j));
      });
    }
  });
}

/// n and next from input, candidate, state and the saved z.
template <Real T, class Arch = default_arch>
void gru_candidate(const GruResetBeforeForward<T>& step) {
  using B = Batch<T, Arch>;
  const Index hidden = step.state.cols;
  assert(step.candidate.cols == hidden && step.next.cols == hidden);
  for (Index i = 0; i < step.state.rows; ++i) {
    if (!gru_detail::is_active<T>(step.active, i)) {
      gru_detail::keep_state(step.state, step.next, i);
      continue;
    }
    const T *x_n = step.input.row(i) + 2 * hidden, *c = step.candidate.row(i), *h = step.state.row(i);
    T *z = step.saved.row(i) + hidden, *saved_n = z + hidden, *next = step.next.row(i);
    map_registers<T, Arch>(hidden, [&](Index j, auto part) {
      const B n = tanh(part.load(x_n + j) + part.load(c + j));
      part.store(saved_n + j, n);
      part.store(next + j, gru_detail::mix(part.load(z + j), n, part.load(h + j)));
    });
  }
}

/// d_candidate, the z and n parts of d_input, the z part of d_recurrent, and d_state = z d_next.
template <Real T, class Arch = default_arch>
void gru_candidate_backward(const GruResetBeforeBackward<T>& step, GruGate gate = GruGate::sigmoid) {
  using B = Batch<T, Arch>;
  const Index hidden = step.state.cols;
  assert(step.saved.cols == 3 * hidden && step.d_input.cols == 3 * hidden && step.d_recurrent.cols == 2 * hidden);
  gru_detail::choose(gate, [&](auto function) {
    for (Index i = 0; i < step.state.rows; ++i) {
      if (!gru_detail::is_active<T>(step.active, i)) {
        gru_detail::clear_row(step.d_candidate, i);
        gru_detail::clear_row(step.d_input, i);
        gru_detail::clear_row(step.d_recurrent, i);
        gru_detail::keep_state(step.d_next, step.d_state, i);
        continue;
      }
      const T *saved = step.saved.row(i), *h = step.state.row(i), *d_next = step.d_next.row(i);
      T *d_x = step.d_input.row(i), *d_a = step.d_recurrent.row(i), *d_c = step.d_candidate.row(i);
      T* d_h = step.d_state.row(i);
      map_registers<T, Arch>(hidden, [&](Index j, auto part) {
        const B d = part.load(d_next + j), z = part.load(saved + hidden + j), n = part.load(saved + 2 * hidden + j);
        const B d_z = d * (part.load(h + j) - n) * function.slope(z);
        const B d_n = d * (B(T(1)) - z) * fnma(n, n, B(T(1)));
        part.store(d_x + hidden + j, d_z);
        part.store(d_x + 2 * hidden + j, d_n);
        part.store(d_a + hidden + j, d_z);
        part.store(d_c + j, d_n);
        part.store(d_h + j, d * z);
      });
    }
  });
}

/// The r parts of d_input and d_recurrent, and d_state += r d_reset_state.
template <Real T, class Arch = default_arch>
void gru_gates_backward(const GruResetBeforeBackward<T>& step, GruGate gate = GruGate::sigmoid) {
  using B = Batch<T, Arch>;
  const Index hidden = step.state.cols;
  assert(step.d_reset_state.cols == hidden && step.d_state.cols == hidden);
  gru_detail::choose(gate, [&](auto function) {
    for (Index i = 0; i < step.state.rows; ++i) {
      if (!gru_detail::is_active<T>(step.active, i)) continue;  // gru_candidate_backward has written the row's zeros
      const T *r_row = step.saved.row(i), *h = step.state.row(i), *d_reset = step.d_reset_state.row(i);
      T *d_x = step.d_input.row(i), *d_a = step.d_recurrent.row(i), *d_h = step.d_state.row(i);
      map_registers<T, Arch>(hidden, [&](Index j, auto part) {
        const B r = part.load(r_row + j), d = part.load(d_reset + j);
        const B d_r = d * part.load(h + j) * function.slope(r);
        part.store(d_x + j, d_r);
        part.store(d_a + j, d_r);
        part.store(d_h + j, fma(d, r, part.load(d_h + j)));
      });
    }
  });
}

}  // namespace heed::inline HEED_ABI
