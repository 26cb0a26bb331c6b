#pragma once
// The last part of a translator: from a recurrent decoder's states to logits over the target vocabulary and the loss. Only
// positions that count are read out: padded ones cost nothing.

#include <span>
#include <utility>
#include <vector>

#include <heed/nn/bahdanau_decoder_block.hpp>
#include <heed/nn/loss.hpp>
#include <heed/nn/readout.hpp>

namespace heed::inline HEED_ABI {

/// Which tables share one tensor: none; the target embedding and the output layer's weight; these and the source embedding.
enum class TiedEmbeddings { none, target_output, all };

/// Whether the output layer has a weight of its own or reads with the target embedding's.
enum class OutputWeight { own, tied };

/// What a translator's loss is told.
struct Seq2SeqLossOptions {
  Rng* rng = nullptr;  // draws the dropout; null: evaluation
  double label_smoothing = 0;
  Smoothing smoothing = Smoothing::all_classes;
};

template <class T>
struct Seq2SeqOutput {
  struct Cache {
    std::vector<typename Readout<T>::Place> places;  // counted positions, sample by sample
    typename Readout<T>::Cache readout;
    Tensor<T, 2> features;  // (counted, output_dim)
    Tensor<T, 2> d_logits;  // (counted, vocab): gradient of the mean loss
  };
  struct Gradients {
    Tensor<T, 3> hidden;              // (batch, steps, hidden), zero where nothing counts
    Tensor<T, 3> context, embedding;  // the same; empty where the readout does not read them
  };

  Readout<T> readout;
  Tensor<T, 2> weight;  // (vocab, output_dim); empty where tied
  Tensor<T, 1> bias;    // (vocab)

  static void fields(auto&& visit, auto&... self) {
    visit("readout", self.readout...);
    visit("weight", self.weight...);
    visit("bias", self.bias..., Role::no_decay);
  }

  Seq2SeqOutput() = default;
  /// Weight and bias uniform in +-1/sqrt(output_dim), as PyTorch starts a linear layer.
  Seq2SeqOutput(const typename Readout<T>::Config& config, Index vocab_size, OutputWeight owner, Rng& rng)
      : readout(config, rng), bias(vocab_size) {
    const Index width = readout.output_dim(config.hidden_dim);
    const double bound = 1 / std::sqrt(static_cast<double>(width));
    if (owner == OutputWeight::own) {
      weight.resize(vocab_size, width);
      uniform(weight, -bound, bound, rng);
    }
    uniform(bias, -bound, bound, rng);
  }

  Index vocab_size() const { return bias.size(); }

  /// features (rows, output_dim) -> logits (rows, vocab), one chain each that starts from the bias.
  void project(MatrixView<const T> features, MatrixView<T> logits, const Tensor<T, 2>* tied, ExecutorRef executor) const {
    start_from_bias(logits);
    matmul<T>(Transpose::no, features, Transpose::yes, as_matrix(tied ? *tied : weight), logits, Accumulate::yes, executor);
  }

  /// The bias into every row of logits (rows, vocab): where their chains start.
  void start_from_bias(MatrixView<T> logits) const {
    for (Index i = 0; i < logits.rows; ++i) std::copy_n(bias.data(), logits.cols, logits.row(i));
  }

  /// Logits (batch, steps, vocab) of every position, without dropout.
  Tensor<T, 3> logits(const SourceRead<T>& read, const Tensor<T, 3>& embedding, const Tensor<T, 2>* tied,
                      ExecutorRef executor) const {
    const Index batch = read.hidden.dimension(0), steps = read.hidden.dimension(1);
    const Tensor<T, 2> features =
        readout.forward({as_matrix(read.hidden), as_matrix(read.context), as_matrix(embedding)}, nullptr, {}, nullptr, executor);
    Tensor<T, 3> result(batch, steps, vocab_size());
    project(as_matrix(features), as_matrix(result), tied, executor);
    return result;
  }

  /// The mean cross-entropy over the positions whose target (batch, steps) is not pad; cache null: no backward will follow.
  CrossEntropyLoss<T> loss(const SourceRead<T>& read, const Tensor<T, 3>& embedding, const Tensor<Index, 2>& target, Index pad,
                           const Seq2SeqLossOptions& options, const Tensor<T, 2>* tied, Cache* cache,
                           ExecutorRef executor) const {
    Cache unkept;
    Cache& c = cache ? *cache : unkept;
    const std::vector<Index> ids = counted(target, pad, c.places);
    const Tensor<T, 2> state = gathered(read.hidden, c.places), context = gathered(read.context, c.places);
    const Tensor<T, 2> embedded = gathered(embedding, c.places);
    Rng drawn;
    if (options.rng) drawn = options.rng->next();
    c.features = readout.forward({as_matrix(state), as_matrix(context), as_matrix(embedded)},
                                 options.rng ? &drawn : nullptr, c.places,
                                 cache ? &c.readout : nullptr, executor);
    c.d_logits.resize(static_cast<Index>(ids.size()), vocab_size());
    project(as_matrix(std::as_const(c.features)), as_matrix(c.d_logits), tied, executor);
    return cross_entropy_in_place<T>(
        as_matrix(c.d_logits), ids,
        {.label_smoothing = options.label_smoothing, .smoothing = options.smoothing}, executor);
  }

