#pragma once
// The loops of a GRU over the steps of one block of samples, forward and backward. A sample belongs to one block, whose rows do
// not depend on each other, so nothing here depends on how the batch is cut.

#include <span>
#include <vector>

#include <heed/attention/packed_weight.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/gru_cell.hpp>
#include <heed/nn/sequence_block.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// weight_hh packed for the products of a whole sequence.
template <class T>
struct PackedRecurrence {
  PackedWeight<T> gates;      // all three gates, or r and z where the reset comes before
  PackedWeight<T> candidate;  // n, where the reset comes before

  PackedRecurrence(const GruCell<T>& cell, Transpose transpose) {
    const Index hidden = cell.hidden_dim();
    const View<const T, 2> whole(cell.weight_hh);
    if (cell.reset == GruReset::after) {
      gates.pack(transpose, whole);
    } else {
      gates.pack(transpose, View<const T, 2>(whole.data, {2 * hidden, hidden}));
      candidate.pack(transpose, View<const T, 2>(whole.data + 2 * hidden * hidden, {hidden, hidden}));
    }
  }
};

}  // namespace detail

/// One call: x (batch, steps, input), contiguous; lengths (batch) or none; initial (batch, hidden) or none for zeros.
template <class T>
struct GruRun {
  View<const T, 3> x;
  std::span<const Index> lengths = {};
  View<const T, 2> initial = {};
  TimeDirection direction = TimeDirection::forward;
  MaskedOutput masked_output = MaskedOutput::repeat;
  const detail::PackedRecurrence<T>* packed = nullptr;  // of the cell, transposed; null: packed by the call
};

/// What the backward of a call needs. Steps behind a length hold zeros, whatever the padding held.
template <class T>
struct GruTrace {
  Tensor<T, 3> x;         // (batch, steps, input)
  Tensor<T, 3> previous;  // (batch, steps, hidden): the state before each step
  Tensor<T, 3> saved;     // (batch, steps, 4 hidden): gates, candidate and its recurrent part
  Tensor<T, 3> operand;   // (batch, steps, hidden): r * h, where the reset comes before
  std::vector<Index> lengths;
  TimeDirection direction = TimeDirection::forward;
  MaskedOutput masked_output = MaskedOutput::repeat;
};

