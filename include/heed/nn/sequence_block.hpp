#pragma once
// What recurrent layers share: directions, lengths, blocks of samples whose rows do not depend on each other, and what
// a masked step puts out. A sample belongs to one block, so nothing depends on how the batch is cut.

#include <algorithm>
#include <span>
#include <vector>

#include <heed/attention/bound_mask.hpp>
#include <heed/attention/matmul.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/workspace.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// Which way a recurrent layer reads: steps ascending, descending, or one cell each way with their outputs side by
/// side.
enum class Directions { forward, reverse, both };

/// Steps ascending, or descending from each sample's last true step.
enum class TimeDirection { forward, reverse };

/// What a step at or behind a sample's length puts out: the last true step's output (Keras; zeros before there is one),
/// or zeros (torch). Its state is kept either way.
enum class MaskedOutput { repeat, zero };

/// Refuses lengths that are not one per sample within 0 to steps; none is all of x.
inline void check_lengths(const char* function, const char* argument, std::span<const Index> lengths, Index batch,
                          Index steps) {
  if (!lengths.empty()) detail::check_per_sample(function, argument, lengths, batch, {0, steps});
}

namespace detail {

struct ActiveScratch;

/// Samples [first, first + count) of one call: what each step sees of the tensors.
struct SampleBlock {
  Index first, count, steps;

  /// Step t of a contiguous (batch, steps, width) array; a null array stays null.
  template <class T>
  MatrixView<T> at(T* data, Index t, Index width) const {
    return {data ? data + (first * steps + t) * width : nullptr, count, width, steps * width};
  }
  template <class T>
  MatrixView<T> at(const View<T, 3>& sequence, Index t) const {
    return {sequence.data ? sequence.data + first * sequence.strides[0] + t * sequence.strides[1] : nullptr, count,
            sequence.extents[2], sequence.strides[0]};
  }
  template <class T>
  MatrixView<T> of(const View<T, 2>& states) const {
    return {states.data ? states.data + first * states.strides[0] : nullptr, count, states.extents[1],
            states.strides[0]};
  }
};

/// Which samples of a block take step t; null where all do.
inline const bool* active_rows(std::span<const Index> lengths, const SampleBlock& block, Index t) {
  if (lengths.empty()) return nullptr;
  bool* const active = thread_scratch<ActiveScratch, bool>(block.count);
  for (Index i = 0; i < block.count; ++i) active[i] = t < lengths[static_cast<std::size_t>(block.first + i)];
  return active;
}

/// A masked step of this call repeats the output of an earlier true one.
inline bool repeats(MaskedOutput masked_output, TimeDirection direction, std::span<const Index> lengths, Index sample) {
  return masked_output == MaskedOutput::repeat && direction == TimeDirection::forward &&
         lengths[static_cast<std::size_t>(sample)] > 0;
}

/// Runs body(block) over blocks of samples, as many as there are workers but of no fewer than 8 samples.
template <class Body>
void for_each_sample_block(Index batch, Index steps, ExecutorRef executor, Body&& body) {
  const Cut cut(batch, executor.concurrency(), 8);
  for_each_task(executor, cut.count(), [&](Index task, Index) {
    body(SampleBlock{cut.first(task), cut.size(task), steps});
  });
}

template <class T>
void copy_rows(MatrixView<const T> from, MatrixView<T> to) {
  for (Index i = 0; i < from.rows; ++i) std::copy_n(from.row(i), from.cols, to.row(i));
}
template <class T>
void fill_zero(MatrixView<T> to) {
  for (Index i = 0; i < to.rows; ++i) std::fill_n(to.row(i), to.cols, T(0));
}
/// From a view of states, or zeros where it is empty.
template <class T>
void copy_or_zero(MatrixView<const T> from, MatrixView<T> to) {
  from.data ? copy_rows(from, to) : fill_zero(to);
}

/// Output of step t: the new state, or what masked_output says where the sample has ended. call names masked_output,
/// direction and lengths, as a trace does.
template <class Call, class T>
void write_output(const Call& call, const SampleBlock& block, const bool* active, MatrixView<const T> state,
                  MatrixView<T> output) {
  for (Index i = 0; i < block.count; ++i) {
    if (!active || active[i] || repeats(call.masked_output, call.direction, call.lengths, block.first + i)) {
      std::copy_n(state.row(i), state.cols, output.row(i));
    } else {
      std::fill_n(output.row(i), output.cols, T(0));
    }
  }
}

/// x with zeros behind every length: padding must not reach a gradient through 0 * NaN.
template <class T>
Tensor<T, 3> without_padding(const View<const T, 3>& x, std::span<const Index> lengths) {
  Tensor<T, 3> clean = Eigen::TensorMap<const Tensor<T, 3>>(x.data, x.extents);
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    T* const sample = clean.data() + static_cast<Index>(b) * x.strides[0];
    std::fill(sample + lengths[b] * x.strides[1], sample + x.strides[0], T(0));
  }
  return clean;
}

/// d_output of step t onto the gradient of the state, where the output was the state.
template <class Trace, class T>
void add_output_gradient(const Trace& trace, const SampleBlock& block, const bool* active, MatrixView<const T> d_output,
                         MatrixView<T> d_state) {
  for (Index i = 0; d_output.data && i < block.count; ++i) {
    if (!active || active[i] || repeats(trace.masked_output, trace.direction, trace.lengths, block.first + i)) {
      add_scaled_row<T>(d_state.row(i), T(1), d_output.row(i), d_state.cols);
    }
  }
}

/// One cell of a layer and the way it reads.
template <class Cell>
struct Directed {
  Cell* cell;
  TimeDirection direction;
};

/// The cells of a layer with optional members forward and reverse, in the order of their runs.
template <class Layer>
auto directed_cells(Layer& layer) {
  using Cell = std::remove_reference_t<decltype(*layer.forward)>;
  std::vector<Directed<Cell>> all;
  if (layer.forward) all.push_back({&*layer.forward, TimeDirection::forward});
  if (layer.reverse) all.push_back({&*layer.reverse, TimeDirection::reverse});
  return all;
}

/// Columns [first, first + count) of every step of a tensor (batch, steps, width).
template <class Sequence>
auto step_columns(Sequence& sequence, Index first, Index count) {
  auto all = view(sequence);
  all.data += first;
  all.extents[2] = count;
  return all;
}

/// Entry `run` of states (runs, batch, hidden).
template <class States>
auto states_of(States& states, Index run) {
  auto all = view(states);
  return View<std::remove_pointer_t<decltype(all.data)>, 2>(all.data + run * all.strides[0],
                                                            {all.extents[1], all.extents[2]});
}

}  // namespace detail
}  // namespace heed::inline HEED_ABI
