#pragma once
// A translator of gated recurrent units: an encoder over the source, a decoder that attends to it at every step, and a linear
// layer over the target vocabulary (Bahdanau, Cho and Bengio 2015; Luong, Pham and Manning 2015).
//
//   auto loss = model.loss(batch, {.rng = &rng}, &cache);  model.backward(cache, grad);  optimizer.step(model, grad);
//   auto encoded = model.encode(source, lengths);  GruSeq2SeqDecoder decoder(model, encoded);  greedy(decoder);

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <heed/core/token_batch.hpp>
#include <heed/models/seq2seq_output.hpp>
#include <heed/nn/bahdanau_decoder.hpp>
#include <heed/nn/embedding.hpp>
#include <heed/nn/gru.hpp>

namespace heed::inline HEED_ABI {

/// The decoder's first state: the encoder's last one as it is, or tanh(W state) of both directions' (Bahdanau et al. 2015).
enum class Bridge { copy, dense_tanh };

/// Which tables share one tensor: none; the target embedding and the output layer's weight; these and the source embedding.
enum class TiedEmbeddings { none, target_output, all };

template <class T>
struct GruSeq2Seq {
  struct Config {
    Index source_vocab = 0, target_vocab = 0;
    Index embedding_dim = 128;
    Index hidden_dim = 256;      // of the encoder, each direction
    Index decoder_dim = 0;       // of the decoder; 0: hidden_dim
    Index attention_units = 0;   // 0: decoder_dim
    Index readout_dim = 0;       // of a readout's tanh layer; 0: decoder_dim
    Index encoder_layers = 1;
    Directions encoder_directions = Directions::forward;
    Bridge bridge = Bridge::copy;
    ReadoutKind readout = ReadoutKind::state;
    TiedEmbeddings tied = TiedEmbeddings::none;
    GruReset reset = GruReset::after;
    double dropout = 0;  // on both embeddings and behind the readout, while training
    Index pad = 0;       // target positions with this id do not count; its embeddings start at zero and stay there
  };
  struct LossOptions {
    Rng* rng = nullptr;  // draws the dropout; null: evaluation
    double label_smoothing = 0;
    Smoothing smoothing = Smoothing::all_classes;
  };
  /// A source that the decoder can start from.
  struct Encoded {
    RecurrentMemory<T> memory;
    Tensor<T, 2> state;  // (batch, decoder_dim)
  };
  struct Cache {
    typename Embedding<T>::Cache source_ids, target_ids;
    typename Dropout<T>::Cache source_dropout, target_dropout;
    typename Gru<T>::Cache encoder;
    Tensor<T, 2> bridge_input, bridge_output;
    Encoded encoded;
    Tensor<T, 3> target_embedding;
    typename BahdanauDecoder<T>::Cache decoder;
    RecurrentRead<T> read;
    typename Seq2SeqOutput<T>::Cache output;
  };

  Config config;
  Embedding<T> source_embedding;  // empty where all tables are one
  Embedding<T> target_embedding;
  Gru<T> encoder;
  std::optional<Dense<T>> bridge;
  BahdanauDecoder<T> decoder;
  Seq2SeqOutput<T> output;
  Dropout<T> dropout;

  static void fields(auto&& visit, auto&... self) {
    visit("source_embedding", self.source_embedding...);
    visit("target_embedding", self.target_embedding...);
    visit("encoder", self.encoder...);
    visit("bridge", self.bridge...);
    visit("decoder", self.decoder...);
    visit("output", self.output...);
  }

  GruSeq2Seq() = default;
  /// Every part starts as its own header says. Throws heed::Error for a configuration that does not fit together.
  GruSeq2Seq(const Config& wanted, Rng& rng) : config(resolved(wanted)), dropout(wanted.dropout) {
    const Index memory_dim = config.hidden_dim * (config.encoder_directions == Directions::both ? 2 : 1);
    if (config.tied != TiedEmbeddings::all) {
      source_embedding = Embedding<T>({config.source_vocab, config.embedding_dim, config.pad}, rng);
    }
    target_embedding = Embedding<T>({config.target_vocab, config.embedding_dim, config.pad}, rng);
    encoder = Gru<T>({.input_dim = config.embedding_dim,
                      .hidden_dim = config.hidden_dim,
                      .layers = config.encoder_layers,
                      .directions = config.encoder_directions,
                      .reset = config.reset},
                     rng);
    if (config.bridge == Bridge::dense_tanh) {
      bridge.emplace(typename Dense<T>::Config{.in_features = memory_dim, .out_features = config.decoder_dim}, rng);
    }
    decoder = BahdanauDecoder<T>({.embedding_dim = config.embedding_dim,
                                  .hidden_dim = config.decoder_dim,
                                  .memory_dim = memory_dim,
                                  .attention_units = config.attention_units,
                                  .reset = config.reset},
                                 rng);
    output = Seq2SeqOutput<T>({.kind = config.readout,
                               .hidden_dim = config.decoder_dim,
                               .memory_dim = memory_dim,
                               .embedding_dim = config.embedding_dim,
                               .output_dim = config.readout_dim,
                               .dropout = config.dropout},
                              config.target_vocab,
                              config.tied == TiedEmbeddings::none ? OutputWeight::own : OutputWeight::tied, rng);
  }

