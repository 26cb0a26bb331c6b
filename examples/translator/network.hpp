#pragma once
// The network of a translator: recurrent or a Transformer, behind the few calls that training, search and files need.

#include <optional>
#include <string>

#include <heed/models/gru_seq2seq.hpp>
#include <heed/models/transformer.hpp>

namespace translator {

using heed::Index;
using GruNetwork = heed::GruSeq2Seq<float>;
using TransformerNetwork = heed::Transformer<float>;

/// One of the two. A gradient or an optimizer's moment is another value of it.
struct Network {
  std::optional<GruNetwork> gru;
  std::optional<TransformerNetwork> transformer;

  struct Cache {
    GruNetwork::Cache gru;
    TransformerNetwork::Cache transformer;
  };
  /// Logits (batch, steps, target vocabulary) and where each step looked (batch, steps, source_length): of a Transformer
  /// the mean over the last layer's heads.
  struct Scores {
    heed::Tensor<float, 3> logits, weights;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("", self.gru...);
    visit("", self.transformer...);
  }

  Index source_vocab() const;
  Index target_vocab() const;
  /// "GRU ..." or "Transformer ..." with its sizes, for people.
  std::string description() const;

  heed::CrossEntropyLoss<float> loss(const heed::TokenBatch& batch, const heed::Seq2SeqLossOptions& options = {},
                                     Cache* cache = nullptr) const;
  /// Adds to `gradient`.
  void backward(const Cache& cache, Network& gradient) const;
  Scores score(const heed::TokenBatch& batch) const;
};

}  // namespace translator
