#pragma once
// GruSeq2Seq's side of greedy and beam search: rows of unfinished translations over sources that were encoded once.

#include <concepts>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include <heed/attention/packed_weight.hpp>
#include <heed/attention/screened_weight.hpp>
#include <heed/models/next_tokens.hpp>
#include <heed/models/gru_seq2seq.hpp>

namespace heed::inline HEED_ABI {

/// A model's weights in the order in which translating reads them: made once per loaded model, given to encode() and to the
/// decoders. Costs one and a half times their size in memory and changes no bit. The model must outlive it unchanged.
template <class T>
struct PackedGruSeq2Seq {
  typename Gru<T>::Packed encoder;
  std::optional<typename BahdanauDecoder<T>::StepWeights> bahdanau;
  PackedWeight<T> output;
  std::optional<ScreenedWeight> screened_output;  // where T is float

  explicit PackedGruSeq2Seq(const GruSeq2Seq<T>& model)
      : encoder(model.encoder.pack()), output(Transpose::yes, View<const T, 2>(model.output_weight())) {
    if (model.bahdanau) bahdanau.emplace(model.bahdanau->pack_step());
    if constexpr (std::same_as<T, float>) {
      screened_output.emplace(as_matrix(model.output_weight()), flat(model.output.bias));
    }
  }
};

/// A StepDecoder (models/generate.hpp) over `encoded`, one row per source at first. Model and sources must outlive it. The
/// sources' memory is never copied: rows name the source they read. packed: the same model's weights, or null to read them
/// as they lie.
template <class T>
class GruSeq2SeqDecoder {
 public:
  GruSeq2SeqDecoder(const GruSeq2Seq<T>& model, const typename GruSeq2Seq<T>::Encoded& encoded,
                    ExecutorRef executor = default_executor(), const PackedGruSeq2Seq<T>* packed = nullptr)
      : model_(model),
        memory_(encoded.memory),
        packed_(packed),
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
    const Tensor<T, 2> features = read(tokens);
    return project(as_matrix(features));
  }

  /// Feeds one token per row -> each row's likeliest next token, which is none of `suppressed`: the one with the largest of
  /// step()'s logits, the lowest id among equals. For one row over packed weights this reads half of the output layer.
  std::vector<Index> step_argmax(std::span<const Index> tokens, std::span<const Index> suppressed) {
    const Tensor<T, 2> features = read(tokens);
    if constexpr (std::same_as<T, float>) {
      if (packed_ && rows() == 1) {
        const std::span<const T> row(features.data(), static_cast<std::size_t>(features.size()));
        if (const auto best = packed_->screened_output->argmax(row, suppressed, executor_)) return {*best};
      }
    }
    return detail::likeliest(project(as_matrix(features)), suppressed);
  }

  /// The last step's attention weights (rows, source_length).
  const Tensor<T, 2>& weights() const { return weights_; }

 private:
  /// One step of the decoder -> what the output layer reads (rows, output_dim).
  Tensor<T, 2> read(std::span<const Index> tokens) {
    check_extent("GruSeq2SeqDecoder::step", "tokens", "size", static_cast<Index>(tokens.size()), rows());
    embedded_.resize(rows(), model_.target_embedding.embedding_dim());
    context_.resize(rows(), memory_.values.dimension(2));
    weights_.resize(rows(), memory_.values.dimension(1));
    model_.target_embedding.forward_into(tokens, as_matrix(embedded_));
    if (model_.bahdanau) {
      model_.bahdanau->step(memory_, sources_, embedded_, state_, context_, weights_, executor_,
                            packed_ ? &*packed_->bahdanau : nullptr);
    } else {
      model_.luong->step(memory_, sources_, embedded_, state_, context_, weights_, executor_);
    }
    return model_.output.readout.forward(
        {as_matrix(std::as_const(state_)), as_matrix(std::as_const(context_)), as_matrix(std::as_const(embedded_))}, nullptr, {},
        nullptr, executor_);
  }

  /// features (rows, output_dim) -> logits_; the same bits with the packed weight as with the plain one.
  MatrixView<T> project(MatrixView<const T> features) {
    logits_.resize(rows(), vocab_size());
    const MatrixView<T> logits = as_matrix(logits_);
    if (packed_) {
      model_.output.start_from_bias(logits);
      packed_->output.multiply(features, logits, Accumulate::yes, executor_);
    } else {
      model_.output.project(features, logits, &model_.output_weight(), executor_);
    }
    return logits;
  }

  const GruSeq2Seq<T>& model_;
  const RecurrentMemory<T>& memory_;
  const PackedGruSeq2Seq<T>* packed_;
  ExecutorRef executor_;
  Tensor<T, 2> state_, embedded_, context_, weights_, logits_;
  std::vector<Index> sources_;
};

}  // namespace heed::inline HEED_ABI