  /// The gradients of what was read; adds to grad, and to tied_grad where the weight is the target embedding's.
  Gradients backward(const SourceRead<T>& read, const Cache& c, const Tensor<T, 2>* tied, Seq2SeqOutput& grad,
                     Tensor<T, 2>* tied_grad, ExecutorRef executor) const {
    const MatrixView<const T> d_logits = as_matrix(c.d_logits);
    Tensor<T, 2> d_features(c.features.dimension(0), c.features.dimension(1));
    matmul<T>(Transpose::no, d_logits, Transpose::no, as_matrix(tied ? *tied : weight), as_matrix(d_features), Accumulate::no,
              executor);
    matmul<T>(Transpose::yes, d_logits, Transpose::no, as_matrix(c.features),
              as_matrix(tied_grad ? *tied_grad : grad.weight), Accumulate::yes, executor);
    add_rows<T>(d_logits, grad.bias.data(), executor);
    return scatter(read, c, d_features, grad, executor);
  }

 private:
  static std::vector<Index> counted(const Tensor<Index, 2>& target, Index pad,
                                    std::vector<typename Readout<T>::Place>& places) {
    std::vector<Index> ids;
    places.clear();
    for (Index b = 0; b < target.dimension(0); ++b) {
      for (Index t = 0; t < target.dimension(1); ++t) {
        if (target(b, t) == pad) continue;
        places.push_back({b, t});
        ids.push_back(target(b, t));
      }
    }
    return ids;
  }
  static Tensor<T, 2> gathered(const Tensor<T, 3>& all, std::span<const typename Readout<T>::Place> places) {
    const Index steps = all.dimension(1), width = all.dimension(2);
    Tensor<T, 2> rows(static_cast<Index>(places.size()), width);
    for (Index i = 0; i < rows.dimension(0); ++i) {
      const auto& [sample, step] = places[static_cast<std::size_t>(i)];
      std::copy_n(all.data() + (sample * steps + step) * width, width, rows.data() + i * width);
    }
    return rows;
  }
  static Tensor<T, 3> scattered(const Tensor<T, 2>& rows, std::span<const typename Readout<T>::Place> places,
                                const Extents<3>& shape) {
    Tensor<T, 3> all = zeros<T, 3>(shape);
    for (Index i = 0; i < rows.dimension(0); ++i) {
      const auto& [sample, step] = places[static_cast<std::size_t>(i)];
      std::copy_n(rows.data() + i * shape[2], shape[2], all.data() + (sample * shape[1] + step) * shape[2]);
    }
    return all;
  }
  Gradients scatter(const SourceRead<T>& read, const Cache& c, const Tensor<T, 2>& d_features, Seq2SeqOutput& grad,
                    ExecutorRef executor) const {
    const Index rows = d_features.dimension(0), hidden = read.hidden.dimension(2), memory = read.context.dimension(2);
    const bool reads_context = readout.kind != ReadoutKind::state, reads_embedding = readout.kind == ReadoutKind::deep;
    const Index embedding = reads_embedding ? readout.dense->in_features() - hidden - memory : 0;
    Tensor<T, 2> d_state(rows, hidden), d_context(reads_context ? rows : 0, memory), d_embedding(reads_embedding ? rows : 0, embedding);
    const auto view_or_empty = [](Tensor<T, 2>& d) { return d.size() > 0 ? as_matrix(d) : MatrixView<T>(); };
    readout.backward(d_features, c.readout, grad.readout, as_matrix(d_state), view_or_empty(d_context),
                     view_or_empty(d_embedding), executor);
    const Index batch = read.hidden.dimension(0), steps = read.hidden.dimension(1);
    Gradients d{scattered(d_state, c.places, {batch, steps, hidden}), {}, {}};
    if (reads_context) d.context = scattered(d_context, c.places, {batch, steps, memory});
    if (reads_embedding) d.embedding = scattered(d_embedding, c.places, {batch, steps, embedding});
    return d;
  }
};

}  // namespace heed::inline HEED_ABI
