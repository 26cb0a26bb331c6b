// seq2seq: the whole GRU translator of the seed: teacher forcing, loss, every gradient, greedy decoding.

#include <algorithm>

#include <heed/models/generate.hpp>
#include <heed/models/gru_seq2seq.hpp>
#include <heed/models/gru_seq2seq_decoder.hpp>

#include "keras_weights.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

template <class T>
heed::GruSeq2Seq<T> model_from_keras(const Case& golden) {
  const auto source = golden.given<T, 2>("encoder.embedding"), target = golden.given<T, 2>("decoder.embedding");
  heed::Rng rng;
  heed::GruSeq2Seq<T> model({.source_vocab = source.dimension(0),
                             .target_vocab = target.dimension(0),
                             .embedding_dim = source.dimension(1),
                             .hidden_dim = golden.option<Index>("hidden"),
                             .attention_units = golden.option<Index>("attention_units"),
                             .pad = golden.option<Index>("pad")},
                            rng);
  model.source_embedding.weight = source;
  model.target_embedding.weight = target;
  model.encoder.layers[0].forward = gru_cell_from_keras<T>(golden, "encoder.gru.", heed::GruReset::after);
  model.bahdanau->cell = gru_cell_from_keras<T>(golden, "decoder.gru.", heed::GruReset::after);
  model.bahdanau->attention = bahdanau_from_keras<T>(golden, "attention.");
  const heed::Dense<T> output = dense_from_keras<T>(golden, "fc.");
  model.output.weight = output.weight;
  model.output.bias = output.bias;
  return model;
}

Tensor<Index, 2> token_matrix(const Case& golden, const std::string& name) {
  const std::vector<Index> ids = given_indices(golden, name), shape = golden.given_shape(name);
  Tensor<Index, 2> matrix(shape.at(0), shape.at(1));
  std::copy(ids.begin(), ids.end(), matrix.data());
  return matrix;
}

/// Tokens before the first pad of each row.
std::vector<Index> lengths_of(const Tensor<Index, 2>& tokens, Index pad) {
  std::vector<Index> lengths;
  for (Index row = 0; row < tokens.dimension(0); ++row) {
    const Index* first = &tokens(row, 0);
    lengths.push_back(std::find(first, first + tokens.dimension(1), pad) - first);
  }
  return lengths;
}

Tensor<Index, 2> columns(const Tensor<Index, 2>& tokens, Index first) {
  return tokens.slice(Eigen::array<Index, 2>{0, first},
                      Eigen::array<Index, 2>{tokens.dimension(0), tokens.dimension(1) - 1});
}

heed::TokenBatch batch_of(const Case& golden) {
  const Index pad = golden.option<Index>("pad");
  const Tensor<Index, 2> target = token_matrix(golden, "tgt");
  heed::TokenBatch batch{token_matrix(golden, "src"), {}, columns(target, 0), columns(target, 1), {}};
  batch.source_lengths = lengths_of(batch.source, pad);
  batch.target_lengths = lengths_of(batch.target_output, pad);
  return batch;
}

/// The likeliest token at every step, going on behind the end token; heed::greedy, which stops there, must agree.
template <class T>
Tensor<Index, 2> greedy_tokens(const Case& golden, const heed::GruSeq2Seq<T>& model, const heed::TokenBatch& batch) {
  const Index steps = given_indices(golden, "greedy_steps").at(0), eos = golden.option<Index>("eos");
  const auto encoded = model.encode(batch.source, batch.source_lengths);
  heed::GruSeq2SeqDecoder<T> decoder(model, encoded), stopping(model, encoded);
  Tensor<Index, 2> tokens(batch.source.dimension(0), steps);
  std::vector<Index> last(static_cast<std::size_t>(tokens.dimension(0)), golden.option<Index>("bos"));
  for (Index step = 0; step < steps; ++step) {
    const auto logits = decoder.step(last);
    for (Index row = 0; row < logits.rows; ++row) {
      const T* scores = logits.row(row);
      last[static_cast<std::size_t>(row)] = tokens(row, step) = std::max_element(scores, scores + logits.cols) - scores;
    }
  }
  const auto found = heed::greedy(stopping, {.bos = golden.option<Index>("bos"), .eos = eos, .max_length = steps});
  for (std::size_t row = 0; row < found.size(); ++row) {
    for (std::size_t step = 0; step < found[row].tokens.size(); ++step) {
      if (found[row].tokens[step] != tokens(static_cast<Index>(row), static_cast<Index>(step))) {
        throw Mismatch("heed::greedy and the decoder's steps differ in row " + std::to_string(row));
      }
    }
  }
  return tokens;
}

template <class T>
void run_seq2seq(Case& golden) {
  const heed::GruSeq2Seq<T> model = model_from_keras<T>(golden);
  const heed::TokenBatch batch = batch_of(golden);
  const auto scores = model.score(batch);
  golden.answer("encoder_out", scores.encoded.memory.values);
  golden.answer("encoder_state", scores.encoded.state);
  golden.answer("logits", scores.logits);
  golden.answer("attention", scores.weights);
  golden.answer("greedy", greedy_tokens(golden, model, batch));

  typename heed::GruSeq2Seq<T>::Cache cache;
  golden.answer_number("loss", model.loss(batch, &cache).loss);
  heed::GruSeq2Seq<T> grad = heed::zeros_like(model);
  model.backward(cache, grad);
  const T upstream = golden.given<T, 0>("grad_loss")();
  heed::for_each_parameter([&](std::string_view, heed::Role, auto& tensor) { tensor = tensor * upstream; }, grad);
  golden.answer("grad.encoder.embedding", grad.source_embedding.weight);
  golden.answer("grad.decoder.embedding", grad.target_embedding.weight);
  answer_keras_gru(golden, "encoder.gru.", *grad.encoder.layers[0].forward);
  answer_keras_gru(golden, "decoder.gru.", grad.bahdanau->cell);
  answer_keras_bahdanau(golden, "attention.", grad.bahdanau->attention);
  golden.answer("grad.fc.kernel", transposed(grad.output.weight));
  golden.answer("grad.fc.bias", grad.output.bias);
}

}  // namespace

void add_seq2seq(Registry& registry) {
  registry.add("GRU encoder, Bahdanau attention, GRU decoder, dense output; teacher forcing", run_seq2seq<float>,
               run_seq2seq<double>);
}

}  // namespace conformance
