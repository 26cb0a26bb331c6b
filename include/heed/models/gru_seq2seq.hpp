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
#include <heed/models/gru_bridge.hpp>
#include <heed/models/seq2seq_output.hpp>
#include <heed/nn/bahdanau_decoder.hpp>
#include <heed/nn/embedding.hpp>
#include <heed/nn/gru.hpp>
#include <heed/nn/luong_decoder.hpp>

namespace heed::inline HEED_ABI {

/// How the decoder attends: additively, before its GRU reads the answer (Bahdanau), or multiplicatively behind it (Luong).
enum class DecoderAttention { bahdanau, luong_dot, luong_general, luong_concat };

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
    BridgeKind bridge = BridgeKind::copy;
    DecoderAttention attention = DecoderAttention::bahdanau;
    ReadoutKind readout = ReadoutKind::state;  // Luong's attention needs one that reads the context
    TiedEmbeddings tied = TiedEmbeddings::none;
    GruReset reset = GruReset::after;
    double dropout = 0;  // on both embeddings and behind the readout, while training
    Index pad = 0;       // target positions with this id do not count; its embeddings start at zero and stay there
  };
  using LossOptions = Seq2SeqLossOptions;
  /// A source that the decoder can start from.
  struct Encoded {
    RecurrentMemory<T> memory;
    Tensor<T, 2> state;  // (batch, decoder_dim)
  };
  struct Cache {
    typename Embedding<T>::Cache source_ids, target_ids;
    typename Dropout<T>::Cache source_dropout, target_dropout;
    typename Gru<T>::Cache encoder;
    typename GruBridge<T>::Cache bridge;
    Encoded encoded;
    Tensor<T, 3> target_embedding;
    typename BahdanauDecoder<T>::Cache bahdanau;
    typename LuongDecoder<T>::Cache luong;
    SourceRead<T> read;
    typename Seq2SeqOutput<T>::Cache output;
  };

  Config config;
  Embedding<T> source_embedding;  // empty where all tables are one
  Embedding<T> target_embedding;
  Gru<T> encoder;
  GruBridge<T> bridge;
  std::optional<BahdanauDecoder<T>> bahdanau;  // one of these two is the decoder
  std::optional<LuongDecoder<T>> luong;
  Seq2SeqOutput<T> output;
  Dropout<T> dropout;

  static void fields(auto&& visit, auto&... self) {
    visit("source_embedding", self.source_embedding...);
    visit("target_embedding", self.target_embedding...);
    visit("encoder", self.encoder...);
    visit("bridge", self.bridge...);
    visit("decoder", self.bahdanau...);
    visit("decoder", self.luong...);
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
    bridge = GruBridge<T>(config.bridge, memory_dim, config.decoder_dim, rng);
    make_decoder(memory_dim, rng);
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
  /// packed: encoder.pack(), or null.
  Encoded encode(const Tensor<Index, 2>& source, std::span<const Index> lengths, ExecutorRef executor = default_executor(),
                 const typename Gru<T>::Packed* packed = nullptr) const {
    return encode_with(source, lengths, {}, nullptr, executor, packed);
  }

  /// Mean cross-entropy per counted target token (pad positions do not count), teacher-forced. cache null: no backward will
  /// follow. Throws heed::Error for ids outside a vocabulary and shapes or lengths that do not fit.
  CrossEntropyLoss<T> loss(const TokenBatch& batch, const LossOptions& options = {}, Cache* cache = nullptr,
                        ExecutorRef executor = default_executor()) const {
    Cache unkept;
    Cache& c = cache ? *cache : unkept;
    const Tensor<T, 3> hidden_inputs = read_target(batch, options, c, executor);
    const Tensor<T, 2>* tied = config.tied == TiedEmbeddings::none ? nullptr : &target_embedding.weight;
    return output.loss(c.read, hidden_inputs, batch.target_output, config.pad, options, tied, cache ? &c.output : nullptr,
                       executor);
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
    const Tensor<T, 3>* d_context = d.context.size() > 0 ? &d.context : nullptr;
    const auto finish = [&](auto d_read) {
      if (d.embedding.size() > 0) d_read.embedding += d.embedding;
      backward_below(d_read.embedding, d_read.values, d_read.initial_state, c, grad, executor);
    };
    if (bahdanau) {
      finish(bahdanau->backward(d.hidden, d_context, c.encoded.memory, c.read, c.bahdanau, *grad.bahdanau, executor));
    } else {
      finish(luong->backward(d.hidden, d_context, c.encoded.memory, c.read, c.luong, *grad.luong, executor));
    }
  }

  /// (target_vocab, output_dim): the output layer's own weight or the target embedding's.
  const Tensor<T, 2>& output_weight() const {
    return config.tied == TiedEmbeddings::none ? output.weight : target_embedding.weight;
  }

  /// Calls use(decoder) with the decoder that this model has.
  template <class Use>
  decltype(auto) with_decoder(Use&& use) const {
    return bahdanau ? use(*bahdanau) : use(*luong);
  }

 private:
  void make_decoder(Index memory_dim, Rng& rng) {
    if (config.attention == DecoderAttention::bahdanau) {
      bahdanau.emplace(typename BahdanauDecoder<T>::Config{.embedding_dim = config.embedding_dim,
                                                           .hidden_dim = config.decoder_dim,
                                                           .memory_dim = memory_dim,
                                                           .attention_units = config.attention_units,
                                                           .reset = config.reset},
                       rng);
      return;
    }
    const LuongScore score = config.attention == DecoderAttention::luong_dot       ? LuongScore::dot
                             : config.attention == DecoderAttention::luong_general ? LuongScore::general
                                                                                   : LuongScore::concat;
    luong.emplace(typename LuongDecoder<T>::Config{.embedding_dim = config.embedding_dim,
                                                   .hidden_dim = config.decoder_dim,
                                                   .memory_dim = memory_dim,
                                                   .score = score,
                                                   .attention_units = config.attention_units,
                                                   .reset = config.reset},
                  rng);
  }

  /// Embeddings, bridge and encoder, given the gradients that leave the decoder.
  void backward_below(const Tensor<T, 3>& d_target, const Tensor<T, 3>& d_values, Tensor<T, 2>& d_initial, const Cache& c,
                      GruSeq2Seq& grad, ExecutorRef executor) const {
    target_embedding.backward(dropout.backward(d_target, c.target_dropout), c.target_ids, grad.target_embedding, executor);
    const Tensor<T, 3> d_state =
        bridge.backward(d_initial, c.bridge, config.encoder_layers, encoder.directions(), grad.bridge, executor);
    const auto d_source = encoder.backward(d_values, &d_state, c.encoder, grad.encoder, executor);
    source_table(*this).backward(dropout.backward(d_source.x, c.source_dropout), c.source_ids, source_table(grad), executor);
  }

  static Config resolved(Config config) {
    if (config.decoder_dim == 0) config.decoder_dim = config.hidden_dim;
    if (config.attention_units == 0) config.attention_units = config.decoder_dim;
    if (config.readout_dim == 0) config.readout_dim = config.decoder_dim;
    const Index output_dim = config.readout == ReadoutKind::state ? config.decoder_dim : config.readout_dim;
    if (config.tied != TiedEmbeddings::none) {
      check_extent("GruSeq2Seq", "a tied output layer", "embedding_dim", config.embedding_dim, output_dim);
    }
    if (config.tied == TiedEmbeddings::all) {
      check_extent("GruSeq2Seq", "one table for all", "source_vocab", config.source_vocab, config.target_vocab);
    }
    check(config.attention == DecoderAttention::bahdanau || config.readout != ReadoutKind::state, [] {
      return std::string("GruSeq2Seq: Luong's attention has readout state, wanted attentional or deep: one that reads it");
    });
    return config;
  }

  template <class Model>
  static auto& source_table(Model& model) {
    return model.config.tied == TiedEmbeddings::all ? model.target_embedding : model.source_embedding;
  }

  Encoded encode_with(const Tensor<Index, 2>& source, std::span<const Index> lengths, const LossOptions& options, Cache* c,
                      ExecutorRef executor, const typename Gru<T>::Packed* packed = nullptr) const {
    check_extent("GruSeq2Seq::encode", "lengths", "size", static_cast<Index>(lengths.size()), source.dimension(0));
    const Tensor<T, 3> embedded =
        dropout.forward(source_table(*this).forward(source, c ? &c->source_ids : nullptr), options.rng,
                        c ? &c->source_dropout : nullptr, SequenceAxes::batch_step, executor);
    auto encoded = encoder.forward(embedded, {.lengths = lengths, .packed = packed}, c ? &c->encoder : nullptr, executor);
    Tensor<T, 2> state = bridge.forward(encoded.state, encoder.directions(), c ? &c->bridge : nullptr, executor);
    return {with_decoder([&](const auto& d) { return d.remember(std::move(encoded.output), lengths, executor); }),
            std::move(state)};
  }

  /// Runs encoder and decoder over a batch; leaves everything in c and returns the (dropped) target embeddings.
  Tensor<T, 3> read_target(const TokenBatch& batch, const LossOptions& options, Cache& c, ExecutorRef executor) const {
    const Extents<2> target = extents(batch.target_input);
    check_shape("GruSeq2Seq", "target_input", target, Extents<2>{batch.source.dimension(0), -1});
    check_shape("GruSeq2Seq", "target_output", extents(batch.target_output), target);
    c.encoded = encode_with(batch.source, batch.source_lengths, options, &c, executor);
    Tensor<T, 3> embedded = dropout.forward(target_embedding.forward(batch.target_input, &c.target_ids), options.rng,
                                            &c.target_dropout, SequenceAxes::batch_step, executor);
    c.read = bahdanau ? bahdanau->forward(embedded, c.encoded.memory, c.encoded.state, &c.bahdanau, executor)
                      : luong->forward(embedded, c.encoded.memory, c.encoded.state, &c.luong, executor);
    return embedded;
  }
};

}  // namespace heed::inline HEED_ABI
