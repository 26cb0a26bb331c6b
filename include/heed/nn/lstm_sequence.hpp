#pragma once
// One LSTM cell over a batch of sequences, forward and backward through time. Input products are one matrix product
// over all steps; the recurrence runs per block of samples; gradients of the weights are one product over all steps
// again.

#include <span>
#include <utility>
#include <vector>

#include <heed/attention/packed_weight.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/lstm_cell.hpp>
#include <heed/nn/sequence_block.hpp>

namespace heed::inline HEED_ABI {

/// One call: x (batch, steps, input), contiguous; lengths (batch) or none; first states (batch, hidden) or none for
/// zeros.
template <class T>
struct LstmRun {
  View<const T, 3> x;
  std::span<const Index> lengths = {};
  View<const T, 2> initial = {}, initial_cell = {};
  TimeDirection direction = TimeDirection::forward;
  MaskedOutput masked_output = MaskedOutput::repeat;
};

/// What the backward of a call needs. Steps behind a length hold zeros, whatever the padding held.
template <class T>
struct LstmTrace {
  Tensor<T, 3> x;                        // (batch, steps, input)
  Tensor<T, 3> previous, previous_cell;  // (batch, steps, hidden): the states before each step
  Tensor<T, 3> saved;                    // (batch, steps, 5 hidden): gates and tanh(c')
  std::vector<Index> lengths;
  TimeDirection direction = TimeDirection::forward;
  MaskedOutput masked_output = MaskedOutput::repeat;

