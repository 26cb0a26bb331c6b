#pragma once
// The loops of BahdanauDecoder over the steps of one block of samples, forward and backward. A sample belongs to one block,
// whose samples run in order, so that nothing here depends on how the batch is cut.

#include <algorithm>
#include <utility>
#include <vector>

#include <heed/attention/bahdanau.hpp>
#include <heed/attention/packed_weight.hpp>
#include <heed/kernels/additive.hpp>
#include <heed/kernels/softmax.hpp>
#include <heed/nn/gru_sequence.hpp>

namespace heed::inline HEED_ABI {

/// What a recurrent decoder reads at every step.
template <class T>
struct RecurrentMemory {
  Tensor<T, 3> values;         // (batch, source_length, memory_dim): the encoder's outputs
  Tensor<T, 3> keys;           // (batch, source_length, units): their projection, computed once per source
  std::vector<Index> lengths;  // (batch); empty: all of source_length
  Index length(Index sample) const {
    return lengths.empty() ? values.dimension(1) : lengths[static_cast<std::size_t>(sample)];
  }
};

/// What a decoder gives for all steps of a target; a Transformer has .hidden alone.
template <class T>
struct SourceRead {
  Tensor<T, 3> hidden;   // (batch, steps, hidden)
  Tensor<T, 3> context;  // (batch, steps, memory_dim)
  Tensor<T, 3> weights;  // (batch, steps, source_length), 0 behind a length
};

namespace detail {

struct DecoderScratch;

/// What a training pass keeps of every step.
template <class T>
struct BahdanauTrace {
  Tensor<T, 3> previous;  // (batch, steps, hidden): h_{t-1}
  Tensor<T, 3> query;     // (batch, steps, units): W_q h_{t-1} + b_q
  Tensor<T, 3> saved;     // (batch, steps, 4 hidden): of the GRU
  Tensor<T, 3> operand;   // (batch, steps, hidden), where the reset comes before

  void prepare(Index batch, Index steps, Index hidden, Index units, GruReset reset) {
    previous.resize(batch, steps, hidden);
    query.resize(batch, steps, units);
    saved.resize(batch, steps, 4 * hidden);
    operand.resize(batch, steps, reset == GruReset::before ? hidden : 0);
  }
};

/// One query against one sample's memory, and its way back.
template <class T>
class BahdanauReader {
 public:
  BahdanauReader(const BahdanauAttention<T>& attention, const RecurrentMemory<T>& memory)
      : memory_(memory), v_(static_cast<std::size_t>(attention.units())) {
    attention.score.effective(v_.data());
  }

  /// query (units) -> weights (source_length) and context (memory_dim).
  void read(Index sample, const T* query, T* weights, T* context) const {
    const Index length = memory_.length(sample), all = memory_.values.dimension(1);
    const MatrixView<const T> values = rows(memory_.values, sample, length);
    additive_scores<T>({query, 1, units()}, rows(memory_.keys, sample, length), v_.data(), {weights, 1, all});
    softmax_row<T>(weights, weights, length, all);
    std::fill_n(context, values.cols, T(0));
    for (Index j = 0; j < length; ++j) add_scaled_row<T>(context, weights[j], values.row(j), values.cols);
  }

  /// d_context (memory_dim) -> d_query (units), written, and what is added to: d_values (source_length, memory_dim), d_keys
  /// (source_length, units), d_v (units). d_scores (source_length) is scratch.
  void read_backward(Index sample, const T* query, const T* weights, const T* d_context, T* d_query,
                     MatrixView<T> d_values, MatrixView<T> d_keys, T* d_v, T* d_scores) const {
    const Index length = memory_.length(sample);
    const MatrixView<const T> values = rows(memory_.values, sample, length);
    for (Index j = 0; j < length; ++j) {
      d_scores[j] = dot<T>(d_context, values.row(j), values.cols);
      add_scaled_row<T>(d_values.row(j), weights[j], d_context, values.cols);
    }
    softmax_backward_row<T>(weights, d_scores, d_scores, length, length);
    additive_scores_backward<T>({.query = {query, 1, units()},
                                 .key = rows(memory_.keys, sample, length),
                                 .v = v_.data(),
                                 .d_scores = {d_scores, 1, length},
                                 .d_query = {d_query, 1, units()},
                                 .d_key = d_keys.row_block(0, length),
                                 .d_v = d_v});
  }