namespace detail {

struct GruStepScratch;

/// The recurrence of one block of samples. input (batch, steps, 3 hidden) holds W_ih x + b_ih.
template <class T>
void gru_forward_block(const GruCell<T>& cell, const PackedRecurrence<T>& packed, const GruRun<T>& run,
                       const Tensor<T, 3>& input, const View<T, 3>& output, const View<T, 2>& state, GruTrace<T>* trace,
                       const SampleBlock& block) {
  const Index hidden = cell.hidden_dim();
  T* const scratch = thread_scratch<GruStepScratch, T>(cell.scratch_size(block.count));
  const MatrixView<T> now = block.of(state);
  copy_or_zero(block.of(run.initial), now);
  const auto project = [&](MatrixView<const T> from, Index first, MatrixView<T> to) {
    (first == 0 ? packed.gates : packed.candidate).multiply(from, to, Accumulate::yes);
  };
  for (Index s = 0; s < block.steps; ++s) {
    const Index t = run.direction == TimeDirection::forward ? s : block.steps - 1 - s;
    const bool* const active = active_rows(run.lengths, block, t);
    if (trace) copy_rows(MatrixView<const T>(now), block.at(trace->previous.data(), t, hidden));
    const bool before = trace && cell.reset == GruReset::before;
    cell.advance({.input = block.at(input.data(), t, 3 * hidden),
                  .state = now,
                  .next = now,
                  .saved = block.at(trace ? trace->saved.data() : nullptr, t, 4 * hidden),
                  .operand = block.at(before ? trace->operand.data() : nullptr, t, hidden),
                  .active = active},
                 scratch, project);
    write_output(run, block, active, MatrixView<const T>(now), block.at(output, t));
  }
}

/// Makes room in a trace and takes down what the call was told. saved and operand of masked steps are zeros.
template <class T>
void prepare_trace(GruTrace<T>& trace, const GruCell<T>& cell, const GruRun<T>& run) {
  const Index batch = run.x.extents[0], steps = run.x.extents[1], hidden = cell.hidden_dim();
  trace.x = without_padding(run.x, run.lengths);
  trace.previous.resize(batch, steps, hidden);
  trace.saved.resize(batch, steps, 4 * hidden);
  trace.operand.resize(batch, steps, cell.reset == GruReset::before ? hidden : 0);
  if (!run.lengths.empty()) {
    trace.saved.setZero();
    trace.operand.setZero();
  }
  trace.lengths.assign(run.lengths.begin(), run.lengths.end());
  trace.direction = run.direction;
  trace.masked_output = run.masked_output;
}

/// One step read backwards, the recurrent products included: d_state becomes the gradient of the state before the step.
/// scratch (rows, hidden) is needed where the reset comes before.
template <class T>
void gru_step_back(const GruCell<T>& cell, const PackedRecurrence<T>& packed, const GruStepBackward<T>& step, T* scratch) {
  if (cell.reset == GruReset::after) {
    gru_step_backward<T>(step, cell.gate);
    packed.gates.multiply(step.d_recurrent, step.d_state, Accumulate::yes);
    return;
  }
  const Index hidden = cell.hidden_dim();
  const MatrixView<T> d_gates = step.d_recurrent.col_block(0, 2 * hidden);
  const MatrixView<T> d_candidate = step.d_recurrent.col_block(2 * hidden, hidden);
  const MatrixView<T> d_operand(scratch, step.state.rows, hidden);
  const GruResetBeforeBackward<T> form{step.saved.col_block(0, 3 * hidden), step.state, step.d_next, d_operand,
                                       step.d_input, d_gates, d_candidate, step.d_state, step.active};
  gru_candidate_backward<T>(form, cell.gate);
  packed.candidate.multiply(d_candidate, d_operand);
  gru_gates_backward<T>(form, cell.gate);
  packed.gates.multiply(d_gates, step.d_state, Accumulate::yes);
}

/// The recurrence of one block read backwards: fills d_input and d_recurrent (batch, steps, 3 hidden).
template <class T>
void gru_backward_block(const GruCell<T>& cell, const PackedRecurrence<T>& packed, const GruTrace<T>& trace,
                        const View<const T, 3>& d_output, const View<const T, 2>& d_last, Tensor<T, 3>& d_input,
                        Tensor<T, 3>& d_recurrent, const View<T, 2>& d_initial, const SampleBlock& block) {
  const Index hidden = cell.hidden_dim();
  const MatrixView<T> d_state = block.of(d_initial);
  copy_or_zero(block.of(d_last), d_state);
  T* const scratch = thread_scratch<GruStepScratch, T>(block.count * hidden);
  for (Index s = block.steps - 1; s >= 0; --s) {
    const Index t = trace.direction == TimeDirection::forward ? s : block.steps - 1 - s;
    const bool* const active = active_rows(trace.lengths, block, t);
    add_output_gradient(trace, block, active, block.at(d_output, t), d_state);
    gru_step_back(cell, packed,
                  {.saved = block.at(trace.saved.data(), t, 4 * hidden),
                   .state = block.at(trace.previous.data(), t, hidden),
                   .d_next = d_state,
                   .d_input = block.at(d_input.data(), t, 3 * hidden),
                   .d_recurrent = block.at(d_recurrent.data(), t, 3 * hidden),
                   .d_state = d_state,
                   .active = active},
                  scratch);
  }
}

/// Adds to grad's recurrent weights and biases what d_input and d_recurrent (rows, 3 hidden) say, given the states before the
/// steps and r times them (rows, hidden; read where the reset comes before): sums over rows in order.
template <class T>
void gru_recurrent_gradients(MatrixView<const T> previous, MatrixView<const T> operand, MatrixView<const T> d_input,
                             MatrixView<const T> d_recurrent, GruCell<T>& grad, ExecutorRef executor) {
  const Index hidden = grad.hidden_dim();
  const Index shared = grad.reset == GruReset::after ? 3 * hidden : 2 * hidden;  // gates whose operand is the state itself
  matmul<T>(Transpose::yes, d_recurrent.col_block(0, shared), Transpose::no, previous,
            as_matrix(grad.weight_hh).row_block(0, shared), Accumulate::yes, executor);
  if (grad.reset == GruReset::before) {
    matmul<T>(Transpose::yes, d_recurrent.col_block(shared, hidden), Transpose::no, operand,
              as_matrix(grad.weight_hh).row_block(shared, hidden), Accumulate::yes, executor);
  }
  if (grad.bias_ih.size() > 0) add_rows<T>(d_input, grad.bias_ih.data(), executor);
  if (grad.bias_hh.size() > 0) add_rows<T>(d_recurrent, grad.bias_hh.data(), executor);
}

}  // namespace detail
}  // namespace heed::inline HEED_ABI