  /// Makes room and takes down what the call was told.
  void prepare(const LstmCell<T>& cell, const LstmRun<T>& run) {
    const Index batch = run.x.extents[0], steps = run.x.extents[1], hidden = cell.hidden_dim();
    x = detail::without_padding(run.x, run.lengths);
    previous.resize(batch, steps, hidden);
    previous_cell.resize(batch, steps, hidden);
    saved.resize(batch, steps, 5 * hidden);
    if (!run.lengths.empty()) saved.setZero();
    lengths.assign(run.lengths.begin(), run.lengths.end());
    direction = run.direction;
    masked_output = run.masked_output;
  }
};

/// Both states (batch, hidden), or their gradients; views may be empty where a call says so.
template <class T>
struct LstmStateViews {
  View<T, 2> state, cell;
};

namespace detail {

/// The recurrence of one block of samples. gates (batch, steps, 4 hidden) holds the part of x and is completed in
/// place.
template <class T>
void lstm_forward_block(const PackedWeight<T>& recurrent, const LstmRun<T>& run, Tensor<T, 3>& gates,
                        const View<T, 3>& output, const LstmStateViews<T>& last, LstmTrace<T>* trace,
                        const SampleBlock& block) {
  const MatrixView<T> state = block.of(last.state), cell = block.of(last.cell);
  const Index hidden = state.cols;
  copy_or_zero(block.of(run.initial), state);
  copy_or_zero(block.of(run.initial_cell), cell);
  for (Index s = 0; s < block.steps; ++s) {
    const Index t = run.direction == TimeDirection::forward ? s : block.steps - 1 - s;
    const bool* const active = active_rows(run.lengths, block, t);
    if (trace) {
      copy_rows(MatrixView<const T>(state), block.at(trace->previous.data(), t, hidden));
      copy_rows(MatrixView<const T>(cell), block.at(trace->previous_cell.data(), t, hidden));
    }
    const MatrixView<T> now = block.at(gates.data(), t, 4 * hidden);
    recurrent.multiply(state, now, Accumulate::yes);
    lstm_step<T>({.gates = now,
                  .state = state,
                  .cell = cell,
                  .next = state,
                  .next_cell = cell,
                  .saved = block.at(trace ? trace->saved.data() : nullptr, t, 5 * hidden),
                  .active = active});
    write_output(run, block, active, MatrixView<const T>(state), block.at(output, t));
  }
}

/// The recurrence of one block read backwards: fills d_gates (batch, steps, 4 hidden) and the gradients of the first
/// states.
template <class T>
void lstm_backward_block(const PackedWeight<T>& recurrent, const LstmTrace<T>& trace, const View<const T, 3>& d_output,
                         const LstmStateViews<const T>& d_last, Tensor<T, 3>& d_gates,
                         const LstmStateViews<T>& d_initial, const SampleBlock& block) {
  const MatrixView<T> d_state = block.of(d_initial.state), d_cell = block.of(d_initial.cell);
  const Index hidden = d_state.cols;
  copy_or_zero(block.of(d_last.state), d_state);
  copy_or_zero(block.of(d_last.cell), d_cell);
  for (Index s = block.steps - 1; s >= 0; --s) {
    const Index t = trace.direction == TimeDirection::forward ? s : block.steps - 1 - s;
    const bool* const active = active_rows(trace.lengths, block, t);
    add_output_gradient(trace, block, active, block.at(d_output, t), d_state);
    const MatrixView<T> now = block.at(d_gates.data(), t, 4 * hidden);
    lstm_step_backward<T>({.saved = block.at(trace.saved.data(), t, 5 * hidden),
                           .cell = block.at(trace.previous_cell.data(), t, hidden),
                           .d_next = d_state,
                           .d_next_cell = d_cell,
                           .d_gates = now,
                           .d_state = d_state,
                           .d_cell = d_cell,
                           .active = active});
    recurrent.multiply(now, d_state, Accumulate::yes);
  }
}

}  // namespace detail

/// run.x (batch, steps, input) -> output (batch, steps, hidden), rows contiguous, and the states (batch, hidden) after
/// each sample's last step. trace null: inference. Shapes are the caller's promise; padding is never read into a
/// result.
template <class T>
void lstm_forward(const LstmCell<T>& cell, const LstmRun<T>& run, const View<T, 3>& output,
                  const LstmStateViews<T>& last, LstmTrace<T>* trace, ExecutorRef executor) {
  const Index batch = run.x.extents[0], steps = run.x.extents[1];
  Tensor<T, 3> gates(batch, steps, 4 * cell.hidden_dim());
  cell.start_from_biases(as_matrix(gates));
  matmul<T>(Transpose::no, as_matrix(run.x), Transpose::yes, as_matrix(cell.weight_ih), as_matrix(gates),
            Accumulate::yes, executor);
  if (trace) trace->prepare(cell, run);
  const PackedWeight<T> recurrent(Transpose::yes, cell.weight_hh);
  detail::for_each_sample_block(batch, steps, executor, [&](const detail::SampleBlock& block) {
    detail::lstm_forward_block(recurrent, run, gates, output, last, trace, block);
  });
}

/// d_output (batch, steps, hidden) and d_last (batch, hidden), each may be empty -> d_x (batch, steps, input), written
/// or added to, and d_initial (batch, hidden), written; adds to grad.
template <class T>
void lstm_backward(const LstmCell<T>& cell, const LstmTrace<T>& trace, const View<const T, 3>& d_output,
                   const LstmStateViews<const T>& d_last, const View<T, 3>& d_x, Accumulate accumulate,
                   const LstmStateViews<T>& d_initial, LstmCell<T>& grad, ExecutorRef executor) {
  const Index batch = trace.x.dimension(0), steps = trace.x.dimension(1);
  Tensor<T, 3> d_gates(batch, steps, 4 * cell.hidden_dim());
  const PackedWeight<T> recurrent(Transpose::no, cell.weight_hh);
  detail::for_each_sample_block(batch, steps, executor, [&](const detail::SampleBlock& block) {
    detail::lstm_backward_block(recurrent, trace, d_output, d_last, d_gates, d_initial, block);
  });
  const MatrixView<const T> d = as_matrix(std::as_const(d_gates));
  matmul<T>(Transpose::no, d, Transpose::no, as_matrix(cell.weight_ih), as_matrix(d_x), accumulate, executor);
  matmul<T>(Transpose::yes, d, Transpose::no, as_matrix(trace.x), as_matrix(grad.weight_ih), Accumulate::yes, executor);
  matmul<T>(Transpose::yes, d, Transpose::no, as_matrix(trace.previous), as_matrix(grad.weight_hh), Accumulate::yes,
            executor);
  if (grad.bias_ih.size() > 0) {
    add_rows<T>(d, grad.bias_ih.data(), executor);
    add_rows<T>(d, grad.bias_hh.data(), executor);
  }
}

}  // namespace heed::inline HEED_ABI