  /// source (batch, source_length) token ids, lengths (batch) from 1 to source_length -> what the decoder reads, computed once.
  Encoded encode(const Tensor<Index, 2>& source, std::span<const Index> lengths,
                 ExecutorRef executor = default_executor()) const {
    return encode_with(source, lengths, {}, nullptr, executor);
  }

  /// Mean cross-entropy per counted target token (pad positions do not count), teacher-forced. cache null: no backward will
  /// follow. Throws heed::Error for ids outside a vocabulary and shapes or lengths that do not fit.
  CrossEntropyLoss<T> loss(const TokenBatch& batch, const LossOptions& options = {}, Cache* cache = nullptr,
                        ExecutorRef executor = default_executor()) const {
    Cache unkept;
    Cache& c = cache ? *cache : unkept;
    const Tensor<T, 3> hidden_inputs = read_target(batch, options, c, executor);
    const Tensor<T, 2>* tied = config.tied == TiedEmbeddings::none ? nullptr : &target_embedding.weight;
    return output.loss(c.read, hidden_inputs, batch.target_output, config.pad, {options.label_smoothing, options.smoothing},
                       tied, options.rng, cache ? &c.output : nullptr, executor);
  }
  CrossEntropyLoss<T> loss(const TokenBatch& batch, Cache* cache) const { return loss(batch, {}, cache); }

  /// Logits (batch, steps, target_vocab) of every position and attention weights (batch, steps, source_length), teacher-forced,
  /// without dropout: for scoring, for looking at the attention, and for comparing with other frameworks.
  struct Scores {
    Tensor<T, 3> logits, weights;
    Encoded encoded;
  };
  Scores score(const TokenBatch& batch, ExecutorRef executor = default_executor()) const {
    Cache c;
    const Tensor<T, 3> inputs = read_target(batch, {}, c, executor);
    const Tensor<T, 2>* tied = config.tied == TiedEmbeddings::none ? nullptr : &target_embedding.weight;
    return {output.logits(c.read, inputs, tied, executor), std::move(c.read.weights), std::move(c.encoded)};
  }

  /// Adds to grad the gradient of the mean loss that `cache` is of.
  void backward(const Cache& c, GruSeq2Seq& grad, ExecutorRef executor = default_executor()) const {
    const bool is_tied = config.tied != TiedEmbeddings::none;
    auto d = output.backward(c.read, c.output, is_tied ? &target_embedding.weight : nullptr, grad.output,
                             is_tied ? &grad.target_embedding.weight : nullptr, executor);
    auto d_read = decoder.backward(d.hidden, d.context.size() > 0 ? &d.context : nullptr, c.encoded.memory, c.read, c.decoder,
                                   grad.decoder, executor);
    if (d.embedding.size() > 0) d_read.embedding += d.embedding;
    target_embedding.backward(dropout.backward(d_read.embedding, c.target_dropout), c.target_ids, grad.target_embedding,
                              executor);
    const Tensor<T, 3> d_state = bridge_backward(d_read.initial_state, c, grad, executor);
    const auto d_source = encoder.backward(d_read.values, &d_state, c.encoder, grad.encoder, executor);
    source_table(*this).backward(dropout.backward(d_source.x, c.source_dropout), c.source_ids, source_table(grad), executor);
  }

 private:
  static Config resolved(Config config) {
    if (config.decoder_dim == 0) config.decoder_dim = config.hidden_dim;
    if (config.attention_units == 0) config.attention_units = config.decoder_dim;
    if (config.readout_dim == 0) config.readout_dim = config.decoder_dim;
    const Index memory_dim = config.hidden_dim * (config.encoder_directions == Directions::both ? 2 : 1);
    const Index output_dim = config.readout == ReadoutKind::state ? config.decoder_dim : config.readout_dim;
    if (config.bridge == Bridge::copy) {
      check_extent("GruSeq2Seq", "a bridge that copies", "decoder_dim", config.decoder_dim, memory_dim);
    }
    if (config.tied != TiedEmbeddings::none) {
      check_extent("GruSeq2Seq", "a tied output layer", "embedding_dim", config.embedding_dim, output_dim);
    }
    if (config.tied == TiedEmbeddings::all) {
      check_extent("GruSeq2Seq", "one table for all", "source_vocab", config.source_vocab, config.target_vocab);
    }
    return config;
  }

