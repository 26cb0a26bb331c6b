#pragma once
// Several models that write one sentence: the mean of their next-token probabilities.
//   I. Sutskever, O. Vinyals, Q. V. Le, "Sequence to Sequence Learning with Neural Networks", 2014.

#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <heed/kernels/softmax.hpp>
#include <heed/models/step_decoder.hpp>

namespace heed::inline HEED_ABI {

/// A StepDecoder that steps its members side by side and gives log(mean of their softmaxes), summed in the members'
/// order in double. Members read the same sources in the same rows, have the same vocabulary and must outlive it; for
/// models of several kinds D is a decoder that holds any of them.
template <StepDecoder D>
class Ensemble {
 public:
  /// Throws heed::Error where there is no member, or members differ in rows or vocabulary.
  explicit Ensemble(std::vector<D*> members) : members_(std::move(members)) {
    check(!members_.empty(), [] { return std::string("Ensemble: members is empty, wanted at least one"); });
    for (D* const member : members_) {
      check_same("vocab_size", member->vocab_size(), vocab_size());
      check_same("rows", member->rows(), rows());
    }
  }

  Index vocab_size() const { return members_.front()->vocab_size(); }
  Index rows() const { return members_.front()->rows(); }

  /// Row r goes on from what was row parents[r].
  void reorder(std::span<const Index> parents) {
    for (D* const member : members_) member->reorder(parents);
  }

  /// Feeds one token per row -> (rows, vocab) log-probabilities, valid and the caller's to change until the next call.
  MatrixView<double> step(std::span<const Index> tokens) {
    const Index vocab = vocab_size();
    mean_.assign(tokens.size() * static_cast<std::size_t>(vocab), 0.0);
    const MatrixView<double> mean(mean_.data(), static_cast<Index>(tokens.size()), vocab);
    for (D* const member : members_) {
      const auto logits = member->step(tokens);
      for (Index r = 0; r < mean.rows; ++r) {
        softmax_row(logits.row(r), logits.row(r), vocab, vocab);
        for (Index token = 0; token < vocab; ++token) mean(r, token) += static_cast<double>(logits(r, token));
      }
    }
    const auto count = static_cast<double>(members_.size());
    for (double& p : mean_) p = std::log(p / count);
    if constexpr (AttendingDecoder<D>) {
      if (keep_weights_) average_weights();
    }
    return mean;
  }

  /// From now on steps keep their attention to the source.
  void keep_weights() requires AttendingDecoder<D> {
    keep_weights_ = true;
    if constexpr (requires(D & member) { member.keep_weights(); })
      for (D* const member : members_) member->keep_weights();
  }
  /// The mean of the members' attention at the last step (rows, source_length).
  const Tensor<double, 2>& weights() const requires AttendingDecoder<D> { return weights_; }

 private:
  static void check_same(const char* what, Index found, Index wanted) {
    check(found == wanted, [&] {
      return std::string("Ensemble: a member's ") + what + " is " + std::to_string(found) +
             ", wanted the first one's " + std::to_string(wanted);
    });
  }

  void average_weights() {
    weights_ = zeros<double, 2>({rows(), detail::attention_length(members_.front()->weights())});
    for (D* const member : members_) {
      const auto& weights = member->weights();
      for (Index r = 0; r < weights_.dimension(0); ++r)
        for (Index j = 0; j < weights_.dimension(1); ++j)
          weights_(r, j) += detail::attention_at(weights, r, j) / static_cast<double>(members_.size());
    }
  }

  std::vector<D*> members_;
  std::vector<double> mean_;  // (rows, vocab)
  bool keep_weights_ = false;
  Tensor<double, 2> weights_;
};

}  // namespace heed::inline HEED_ABI