  Index units() const { return static_cast<Index>(v_.size()); }

  template <class S>
  static auto rows(S& tensor, Index sample, Index length) {
    return as_matrix(tensor).row_block(sample * tensor.dimension(1), length);
  }

 private:
  const RecurrentMemory<T>& memory_;
  std::vector<T> v_;
};

template <class T>
PackedWeight<T> packed(Transpose transpose, MatrixView<const T> weight) {
  return PackedWeight<T>(transpose, View<const T, 2>(weight.data, {weight.rows, weight.cols}, {weight.stride, 1}));
}

/// The forward pass over blocks of samples; const, so blocks may run side by side.
template <class T>
class BahdanauForward {
 public:
  BahdanauForward(const BahdanauAttention<T>& attention, const GruCell<T>& cell, const RecurrentMemory<T>& memory)
      : attention_(attention),
        cell_(cell),
        reader_(attention, memory),
        query_(Transpose::yes, View<const T, 2>(attention.query.weight)),
        context_(packed<T>(Transpose::yes, as_matrix(cell.weight_ih).col_block(0, memory.values.dimension(2)))),
        recurrence_(cell, Transpose::yes) {}

  /// input (batch, steps, 3 hidden) holds bias and embedding part; the contexts' part is added. state (batch, hidden) runs.
  void run(const SampleBlock& block, Tensor<T, 3>& input, Tensor<T, 2>& state, SourceRead<T>& out,
           BahdanauTrace<T>& trace) const {
    const Index hidden = cell_.hidden_dim(), memory_dim = context_.in_features();
    T* const scratch = thread_scratch<GruStepScratch, T>(cell_.scratch_size(block.count));
    const MatrixView<T> now = block.of(View<T, 2>(state));
    const auto project = [&](MatrixView<const T> from, Index first, MatrixView<T> to) {
      (first == 0 ? recurrence_.gates : recurrence_.candidate).multiply(from, to, Accumulate::yes);
    };
    for (Index t = 0; t < block.steps; ++t) {
      copy_rows<T>(now, block.at(trace.previous.data(), t, hidden));
      const MatrixView<T> query = block.at(trace.query.data(), t, reader_.units());
      GruCell<T>::fill_rows(query, attention_.query.bias);
      query_.multiply(now, query, Accumulate::yes);
      const MatrixView<T> context = block.at(out.context.data(), t, memory_dim);
      const MatrixView<T> weights = block.at(out.weights.data(), t, out.weights.dimension(2));
      for (Index i = 0; i < block.count; ++i) {
        reader_.read(block.first + i, query.row(i), weights.data + i * weights.stride, context.row(i));
      }
      const MatrixView<T> gates = block.at(input.data(), t, 3 * hidden);
      context_.multiply(context, gates, Accumulate::yes);
      const bool before = cell_.reset == GruReset::before;
      cell_.advance({.input = gates,
                     .state = now,
                     .next = now,
                     .saved = block.at(trace.saved.data(), t, 4 * hidden),
                     .operand = block.at(before ? trace.operand.data() : nullptr, t, hidden)},
                    scratch, project);
      copy_rows<T>(now, block.at(out.hidden.data(), t, hidden));
    }
  }

 private:
  const BahdanauAttention<T>& attention_;
  const GruCell<T>& cell_;
  BahdanauReader<T> reader_;
  PackedWeight<T> query_, context_;
  PackedRecurrence<T> recurrence_;
};

/// The backward pass over blocks of samples, each writing its own samples' parts of what is summed up afterwards.
template <class T>
class BahdanauBackward {
 public:
  BahdanauBackward(const BahdanauAttention<T>& attention, const GruCell<T>& cell, const RecurrentMemory<T>& memory,
                   const SourceRead<T>& result, const BahdanauTrace<T>& trace)
      : attention_(attention),
        cell_(cell),
        result_(result),
        trace_(trace),
        reader_(attention, memory),
        query_(Transpose::no, View<const T, 2>(attention.query.weight)),
        context_(packed<T>(Transpose::no, as_matrix(cell.weight_ih).col_block(0, memory.values.dimension(2)))),
        recurrence_(cell, Transpose::no),
        d_memory_(zero_memory_gradient(memory.keys, memory.values)),
        d_v_(zeros<T, 2>({memory.values.dimension(0), attention.units()})) {
    const Index batch = trace.previous.dimension(0), steps = trace.previous.dimension(1);
    d_input_.resize(batch, steps, 3 * cell.hidden_dim());
    d_recurrent_.resize(batch, steps, 3 * cell.hidden_dim());
    d_query_.resize(batch, steps, attention.units());
    for (Index b = 0; b < batch; ++b) {
      for (Index j = 0; steps > 0 && j < memory.length(b); ++j) d_memory_.seen(b, j) = true;
    }
  }

