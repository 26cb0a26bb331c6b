#pragma once
// The recurrent decoder of Luong, Pham and Manning (2015, section 3): the GRU reads the target alone, so it runs over all steps
// first; then every state asks the source by multiplicative attention. Read out by tanh(W [state; context]) (nn/readout.hpp).
// Their input feeding is not offered: it would make the recurrence wait for the attention.

#include <span>
#include <utility>
#include <vector>

#include <heed/attention/luong.hpp>
#include <heed/nn/bahdanau_decoder_block.hpp>

namespace heed::inline HEED_ABI {

/// Takes and gives what BahdanauDecoder does; its `hidden` is the state behind the step whose token it predicts.
template <class T>
struct LuongDecoder {
  struct Config {
    Index embedding_dim = 0, hidden_dim = 0, memory_dim = 0;
    LuongScore score = LuongScore::general;
    Index attention_units = 0;  // of LuongScore::concat
    GruReset reset = GruReset::after;
  };
  struct Cache {
    GruTrace<T> run;
    typename LuongAttention<T>::Cache attention;
  };
  struct Gradients {
    Tensor<T, 3> embedding;      // (batch, steps, embedding_dim)
    Tensor<T, 3> values;         // (batch, source_length, memory_dim)
    Tensor<T, 2> initial_state;  // (batch, hidden)
  };

  LuongAttention<T> attention;
  GruCell<T> cell;  // reads the embedding

  static void fields(auto&& visit, auto&... self) {
    visit("attention", self.attention...);
    visit("cell", self.cell...);
  }

  LuongDecoder() = default;
  LuongDecoder(const Config& config, Rng& rng)
      : attention({.score = config.score,
                   .query_dim = config.hidden_dim,
                   .key_dim = config.memory_dim,
                   .units = config.attention_units},
                  rng),
        cell({.input_dim = config.embedding_dim, .hidden_dim = config.hidden_dim, .reset = config.reset}, rng) {}

  Index hidden_dim() const { return cell.hidden_dim(); }
  Index embedding_dim() const { return cell.input_dim(); }

  /// The encoder's outputs values (batch, source_length, memory_dim) and their projection, computed once per source.
  RecurrentMemory<T> remember(Tensor<T, 3> values, std::span<const Index> lengths,
                              ExecutorRef executor = default_executor()) const {
    check_lengths("LuongDecoder::remember", "lengths", lengths, values.dimension(0), values.dimension(1));
    Tensor<T, 3> keys = attention.project(values, executor);
    return {std::move(values), std::move(keys), {lengths.begin(), lengths.end()}};
  }

  /// embedding (batch, steps, embedding_dim), state (batch, hidden) -> all steps, teacher-forced. cache null: inference.
  SourceRead<T> forward(const Tensor<T, 3>& embedding, const RecurrentMemory<T>& memory, const Tensor<T, 2>& state,
                        Cache* cache = nullptr, ExecutorRef executor = default_executor()) const {
    const Index batch = memory.values.dimension(0), steps = embedding.dimension(1);
    check_shape("LuongDecoder::forward", "embedding", extents(embedding), Extents<3>{batch, -1, embedding_dim()});
    check_shape("LuongDecoder::forward", "state", extents(state), Extents<2>{batch, hidden_dim()});
    Tensor<T, 3> hidden(batch, steps, hidden_dim());
    Tensor<T, 2> last(batch, hidden_dim());
    gru_forward<T>(cell, {.x = embedding, .initial = state}, hidden, last, cache ? &cache->run : nullptr, executor);
    auto read = attention.forward(hidden, memory.keys, memory.values, mask(memory), cache ? &cache->attention : nullptr,
                                  executor);
    return {std::move(hidden), std::move(read.context), std::move(read.weights)};
  }

  /// d_hidden and d_context (null: zeros) of the forward's results -> the inputs' gradients; adds to grad.
  Gradients backward(const Tensor<T, 3>& d_hidden, const Tensor<T, 3>* d_context, const RecurrentMemory<T>& memory,
                     const SourceRead<T>& result, const Cache& cache, LuongDecoder& grad,
                     ExecutorRef executor = default_executor()) const {
    check_shape("LuongDecoder::backward", "d_hidden", extents(d_hidden), extents(result.hidden));
    MemoryGradient<T> d_memory = zero_memory_gradient(memory.keys, memory.values);
    Tensor<T, 3> d_state = d_hidden;
    if (d_context) {
      d_state += attention.backward(*d_context, cache.attention, memory.keys, memory.values, mask(memory), grad.attention,
                                    d_memory, {}, executor);
    }
    Gradients d{Tensor<T, 3>(extents(cache.run.x)), attention.project_backward(memory.values, d_memory, grad.attention, executor),
                Tensor<T, 2>(d_hidden.dimension(0), hidden_dim())};
    d.values += d_memory.values;
    gru_backward<T>(cell, cache.run, d_state, {}, d.embedding, Accumulate::no, d.initial_state, grad.cell, executor);
    return d;
  }

  /// One step of inference for rows of any source, as BahdanauDecoder::step.
  void step(const RecurrentMemory<T>& memory, std::span<const Index> sources, const Tensor<T, 2>& embedding,
            Tensor<T, 2>& state, Tensor<T, 2>& context, Tensor<T, 2>& weights,
            ExecutorRef executor = default_executor()) const {
    const Index rows = embedding.dimension(0), length = memory.values.dimension(1), width = memory.values.dimension(2);
    check_extent("LuongDecoder::step", "sources", "size", static_cast<Index>(sources.size()), rows);
    Workspace workspace(cell.step_bytes(rows));
    cell.step_into(as_matrix(state), as_matrix(embedding), as_matrix(std::as_const(state)), workspace);
    for_each_task(executor, rows, [&](Index r, Index) {
      const Index source = sources[static_cast<std::size_t>(r)], keys = memory.keys.dimension(2), visible[] = {memory.length(source)};
      Serial serial;
      Workspace scratch(attention.workspace_bytes(1));
      attention.forward_into({View<T, 3>(context.data() + r * width, {1, 1, width}),
                              View<T, 3>(weights.data() + r * length, {1, 1, length})},
                             View<const T, 3>(state.data() + r * hidden_dim(), {1, 1, hidden_dim()}),
                             View<const T, 3>(memory.keys.data() + source * length * keys, {1, length, keys}),
                             View<const T, 3>(memory.values.data() + source * length * width, {1, length, width}),
                             key_lengths(std::span<const Index>(visible)), scratch, serial);
    });
  }

 private:
  static Mask mask(const RecurrentMemory<T>& memory) {
    return memory.lengths.empty() ? Mask{} : key_lengths(std::span<const Index>(memory.lengths));
  }
};

}  // namespace heed::inline HEED_ABI
