#pragma once
// Transformer's side of greedy and beam search: rows of unfinished translations over sources that were encoded once.

#include <numeric>
#include <span>
#include <vector>

#include <heed/models/generate_options.hpp>
#include <heed/models/transformer.hpp>

namespace heed::inline HEED_ABI {

/// A model's weights in the order in which decoding reads them: made once per loaded model, given to the decoders. Costs
/// their size in memory and changes no bit. The model must outlive it unchanged.
template <class T>
struct PackedTransformer {
  typename TransformerDecoder<T>::Packed decoder;
  PackedWeight<T> output;

  explicit PackedTransformer(const Transformer<T>& model)
      : decoder(model.decoder.pack()), output(Transpose::yes, View<const T, 2>(model.output_weight())) {}
};

/// A StepDecoder (models/generate.hpp) over `encoded`, one row per source at first. The model must outlive it. A step costs one
/// pass over the decoder's weights and over the keys and values so far; reorder copies those of rows that move. packed: the
/// same model's weights, or null to read them as they lie.
template <class T>
class TransformerTokenDecoder {
 public:
  TransformerTokenDecoder(const Transformer<T>& model, const typename Transformer<T>::Encoded& encoded,
                          ExecutorRef executor = default_executor(), const PackedTransformer<T>* packed = nullptr)
      : model_(model),
        packed_(packed),
        executor_(executor),
        state_(model.decoder.start(encoded.memory, model.source_mask(encoded), 16, executor)),
        lengths_(encoded.lengths) {}

  Index vocab_size() const { return model_.output.vocab_size(); }
  Index rows() const { return static_cast<Index>(lengths_.size()); }

  /// Row r goes on from what was row parents[r].
  void reorder(std::span<const Index> parents) {
    if (keeps_rows(parents, rows())) return;
    std::vector<Index> lengths;
    for (const Index parent : parents) lengths.push_back(lengths_[static_cast<std::size_t>(parent)]);
    for (auto& layer : state_.layers) {
      layer.past.reorder(parents);
      layer.memory.key = selected(layer.memory.key, parents);
      layer.memory.value = selected(layer.memory.value, parents);
    }
    lengths_ = std::move(lengths);
  }

  /// Feeds one token per row -> logits (rows, vocab), valid and the caller's to change until the next call.
  MatrixView<T> step(std::span<const Index> tokens) {
    check_extent("TransformerTokenDecoder::step", "tokens", "size", static_cast<Index>(tokens.size()), rows());
    Tensor<Index, 2> ids(rows(), Index{1});
    std::copy(tokens.begin(), tokens.end(), ids.data());
    weights_.clear();
    typename TransformerDecoder<T>::Options options{.self = model_.target_options(nullptr),
                                                    .memory = {.mask = key_lengths(lengths_)}};
    if (keep_weights_) options.memory.collect_weights = &weights_;
    const Tensor<T, 3> x = model_.embed_target(ids, fed_, executor_);
    const Tensor<T, 3> hidden =
        model_.decoder.step(x, options, state_, executor_, packed_ ? &packed_->decoder : nullptr);
    ++fed_;
    logits_.resize(rows(), vocab_size());
    detail::project_into<T>(as_matrix(hidden), as_matrix(model_.output_weight()), model_.output.bias.data(),
                            as_matrix(logits_), executor_, packed_ ? &packed_->output : nullptr);
    return as_matrix(logits_);
  }

  /// From now on steps keep their attention to the source.
  void keep_weights() { keep_weights_ = true; }
  /// The last step's, per layer (rows, heads, 1, source_length).
  const std::vector<Tensor<T, 4>>& weights() const { return weights_; }

 private:
  static Tensor<T, 3> selected(const Tensor<T, 3>& all, std::span<const Index> parents) {
    const Index size = all.dimension(1) * all.dimension(2);
    Tensor<T, 3> rows(static_cast<Index>(parents.size()), all.dimension(1), all.dimension(2));
    for (std::size_t r = 0; r < parents.size(); ++r)
      std::copy_n(all.data() + parents[r] * size, size, rows.data() + static_cast<Index>(r) * size);
    return rows;
  }

  const Transformer<T>& model_;
  const PackedTransformer<T>* packed_;
  ExecutorRef executor_;
  typename TransformerDecoder<T>::State state_;
  std::vector<Index> lengths_;
  Index fed_ = 0;  // tokens per row so far
  bool keep_weights_ = false;
  std::vector<Tensor<T, 4>> weights_;
  Tensor<T, 2> logits_;
};

}  // namespace heed::inline HEED_ABI
