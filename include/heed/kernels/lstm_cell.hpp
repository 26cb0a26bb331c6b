#pragma once
// The elementwise part of one step of a long short-term memory, forward and backward, for a batch of rows. The products
// with the weights are the caller's. Gates lie in torch's order i, f, g, o; H is hidden_dim.
//   S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997; forget gate: F. Gers et al., "Learning to Forget",
//   2000.
//
//   i, f, o = sigmoid(a_i, a_f, a_o)      g = tanh(a_g)      c' = f c + i g      h' = o tanh(c')
//
// where a = W_ih x + b_ih + W_hh h + b_hh. Everything is computed in T, element by element: no row and no unit depends
// on another. Rows that are not active keep both states and pass their gradients on. No view may overlap another unless
// its description says so.

#include <algorithm>

#include <heed/kernels/registers.hpp>
#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

/// One forward step.
template <Real T>
struct LstmStepForward {
  MatrixView<const T> gates;     ///< (rows, 4H): a
  MatrixView<const T> state;     ///< (rows, H): h, read in rows that are not active
  MatrixView<const T> cell;      ///< (rows, H): c
  MatrixView<T> next;            ///< (rows, H), written: h'; may be state
  MatrixView<T> next_cell;       ///< (rows, H), written: c'; may be cell
  MatrixView<T> saved;           ///< (rows, 5H), written: i, f, g, o and tanh(c'), for backward; data null: not kept
  const bool* active = nullptr;  ///< (rows): rows that take this step; null: all
};

/// One backward step of what a forward step saved.
template <Real T>
struct LstmStepBackward {
  MatrixView<const T> saved;        ///< (rows, 5H)
  MatrixView<const T> cell;         ///< (rows, H): c of the forward step
  MatrixView<const T> d_next;       ///< (rows, H)
  MatrixView<const T> d_next_cell;  ///< (rows, H)
  MatrixView<T> d_gates;            ///< (rows, 4H), written; exactly 0 in rows that are not active
  MatrixView<T>
      d_state;  ///< (rows, H), written: 0, or d_next in rows that are not active; may be d_next. The caller adds
                ///< W_hh^T d_gates
  MatrixView<T> d_cell;          ///< (rows, H), written: f dc'; may be d_next_cell
  const bool* active = nullptr;  ///< (rows), as in the forward step
};

namespace lstm_detail {

template <class T>
void keep(const MatrixView<const T>& from, const MatrixView<T>& to, Index row) {
  if (to.data != from.data) std::copy_n(from.row(row), from.cols, to.row(row));
}

}  // namespace lstm_detail

/// A whole step: gates (rows, 4H), state and cell -> next and next_cell (rows, H).
template <Real T, class Arch = default_arch>
void lstm_step(const LstmStepForward<T>& step) {
  using B = Batch<T, Arch>;
  const Index hidden = step.cell.cols;
  assert(step.gates.cols == 4 * hidden && step.next.cols == hidden && step.next_cell.cols == hidden);
  assert(!step.saved.data || step.saved.cols == 5 * hidden);
  for (Index row = 0; row < step.cell.rows; ++row) {
    if (step.active && !step.active[row]) {
      lstm_detail::keep(step.state, step.next, row);
      lstm_detail::keep(step.cell, step.next_cell, row);
      continue;
    }
    const T *a = step.gates.row(row), *cell = step.cell.row(row);
    T *next = step.next.row(row), *next_cell = step.next_cell.row(row);
    T* saved = step.saved.data ? step.saved.row(row) : nullptr;
    map_registers<T, Arch>(
        hidden, [&](Index j, auto part) __attribute__((always_inline)) {
          const B i = sigmoid(part.load(a + j)), f = sigmoid(part.load(a + hidden + j));
          const B g = tanh(part.load(a + 2 * hidden + j)), o = sigmoid(part.load(a + 3 * hidden + j));
          const B c = fma(f, part.load(cell + j), i * g), shown = tanh(c);
          part.store(next_cell + j, c);
          part.store(next + j, o * shown);
          if (!saved) return;
          part.store(saved + j, i);
          part.store(saved + hidden + j, f);
          part.store(saved + 2 * hidden + j, g);
          part.store(saved + 3 * hidden + j, o);
          part.store(saved + 4 * hidden + j, shown);
        });
  }
}

/// The backward of lstm_step.
template <Real T, class Arch = default_arch>
void lstm_step_backward(const LstmStepBackward<T>& step) {
  using B = Batch<T, Arch>;
  const Index hidden = step.cell.cols;
  assert(step.saved.cols == 5 * hidden && step.d_gates.cols == 4 * hidden);
  const B one(T(1));
  for (Index row = 0; row < step.cell.rows; ++row) {
    if (step.active && !step.active[row]) {
      std::fill_n(step.d_gates.row(row), 4 * hidden, T(0));
      lstm_detail::keep(step.d_next, step.d_state, row);
      lstm_detail::keep(step.d_next_cell, step.d_cell, row);
      continue;
    }
    const T *saved = step.saved.row(row), *cell = step.cell.row(row);
    const T *d_next = step.d_next.row(row), *d_next_cell = step.d_next_cell.row(row);
    T *d_a = step.d_gates.row(row), *d_state = step.d_state.row(row), *d_cell = step.d_cell.row(row);
    map_registers<T, Arch>(
        hidden, [&](Index j, auto part) __attribute__((always_inline)) {
          const B i = part.load(saved + j), f = part.load(saved + hidden + j), g = part.load(saved + 2 * hidden + j);
          const B o = part.load(saved + 3 * hidden + j), shown = part.load(saved + 4 * hidden + j);
          const B d = part.load(d_next + j);
          const B d_c = fma(d * o, fnma(shown, shown, one), part.load(d_next_cell + j));
          part.store(d_a + j, d_c * g * fnma(i, i, i));
          part.store(d_a + hidden + j, d_c * part.load(cell + j) * fnma(f, f, f));
          part.store(d_a + 2 * hidden + j, d_c * i * fnma(g, g, one));
          part.store(d_a + 3 * hidden + j, d * shown * fnma(o, o, o));
          part.store(d_cell + j, d_c * f);
          part.store(d_state + j, B(T(0)));
        });
  }
}

}  // namespace heed::inline HEED_ABI
