#pragma once
// Both translators as one thing: anything that encodes sources and starts a decoder on them generates through one call.

#include <concepts>
#include <span>
#include <utility>
#include <vector>

#include <heed/models/generate.hpp>
#include <heed/models/gru_seq2seq_decoder.hpp>
#include <heed/models/transformer_token_decoder.hpp>

namespace heed::inline HEED_ABI {

/// The decoder of a model over encoded sources; model, sources and packed weights must outlive it.
template <class T>
GruSeq2SeqDecoder<T> token_decoder(const GruSeq2Seq<T>& model, const typename GruSeq2Seq<T>::Encoded& encoded,
                                   ExecutorRef executor = default_executor(),
                                   const PackedGruSeq2Seq<T>* packed = nullptr) {
  return {model, encoded, executor, packed};
}
template <class T>
TransformerTokenDecoder<T> token_decoder(const Transformer<T>& model, const typename Transformer<T>::Encoded& encoded,
                                         ExecutorRef executor = default_executor(),
                                         const PackedTransformer<T>* packed = nullptr) {
  return {model, encoded, executor, packed};
}

/// A model that turns sequences into sequences: encode(source, lengths, executor) and token_decoder(model, encoded,
/// executor).
template <class M>
concept Seq2SeqModel = requires(const M& model, const Tensor<Index, 2>& source, std::span<const Index> lengths) {
  { token_decoder(model, model.encode(source, lengths, default_executor()), default_executor()) } -> StepDecoder;
};

/// source (batch, source_length) token ids, lengths (batch) -> per source its hypotheses, as generate() of the decoder
/// gives them. options.sources.lengths, if empty, are `lengths`. Throws heed::Error for ids, lengths and options that
/// do not fit.
template <Seq2SeqModel M>
std::vector<std::vector<Hypothesis>> generate(const M& model, const Tensor<Index, 2>& source,
                                              std::span<const Index> lengths, GenerateOptions options = {},
                                              ExecutorRef executor = default_executor()) {
  if (options.sources.lengths.empty()) options.sources.lengths.assign(lengths.begin(), lengths.end());
  const auto encoded = model.encode(source, lengths, executor);
  auto decoder = token_decoder(model, encoded, executor);
  return generate(decoder, options);
}

}  // namespace heed::inline HEED_ABI