  template <class Model>
  static auto& source_table(Model& model) {
    return model.config.tied == TiedEmbeddings::all ? model.target_embedding : model.source_embedding;
  }

  Encoded encode_with(const Tensor<Index, 2>& source, std::span<const Index> lengths, const LossOptions& options, Cache* c,
                      ExecutorRef executor) const {
    check_extent("GruSeq2Seq::encode", "lengths", "size", static_cast<Index>(lengths.size()), source.dimension(0));
    const Tensor<T, 3> embedded =
        dropout.forward(source_table(*this).forward(source, c ? &c->source_ids : nullptr), options.rng,
                        c ? &c->source_dropout : nullptr, SequenceAxes::batch_step, executor);
    auto encoded = encoder.forward(embedded, {.lengths = lengths}, c ? &c->encoder : nullptr, executor);
    Tensor<T, 2> state = bridge_forward(encoded.state, c, executor);
    return {decoder.remember(std::move(encoded.output), lengths, executor), std::move(state)};
  }

  /// Runs encoder and decoder over a batch; leaves everything in c and returns the (dropped) target embeddings.
  Tensor<T, 3> read_target(const TokenBatch& batch, const LossOptions& options, Cache& c, ExecutorRef executor) const {
    const Extents<2> target = extents(batch.target_input);
    check_shape("GruSeq2Seq", "target_input", target, Extents<2>{batch.source.dimension(0), -1});
    check_shape("GruSeq2Seq", "target_output", extents(batch.target_output), target);
    c.encoded = encode_with(batch.source, batch.source_lengths, options, &c, executor);
    Tensor<T, 3> embedded = dropout.forward(target_embedding.forward(batch.target_input, &c.target_ids), options.rng,
                                            &c.target_dropout, SequenceAxes::batch_step, executor);
    c.read = decoder.forward(embedded, c.encoded.memory, c.encoded.state, &c.decoder, executor);
    return embedded;
  }

  /// The last layer's states (directions, batch, hidden) -> the decoder's first state (batch, decoder_dim).
  Tensor<T, 2> bridge_forward(const Tensor<T, 3>& states, Cache* c, ExecutorRef executor) const {
    const Index batch = states.dimension(1), hidden = config.hidden_dim, directions = encoder.directions();
    Tensor<T, 2> joined(batch, directions * hidden);
    for (Index d = 0; d < directions; ++d) {
      const T* const state = states.data() + (states.dimension(0) - directions + d) * batch * hidden;
      for (Index b = 0; b < batch; ++b) std::copy_n(state + b * hidden, hidden, &joined(b, d * hidden));
    }
    if (!bridge) return joined;
    Tensor<T, 2> state(batch, config.decoder_dim);
    bridge->forward_into(as_matrix(std::as_const(joined)), as_matrix(state), executor);
    activation_row<T>(Activation::tanh, state.data(), state.data(), state.size());
    if (c) c->bridge_input = std::move(joined), c->bridge_output = state;
    return state;
  }
  /// The way back: d_state (batch, decoder_dim) -> (layers * directions, batch, hidden), zero but for the last layer.
  Tensor<T, 3> bridge_backward(Tensor<T, 2>& d_state, const Cache& c, GruSeq2Seq& grad, ExecutorRef executor) const {
    const Index batch = d_state.dimension(0), hidden = config.hidden_dim, directions = encoder.directions();
    const Index runs = config.encoder_layers * directions;
    Tensor<T, 2> d_joined(batch, directions * hidden);
    if (bridge) {
      for (Index i = 0; i < d_state.size(); ++i) {
        const T t = c.bridge_output.data()[i];
        d_state.data()[i] *= fnma(t, t, T(1));
      }
      bridge->backward_into(as_matrix(std::as_const(d_state)), as_matrix(c.bridge_input), *grad.bridge, as_matrix(d_joined),
                            executor);
    } else {
      d_joined = d_state;
    }
    Tensor<T, 3> d_states = zeros<T, 3>({runs, batch, hidden});
    for (Index d = 0; d < directions; ++d) {
      T* const state = d_states.data() + (runs - directions + d) * batch * hidden;
      for (Index b = 0; b < batch; ++b) std::copy_n(&d_joined(b, d * hidden), hidden, state + b * hidden);
    }
    return d_states;
  }
};

}  // namespace heed::inline HEED_ABI
