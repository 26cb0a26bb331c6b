#pragma once
// A translator of Transformer layers: an encoder over the source, a decoder that attends to itself and to the encoder's
// output, and a linear layer over the target vocabulary.
//   A. Vaswani et al., "Attention Is All You Need", 2017.
//
//   auto loss = model.loss(batch, {.rng = &rng}, &cache);  model.backward(cache, grad);  optimizer.step(model, grad);
//   auto encoded = model.encode(source, lengths);  TransformerTokenDecoder decoder(model, encoded);  greedy(decoder);

#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <heed/core/token_batch.hpp>
#include <heed/models/seq2seq_output.hpp>
#include <heed/models/token_positions.hpp>
#include <heed/models/transformer_decoder.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct Transformer {
  struct Config {
    Index source_vocab = 0, target_vocab = 0;
    TransformerLayerConfig layer = {};  // layer.dropout is also that of the embeddings
    Index encoder_layers = 6, decoder_layers = 6;
    Positions positions = Positions::sinusoidal;  // of both sides, each with its own parameters
    PositionOptions position_options = {};
    Index max_length = 512;                       // of both sides
    std::optional<FinalNorm> final_norm = {};     // of both stacks; absent: where layers normalise first
    TiedEmbeddings tied = TiedEmbeddings::none;
    Index pad = 0;  // target positions with this id do not count; its embeddings start at zero and stay there
  };
  using LossOptions = Seq2SeqLossOptions;
  /// A source that the decoder can read.
  struct Encoded {
    Tensor<T, 3> memory;         // (batch, source_length, model_dim)
    std::vector<Index> lengths;  // (batch)
  };
  struct Cache {
    typename Embedding<T>::Cache source_ids, target_ids;
    typename Dropout<T>::Cache source_dropout, target_dropout;
    typename TransformerEncoder<T>::Cache encoder;
    typename TransformerDecoder<T>::Cache decoder;
    Encoded encoded;
    SourceRead<T> read;  // .hidden alone
    typename Seq2SeqOutput<T>::Cache output;
  };

  Config config;
  Embedding<T> source_embedding;  // empty where all tables are one
  Embedding<T> target_embedding;
  TokenPositions<T> source_positions, target_positions;
  TransformerEncoder<T> encoder;
  TransformerDecoder<T> decoder;
  Seq2SeqOutput<T> output;
  Dropout<T> dropout;

  static void fields(auto&& visit, auto&... self) {
    visit("source_embedding", self.source_embedding...);
    visit("target_embedding", self.target_embedding...);
    visit("source_positions", self.source_positions...);
    visit("target_positions", self.target_positions...);
    visit("encoder", self.encoder...);
    visit("decoder", self.decoder...);
    visit("output", self.output...);
  }

  Transformer() = default;
  /// Embeddings normal with deviation 1 / sqrt(model_dim); every other part as its own header says. Throws heed::Error for
  /// a configuration that does not fit together.
  Transformer(const Config& wanted, Rng& rng) : config(wanted), dropout(wanted.layer.dropout) {
    const Index width = config.layer.model_dim;
    if (config.tied == TiedEmbeddings::all)
      check_extent("Transformer", "one table for all", "source_vocab", config.source_vocab, config.target_vocab);
    else
      source_embedding = table(config.source_vocab, rng);
    target_embedding = table(config.target_vocab, rng);
    // what is added to embeddings is added before their dropout: here; what attention is told are its stack's
    const bool added = config.positions == Positions::sinusoidal || config.positions == Positions::learned;
    const typename TokenPositions<T>::Config rows{added ? config.positions : Positions::none, config.max_length, width};
    source_positions = TokenPositions<T>(rows, rng);
    target_positions = TokenPositions<T>(rows, rng);
    encoder = TransformerEncoder<T>(stack(config.encoder_layers), rng);
    decoder = TransformerDecoder<T>(stack(config.decoder_layers), rng);
    output = Seq2SeqOutput<T>({.kind = ReadoutKind::state, .hidden_dim = width, .output_dim = width}, config.target_vocab,
                              config.tied == TiedEmbeddings::none ? OutputWeight::own : OutputWeight::tied, rng);
  }

  /// source (batch, source_length) token ids, lengths (batch) from 1 to source_length -> what the decoder reads.
  Encoded encode(const Tensor<Index, 2>& source, std::span<const Index> lengths,
                 ExecutorRef executor = default_executor()) const {
    return encode_with(source, lengths, nullptr, nullptr, executor);
  }

  /// Mean cross-entropy per counted target token (pad positions do not count), teacher-forced. cache null: no backward will
  /// follow. Throws heed::Error for ids outside a vocabulary and shapes or lengths that do not fit.
  CrossEntropyLoss<T> loss(const TokenBatch& batch, const LossOptions& options = {}, Cache* cache = nullptr,
                           ExecutorRef executor = default_executor()) const {
    Cache unkept;
    Cache& c = cache ? *cache : unkept;
    read_target(batch, options.rng, c, cache != nullptr, nullptr, executor);
    return output.loss(c.read, Tensor<T, 3>(), batch.target_output, config.pad, options, tied_weight(*this),
                       cache ? &c.output : nullptr, executor);
  }
  CrossEntropyLoss<T> loss(const TokenBatch& batch, Cache* cache) const { return loss(batch, {}, cache); }

  /// Logits (batch, steps, target_vocab) of every position, teacher-forced, without dropout, and the decoder's attention to
  /// the source: (batch, heads, steps, source_length) per layer.
  struct Scores {
    Tensor<T, 3> logits;
    std::vector<Tensor<T, 4>> weights;
    Encoded encoded;
  };
  Scores score(const TokenBatch& batch, ExecutorRef executor = default_executor()) const {
    Cache c;
    Scores scores;
    read_target(batch, nullptr, c, false, &scores.weights, executor);
    scores.logits = output.logits(c.read, Tensor<T, 3>(), tied_weight(*this), executor);
    scores.encoded = std::move(c.encoded);
    return scores;
  }

  /// Adds to grad the gradient of the mean loss that `cache` is of.
  void backward(const Cache& c, Transformer& grad, ExecutorRef executor = default_executor()) const {
    auto d = output.backward(c.read, c.output, tied_weight(*this), grad.output, tied_weight(grad), executor);
    auto below = decoder.backward(std::move(d.hidden), c.encoded.memory, c.decoder,
                                  {.self = target_options(nullptr), .memory = source_mask(c.encoded)}, grad.decoder, executor);
    const auto finish = [&](Tensor<T, 3>&& d_x, const auto& drawn, const auto& ids, const auto& positions, auto& d_positions,
                            const Embedding<T>& from, Embedding<T>& d_table) {
      if (drawn.size >= 0) d_x = dropout.backward(d_x, drawn);
      positions.backward(d_x, d_positions);
      scale_row(d_x.data(), d_x.size(), embedding_scale());
      from.backward(d_x, ids, d_table, executor);
    };
    finish(std::move(below.x), c.target_dropout, c.target_ids, target_positions, grad.target_positions, target_embedding,
           grad.target_embedding);
    finish(encoder.backward(std::move(below.memory), c.encoder, source_options(c.encoded, nullptr), grad.encoder, executor),
           c.source_dropout, c.source_ids, source_positions, grad.source_positions, source_table(*this), source_table(grad));
  }

  /// The newest tokens (batch, steps) of rows that are `first` tokens long -> the decoder's first input.
  Tensor<T, 3> embed_target(const Tensor<Index, 2>& ids, Index first, ExecutorRef executor) const {
    target_positions.check_length("Transformer", "the target", first + ids.dimension(1));
    Tensor<T, 3> x = target_embedding.forward(ids);
    target_positions.add_to(x, embedding_scale(), first, executor);
    return x;
  }
  /// The decoder's self-attention's options.
  MultiHeadOptions<T> target_options(Rng* rng) const { return {.mask = causal(Corner::bottom_right), .rng = rng}; }
  /// Keys of the memory behind a source's length are masked.
  MultiHeadOptions<T> source_mask(const Encoded& encoded) const { return {.mask = key_lengths(encoded.lengths)}; }

  /// (target_vocab, model_dim): the output layer's own weight or the target embedding's.
  const Tensor<T, 2>& output_weight() const {
    return config.tied == TiedEmbeddings::none ? output.weight : target_embedding.weight;
  }
  /// The target embedding's weight where the output layer reads with it, else null.
  template <class Model>
  static auto* tied_weight(Model& model) {
    return model.config.tied == TiedEmbeddings::none ? nullptr : &model.target_embedding.weight;
  }

 private:
  Embedding<T> table(Index vocab, Rng& rng) const {
    Embedding<T> made({vocab, config.layer.model_dim, config.pad}, rng);
    scale_row(made.weight.data(), made.weight.size(), T(1) / embedding_scale());
    return made;
  }
  T embedding_scale() const { return static_cast<T>(std::sqrt(static_cast<double>(config.layer.model_dim))); }
  template <class Model>
  static auto& source_table(Model& model) {
    return model.config.tied == TiedEmbeddings::all ? model.target_embedding : model.source_embedding;
  }
  TransformerStackConfig stack(Index layers) const {
    const bool first = config.layer.norm_place == NormPlace::before;
    TransformerStackConfig made{.layer = config.layer, .layers = layers};
    made.final_norm = config.final_norm.value_or(first ? FinalNorm::yes : FinalNorm::no);
    made.max_length = config.max_length;
    made.position_options = config.position_options;
    if (source_positions.kind == Positions::none) made.positions = config.positions;
    return made;
  }
  MultiHeadOptions<T> source_options(const Encoded& encoded, Rng* rng) const {
    return {.mask = key_lengths(encoded.lengths), .rng = rng};
  }

  Encoded encode_with(const Tensor<Index, 2>& source, std::span<const Index> lengths, Rng* rng, Cache* c,
                      ExecutorRef executor) const {
    check_extent("Transformer::encode", "lengths", "size", static_cast<Index>(lengths.size()), source.dimension(0));
    source_positions.check_length("Transformer", "the source", source.dimension(1));
    Encoded encoded{{}, {lengths.begin(), lengths.end()}};
    Tensor<T, 3> x = source_table(*this).forward(source, c ? &c->source_ids : nullptr);
    source_positions.add_to(x, embedding_scale(), 0, executor);
    if (rng) x = dropout.forward(x, rng, c ? &c->source_dropout : nullptr, SequenceAxes::batch_step, executor);
    encoded.memory = encoder.forward(x, source_options(encoded, rng), c ? &c->encoder : nullptr, executor);
    return encoded;
  }

  /// Runs encoder and decoder over a batch; leaves everything in c, what only a backward needs if there will be one.
  void read_target(const TokenBatch& batch, Rng* rng, Cache& c, bool keep, std::vector<Tensor<T, 4>>* weights,
                   ExecutorRef executor) const {
    const Extents<2> target = extents(batch.target_input);
    check_shape("Transformer", "target_input", target, Extents<2>{batch.source.dimension(0), -1});
    check_shape("Transformer", "target_output", extents(batch.target_output), target);
    c.source_dropout = c.target_dropout = {};
    c.encoded = encode_with(batch.source, batch.source_lengths, rng, keep ? &c : nullptr, executor);
    Tensor<T, 3> x = embed_target(batch.target_input, 0, executor);
    if (keep) c.target_ids.ids.assign(flat(batch.target_input).begin(), flat(batch.target_input).end());
    if (rng) x = dropout.forward(x, rng, &c.target_dropout, SequenceAxes::batch_step, executor);
    typename TransformerDecoder<T>::Options options{.self = target_options(rng), .memory = source_mask(c.encoded)};
    options.memory.collect_weights = weights;
    c.read.hidden = decoder.forward(x, c.encoded.memory, options, keep ? &c.decoder : nullptr, executor);
  }
};

}  // namespace heed::inline HEED_ABI
