#include "network.hpp"

namespace translator {

namespace {

/// Calls use(network) with the one that it is.
template <class Use>
decltype(auto) with(const Network& network, const Use& use) {
  return network.gru ? use(*network.gru) : use(*network.transformer);
}

}  // namespace

Index Network::source_vocab() const {
  return with(*this, [](const auto& one) { return one.config.source_vocab; });
}
Index Network::target_vocab() const {
  return with(*this, [](const auto& one) { return one.config.target_vocab; });
}

std::string Network::description() const {
  if (gru) {
    const GruNetwork::Config& config = gru->config;
    return "GRU sequence to sequence with Bahdanau attention: embedding " + std::to_string(config.embedding_dim) +
           ", hidden " + std::to_string(config.hidden_dim) + ", attention units " + std::to_string(config.attention_units);
  }
  const TransformerNetwork::Config& config = transformer->config;
  return "Transformer of " + std::to_string(config.encoder_layers) + " + " + std::to_string(config.decoder_layers) +
         " layers: " + std::to_string(config.layer.model_dim) + " features, " + std::to_string(config.layer.heads) +
         " heads, " + std::to_string(config.layer.hidden_dim) + " hidden";
}

heed::CrossEntropyLoss<float> Network::loss(const heed::TokenBatch& batch, const heed::Seq2SeqLossOptions& options,
                                            Cache* cache) const {
  if (gru) return gru->loss(batch, options, cache ? &cache->gru : nullptr);
  return transformer->loss(batch, options, cache ? &cache->transformer : nullptr);
}

void Network::backward(const Cache& cache, Network& gradient) const {
  if (gru)
    gru->backward(cache.gru, *gradient.gru);
  else
    transformer->backward(cache.transformer, *gradient.transformer);
}

Network::Scores Network::score(const heed::TokenBatch& batch) const {
  if (gru) {
    auto scores = gru->score(batch);
    return {std::move(scores.logits), std::move(scores.weights)};
  }
  auto scores = transformer->score(batch);
  return {std::move(scores.logits), heed::average_heads(scores.weights.back())};
}

}  // namespace translator
