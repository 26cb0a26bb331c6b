#pragma once
// The recurrent decoder of Bahdanau, Cho and Bengio (2015): at every step the state asks the source by additive attention, and
// a GRU reads the answer beside the target's embedding:
//
//   context_t = sum_j softmax_j(v . tanh(W_q h_{t-1} + W_k memory_j)) memory_j
//   h_t = GRU([context_t; embedding_t], h_{t-1})
//
// A training pass runs per block of samples through all its steps, so that no thread waits for another inside a sequence;
// everything that does not depend on the state is one product over all steps.

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include <heed/nn/bahdanau_decoder_block.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct BahdanauDecoder {
  struct Config {
    Index embedding_dim = 0, hidden_dim = 0, memory_dim = 0, attention_units = 0;
    GruReset reset = GruReset::after;
  };
  /// For backward, beside the Result.
  struct Cache {
    detail::BahdanauTrace<T> trace;
    Tensor<T, 3> embedding;  // (batch, steps, embedding_dim)
  };
  struct Gradients {
    Tensor<T, 3> embedding;      // (batch, steps, embedding_dim)
    Tensor<T, 3> values;         // (batch, source_length, memory_dim): through the contexts and through the keys
    Tensor<T, 2> initial_state;  // (batch, hidden)
  };

  /// The weights in the order in which step() reads them: made once per loaded model, the same bits, as much memory again.
  struct StepWeights {
    PackedWeight<T> query, context, embedding;
    detail::PackedRecurrence<T> recurrence;
  };

  BahdanauAttention<T> attention;
  GruCell<T> cell;  // reads [context (memory_dim); embedding (embedding_dim)]

  static void fields(auto&& visit, auto&... self) {
    visit("attention", self.attention...);
    visit("cell", self.cell...);
  }

  BahdanauDecoder() = default;
  BahdanauDecoder(const Config& config, Rng& rng)
      : attention({.units = config.attention_units, .query_dim = config.hidden_dim, .key_dim = config.memory_dim}, rng),
        cell({.input_dim = config.memory_dim + config.embedding_dim, .hidden_dim = config.hidden_dim, .reset = config.reset},
             rng) {}

  Index hidden_dim() const { return cell.hidden_dim(); }
  Index memory_dim() const { return attention.key.in_features(); }
  Index embedding_dim() const { return cell.input_dim() - memory_dim(); }

  /// What every step reads: the encoder's outputs values (batch, source_length, memory_dim) and W_k of them, computed here
  /// once. lengths (batch), each 0 to source_length, must outlive the result.
  RecurrentMemory<T> remember(Tensor<T, 3> values, std::span<const Index> lengths,
                              ExecutorRef executor = default_executor()) const {
    check_lengths("BahdanauDecoder::remember", "lengths", lengths, values.dimension(0), values.dimension(1));
    Tensor<T, 3> keys = attention.project(values, executor);
    return {std::move(values), std::move(keys), {lengths.begin(), lengths.end()}};
  }

  /// All steps of a target whose embeddings are known (teacher forcing): embedding (batch, steps, embedding_dim), state
  /// (batch, hidden). cache null: inference. Cost: batch * steps * (hidden (units + 3 hidden) + 3 hidden (memory + embedding) +
  /// source_length (units + memory)) multiply-adds. Throws heed::Error on other shapes.
  SourceRead<T> forward(const Tensor<T, 3>& embedding, const RecurrentMemory<T>& memory, const Tensor<T, 2>& state,
                        Cache* cache = nullptr, ExecutorRef executor = default_executor()) const {
    check_call("BahdanauDecoder::forward", extents(embedding), memory, extents(state));
    const Index batch = embedding.dimension(0), steps = embedding.dimension(1), hidden = hidden_dim();
    Tensor<T, 3> input(batch, steps, 3 * hidden);
    GruCell<T>::fill_rows(as_matrix(input), cell.bias_ih);
    matmul<T>(Transpose::no, as_matrix(embedding), Transpose::yes, embedding_weight(), as_matrix(input), Accumulate::yes,
              executor);
    SourceRead<T> result{Tensor<T, 3>(batch, steps, hidden), Tensor<T, 3>(batch, steps, memory_dim()),
                         Tensor<T, 3>(batch, steps, memory.values.dimension(1))};
    detail::BahdanauTrace<T> unkept;
    detail::BahdanauTrace<T>& trace = cache ? cache->trace : unkept;
    trace.prepare(batch, steps, hidden, attention.units(), cell.reset);
    Tensor<T, 2> now = state;
    const detail::BahdanauForward<T> pass(attention, cell, memory);
    detail::for_each_sample_block(batch, steps, executor, [&](const detail::SampleBlock& block) {
      pass.run(block, input, now, result, trace);
    });
    if (cache) cache->embedding = embedding;
    return result;
  }

  /// d_hidden (batch, steps, hidden) and d_context (batch, steps, memory_dim; null: zeros) -> the inputs' gradients; adds to
  /// grad. `memory` and `result` are those of the forward call.
  Gradients backward(const Tensor<T, 3>& d_hidden, const Tensor<T, 3>* d_context, const RecurrentMemory<T>& memory,
                     const SourceRead<T>& result, const Cache& cache, BahdanauDecoder& grad,
                     ExecutorRef executor = default_executor()) const {
    check_shape("BahdanauDecoder::backward", "d_hidden", extents(d_hidden), extents(result.hidden));
    check_shape("BahdanauDecoder::backward", "cache.embedding", extents(cache.embedding),
                Extents<3>{d_hidden.dimension(0), d_hidden.dimension(1), embedding_dim()});
    if (d_context) check_shape("BahdanauDecoder::backward", "d_context", extents(*d_context), extents(result.context));
    const Index batch = d_hidden.dimension(0), steps = d_hidden.dimension(1), hidden = hidden_dim();
    detail::BahdanauBackward<T> pass(attention, cell, memory, result, cache.trace);
    Gradients d{Tensor<T, 3>(batch, steps, embedding_dim()), {}, Tensor<T, 2>(batch, hidden)};
    detail::for_each_sample_block(batch, steps, executor, [&](const detail::SampleBlock& block) {
      pass.run(block, d_hidden, d_context, d.initial_state);
    });
    matmul<T>(Transpose::no, pass.d_input_rows(), Transpose::no, embedding_weight(), as_matrix(d.embedding), Accumulate::no,
              executor);
    add_weight_gradients(pass, result, cache, grad, executor);
    pass.add_score_gradient(grad.attention.score);
    MemoryGradient<T> d_memory = std::move(pass).memory_gradient();
    d.values = attention.project_backward(memory.values, d_memory, grad.attention, executor);
    d.values += d_memory.values;
    return d;
  }

  /// One step of inference for rows that may belong to different sources: state (rows, hidden) in and out, embedding (rows,
  /// embedding_dim), sources[r] the sample of `memory` that row r reads -> context (rows, memory_dim) and weights (rows,
  /// source_length), written. A row's bits do not depend on the other rows. packed: pack_step(), or null.
  void step(const RecurrentMemory<T>& memory, std::span<const Index> sources, const Tensor<T, 2>& embedding,
            Tensor<T, 2>& state, Tensor<T, 2>& context, Tensor<T, 2>& weights, ExecutorRef executor = default_executor(),
            const StepWeights* packed = nullptr) const {
    const Index rows = embedding.dimension(0);
    check_step(memory, sources, embedding, state, context, weights);
    Tensor<T, 2> query(rows, attention.units()), input(rows, 3 * hidden_dim());
    const auto add_product = [&](const PackedWeight<T>* weight, MatrixView<const T> plain, const auto& from, MatrixView<T> to) {
      if (weight) return weight->multiply(from, to, Accumulate::yes, executor);
      matmul<T>(Transpose::no, from, Transpose::yes, plain, to, Accumulate::yes, executor);
    };
    const MatrixView<const T> now = as_matrix(std::as_const(state));
    GruCell<T>::fill_rows(as_matrix(query), attention.query.bias);
    add_product(packed ? &packed->query : nullptr, as_matrix(attention.query.weight), now, as_matrix(query));
    const detail::BahdanauReader<T> reader(attention, memory);
    for_each_task(executor, rows, [&](Index r, Index) {
      reader.read(sources[static_cast<std::size_t>(r)], &query(r, 0), weights.data() + r * weights.dimension(1),
                  &context(r, 0));
    });
    GruCell<T>::fill_rows(as_matrix(input), cell.bias_ih);
    add_product(packed ? &packed->embedding : nullptr, embedding_weight(), as_matrix(embedding), as_matrix(input));
    add_product(packed ? &packed->context : nullptr, context_weight(), as_matrix(std::as_const(context)), as_matrix(input));
    const auto project = [&](MatrixView<const T> from, Index first, MatrixView<T> to) {
      const PackedWeight<T>* weight =
          !packed ? nullptr : first == 0 ? &packed->recurrence.gates : &packed->recurrence.candidate;
      add_product(weight, as_matrix(cell.weight_hh).row_block(first, to.cols), from, to);
    };
    cell.advance({.input = as_matrix(std::as_const(input)), .state = now, .next = as_matrix(state)},
                 thread_scratch<detail::GruStepScratch, T>(cell.scratch_size(rows)), project);
  }

  StepWeights pack_step() const {
    return {PackedWeight<T>(Transpose::yes, View<const T, 2>(attention.query.weight)),
            detail::packed<T>(Transpose::yes, context_weight()), detail::packed<T>(Transpose::yes, embedding_weight()),
            detail::PackedRecurrence<T>(cell, Transpose::yes)};
  }

 private:
  MatrixView<const T> context_weight() const { return as_matrix(cell.weight_ih).col_block(0, memory_dim()); }
  MatrixView<const T> embedding_weight() const {
    return as_matrix(cell.weight_ih).col_block(memory_dim(), embedding_dim());
  }

  /// Everything that is one product over all samples and steps.
  void add_weight_gradients(const detail::BahdanauBackward<T>& pass, const SourceRead<T>& result, const Cache& cache,
                            BahdanauDecoder& grad, ExecutorRef executor) const {
    const MatrixView<T> d_weight = as_matrix(grad.cell.weight_ih);
    matmul<T>(Transpose::yes, pass.d_input_rows(), Transpose::no, as_matrix(result.context),
              d_weight.col_block(0, memory_dim()), Accumulate::yes, executor);
    matmul<T>(Transpose::yes, pass.d_input_rows(), Transpose::no, as_matrix(cache.embedding),
              d_weight.col_block(memory_dim(), embedding_dim()), Accumulate::yes, executor);
    detail::gru_recurrent_gradients<T>(as_matrix(cache.trace.previous), as_matrix(cache.trace.operand), pass.d_input_rows(),
                                       pass.d_recurrent_rows(), grad.cell, executor);
    matmul<T>(Transpose::yes, pass.d_query_rows(), Transpose::no, as_matrix(cache.trace.previous),
              as_matrix(grad.attention.query.weight), Accumulate::yes, executor);
    if (grad.attention.query.bias.size() > 0) {
      add_rows<T>(pass.d_query_rows(), grad.attention.query.bias.data(), executor);
    }
  }

  void check_memory(const char* function, const RecurrentMemory<T>& memory) const {
    check_shape(function, "memory.values", extents(memory.values), Extents<3>{-1, -1, memory_dim()});
    check_shape(function, "memory.keys", extents(memory.keys),
                Extents<3>{memory.values.dimension(0), memory.values.dimension(1), attention.units()});
  }
  void check_call(const char* function, const Extents<3>& embedding, const RecurrentMemory<T>& memory,
                  const Extents<2>& state) const {
    check_memory(function, memory);
    check_shape(function, "embedding", embedding, Extents<3>{memory.values.dimension(0), -1, embedding_dim()});
    check_shape(function, "state", state, Extents<2>{embedding[0], hidden_dim()});
  }
  void check_step(const RecurrentMemory<T>& memory, std::span<const Index> sources, const Tensor<T, 2>& embedding,
                  const Tensor<T, 2>& state, const Tensor<T, 2>& context, const Tensor<T, 2>& weights) const {
    const char* const function = "BahdanauDecoder::step";
    const Index rows = embedding.dimension(0), samples = memory.values.dimension(0);
    check_memory(function, memory);
    check_extent(function, "sources", "size", static_cast<Index>(sources.size()), rows);
    for (std::size_t r = 0; r < sources.size(); ++r) {
      check(sources[r] >= 0 && sources[r] < samples, [&] {
        return std::string(function) + ": sources[" + std::to_string(r) + "] is " + std::to_string(sources[r]) +
               ", wanted 0 to " + std::to_string(samples - 1);
      });
    }
    check_shape(function, "embedding", extents(embedding), Extents<2>{rows, embedding_dim()});
    check_shape(function, "state", extents(state), Extents<2>{rows, hidden_dim()});
    check_shape(function, "context", extents(context), Extents<2>{rows, memory_dim()});
    check_shape(function, "weights", extents(weights), Extents<2>{rows, memory.values.dimension(1)});
  }
};

}  // namespace heed::inline HEED_ABI
