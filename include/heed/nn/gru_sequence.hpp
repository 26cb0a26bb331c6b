#pragma once
// One GRU cell over a batch of sequences, forward and backward through time. Input products are one matrix product over all
// steps; the recurrence runs per block of samples, so that a thread never waits for another inside a sequence; gradients of
// the weights are one product over all steps again.

#include <optional>
#include <span>
#include <utility>

#include <heed/nn/gru_sequence_block.hpp>

namespace heed::inline HEED_ABI {

/// run.x (batch, steps, input) -> output (batch, steps, hidden), rows contiguous, and state (batch, hidden) after each sample's
/// last step. trace null: inference. Shapes are the caller's promise; padding is never read into a result.
template <class T>
void gru_forward(const GruCell<T>& cell, const GruRun<T>& run, const View<T, 3>& output, const View<T, 2>& state,
                 GruTrace<T>* trace, ExecutorRef executor) {
  const Index batch = run.x.extents[0], steps = run.x.extents[1];
  Tensor<T, 3> input(batch, steps, 3 * cell.hidden_dim());
  GruCell<T>::fill_rows(as_matrix(input), cell.bias_ih);
  matmul<T>(Transpose::no, as_matrix(run.x), Transpose::yes, as_matrix(cell.weight_ih), as_matrix(input), Accumulate::yes,
            executor);
  if (trace) detail::prepare_trace(*trace, cell, run);
  std::optional<detail::PackedRecurrence<T>> own;
  const detail::PackedRecurrence<T>& packed = run.packed ? *run.packed : own.emplace(cell, Transpose::yes);
  detail::for_each_sample_block(batch, steps, executor, [&](const detail::SampleBlock& block) {
    detail::gru_forward_block(cell, packed, run, input, output, state, trace, block);
  });
}

/// d_output (batch, steps, hidden) and d_last (batch, hidden), each may be empty -> d_x (batch, steps, input), written or added
/// to, and d_initial (batch, hidden), written; adds to grad.
template <class T>
void gru_backward(const GruCell<T>& cell, const GruTrace<T>& trace, const View<const T, 3>& d_output,
                  const View<const T, 2>& d_last, const View<T, 3>& d_x, Accumulate accumulate,
                  const View<T, 2>& d_initial, GruCell<T>& grad, ExecutorRef executor) {
  const Index batch = trace.x.dimension(0), steps = trace.x.dimension(1);
  Tensor<T, 3> d_input(batch, steps, 3 * cell.hidden_dim()), d_recurrent(batch, steps, 3 * cell.hidden_dim());
  const detail::PackedRecurrence<T> packed(cell, Transpose::no);
  detail::for_each_sample_block(batch, steps, executor, [&](const detail::SampleBlock& block) {
    detail::gru_backward_block(cell, packed, trace, d_output, d_last, d_input, d_recurrent, d_initial, block);
  });
  matmul<T>(Transpose::no, as_matrix(d_input), Transpose::no, as_matrix(cell.weight_ih), as_matrix(d_x), accumulate,
            executor);
  matmul<T>(Transpose::yes, as_matrix(std::as_const(d_input)), Transpose::no, as_matrix(trace.x),
            as_matrix(grad.weight_ih), Accumulate::yes, executor);
  detail::gru_recurrent_gradients<T>(as_matrix(trace.previous), as_matrix(trace.operand), as_matrix(std::as_const(d_input)),
                                     as_matrix(std::as_const(d_recurrent)), grad, executor);
}

}  // namespace heed::inline HEED_ABI