  void run(const SampleBlock& block, const Tensor<T, 3>& d_hidden, const Tensor<T, 3>* d_context, Tensor<T, 2>& d_initial) {
    const Index hidden = cell_.hidden_dim(), memory_dim = context_.out_features(), length = result_.weights.dimension(2);
    const MatrixView<T> d_state = block.of(View<T, 2>(d_initial));
    fill_zero(d_state);
    T* const scratch = thread_scratch<DecoderScratch, T>(block.count * (hidden + memory_dim) + length);
    const MatrixView<T> d_read(scratch + block.count * hidden, block.count, memory_dim);
    for (Index t = block.steps - 1; t >= 0; --t) {
      const auto d_out = block.at(d_hidden.data(), t, hidden);
      for (Index i = 0; i < block.count; ++i) add_row<T>(d_state.row(i), d_out.row(i), hidden);
      const MatrixView<T> d_input = block.at(d_input_.data(), t, 3 * hidden);
      gru_step_back(cell_, recurrence_,
                    {.saved = block.at(trace_.saved.data(), t, 4 * hidden),
                     .state = block.at(trace_.previous.data(), t, hidden),
                     .d_next = d_state,
                     .d_input = d_input,
                     .d_recurrent = block.at(d_recurrent_.data(), t, 3 * hidden),
                     .d_state = d_state},
                    scratch);
      copy_or_zero<T>(block.at(d_context ? d_context->data() : nullptr, t, memory_dim), d_read);
      context_.multiply(d_input, d_read, Accumulate::yes);
      read_backward(block, t, d_read, scratch + block.count * (hidden + memory_dim));
      query_.multiply(block.at(d_query_.data(), t, reader_.units()), d_state, Accumulate::yes);
    }
  }

  MatrixView<const T> d_input_rows() const { return as_matrix(d_input_); }
  MatrixView<const T> d_recurrent_rows() const { return as_matrix(d_recurrent_); }
  MatrixView<const T> d_query_rows() const { return as_matrix(d_query_); }
  MemoryGradient<T> memory_gradient() && { return std::move(d_memory_); }

  /// The samples' parts of d_v in their order.
  void add_score_gradient(AdditiveScore<T>& grad) const {
    std::vector<T> d_v(static_cast<std::size_t>(reader_.units()), T(0));
    for (Index b = 0; b < d_v_.dimension(0); ++b) add_row<T>(d_v.data(), as_matrix(d_v_).row(b), reader_.units());
    attention_.score.backward(d_v.data(), grad);
  }

 private:
  void read_backward(const SampleBlock& block, Index t, MatrixView<const T> d_read, T* d_scores) {
    const auto query = block.at(trace_.query.data(), t, reader_.units());
    const auto weights = block.at(result_.weights.data(), t, result_.weights.dimension(2));
    const MatrixView<T> d_query = block.at(d_query_.data(), t, reader_.units());
    for (Index i = 0; i < block.count; ++i) {
      const Index sample = block.first + i, length = d_memory_.values.dimension(1);
      reader_.read_backward(sample, query.row(i), weights.data + i * weights.stride, d_read.row(i), d_query.row(i),
                            reader_.rows(d_memory_.values, sample, length), reader_.rows(d_memory_.memory, sample, length),
                            as_matrix(d_v_).row(sample), d_scores);
    }
  }

  const BahdanauAttention<T>& attention_;
  const GruCell<T>& cell_;
  const SourceRead<T>& result_;
  const BahdanauTrace<T>& trace_;
  BahdanauReader<T> reader_;
  PackedWeight<T> query_, context_;
  PackedRecurrence<T> recurrence_;
  Tensor<T, 3> d_input_, d_recurrent_;  // (batch, steps, 3 hidden)
  Tensor<T, 3> d_query_;                // (batch, steps, units)
  MemoryGradient<T> d_memory_;
  Tensor<T, 2> d_v_;  // (batch, units)
};

}  // namespace detail
}  // namespace heed::inline HEED_ABI
