#pragma once
// GruSeq2Seq's side of greedy and beam search: rows of unfinished translations over sources that were encoded once.

#include <numeric>
#include <span>
#include <vector>

#include <heed/models/gru_seq2seq.hpp>

namespace heed::inline HEED_ABI {

/// A StepDecoder (models/generate.hpp) over `encoded`, one row per source at first. Model and sources must outlive it. The
/// sources' memory is never copied: rows name the source they read.
template <class T>
class GruSeq2SeqDecoder {
 public:
  GruSeq2SeqDecoder(const GruSeq2Seq<T>& model, const typename GruSeq2Seq<T>::Encoded& encoded,
                    ExecutorRef executor = default_executor())
      : model_(model),
        memory_(encoded.memory),
        executor_(executor),
        state_(encoded.state),
        sources_(static_cast<std::size_t>(encoded.state.dimension(0))) {
    std::iota(sources_.begin(), sources_.end(), Index{0});
  }

  Index vocab_size() const { return model_.output.vocab_size(); }
  Index rows() const { return static_cast<Index>(sources_.size()); }

  /// Row r goes on from what was row parents[r].
  void reorder(std::span<const Index> parents) {
    const Index hidden = state_.dimension(1);
    Tensor<T, 2> state(static_cast<Index>(parents.size()), hidden);
    std::vector<Index> sources;
    for (std::size_t r = 0; r < parents.size(); ++r) {
      std::copy_n(state_.data() + parents[r] * hidden, hidden, state.data() + static_cast<Index>(r) * hidden);
      sources.push_back(sources_[static_cast<std::size_t>(parents[r])]);
    }
    state_ = std::move(state);
    sources_ = std::move(sources);
  }

  /// Feeds one token per row -> logits (rows, vocab), valid and the caller's to change until the next call.
  MatrixView<T> step(std::span<const Index> tokens) {
    check_extent("GruSeq2SeqDecoder::step", "tokens", "size", static_cast<Index>(tokens.size()), rows());
    embedded_.resize(rows(), model_.target_embedding.embedding_dim());
    context_.resize(rows(), memory_.values.dimension(2));
    weights_.resize(rows(), memory_.values.dimension(1));
    logits_.resize(rows(), vocab_size());
    model_.target_embedding.forward_into(tokens, as_matrix(embedded_));
    model_.with_decoder([&](const auto& decoder) {
      decoder.step(memory_, sources_, embedded_, state_, context_, weights_, executor_);
    });
    const Tensor<T, 2> features = model_.output.readout.forward(
        {as_matrix(std::as_const(state_)), as_matrix(std::as_const(context_)), as_matrix(std::as_const(embedded_))}, nullptr, {},
        nullptr, executor_);
    model_.output.project(as_matrix(features), as_matrix(logits_),
                          model_.config.tied == TiedEmbeddings::none ? nullptr : &model_.target_embedding.weight, executor_);
    return as_matrix(logits_);
  }

  /// The last step's attention weights (rows, source_length).
  const Tensor<T, 2>& weights() const { return weights_; }

 private:
  const GruSeq2Seq<T>& model_;
  const RecurrentMemory<T>& memory_;
  ExecutorRef executor_;
  Tensor<T, 2> state_, embedded_, context_, weights_, logits_;
  std::vector<Index> sources_;
};

}  // namespace heed::inline HEED_ABI
