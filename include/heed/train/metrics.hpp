#pragma once
// Numbers that say how well a model does, summed over batches in the order they come.

#include <cmath>
#include <span>
#include <string>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// The index of the largest of row's elements; of equal ones the first. NaN is never the largest.
template <class T>
Index argmax(std::span<const T> row) {
  Index best = 0;
  for (std::size_t i = 1; i < row.size(); ++i) {
    const T leader = row[static_cast<std::size_t>(best)];
    if (row[i] > leader || (leader != leader && row[i] == row[i])) best = static_cast<Index>(i);
  }
  return best;
}

/// How many of the counted tokens have the highest score.
struct TokenAccuracy {
  Index correct = 0;
  Index counted = 0;

  /// logits (rows, classes), targets (rows); rows whose target is `ignore` do not count. Throws heed::Error when the
  /// numbers of rows differ.
  template <class T>
  void update(MatrixView<const T> logits, std::span<const Index> targets, Index ignore = -100) {
    check_extent("TokenAccuracy", "targets", "size", static_cast<Index>(targets.size()), logits.rows);
    for (Index i = 0; i < logits.rows; ++i) {
      const Index target = targets[static_cast<std::size_t>(i)];
      if (target == ignore) continue;
      ++counted;
      correct += argmax(std::span<const T>(logits.row(i), static_cast<std::size_t>(logits.cols))) == target ? 1 : 0;
    }
  }
  /// 0 to 1; 0 where nothing was counted.
  double value() const { return counted == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(counted); }
};

/// The mean loss per counted token over many batches, and its exponential.
struct MeanLoss {
  double sum = 0;
  double weight = 0;

  /// loss.sum and loss.weight of a cross_entropy.
  void update(double batch_sum, double batch_weight) {
    sum += batch_sum;
    weight += batch_weight;
  }
  /// 0 where nothing was counted.
  double value() const { return weight == 0 ? 0 : sum / weight; }
  double perplexity() const { return std::exp(value()); }
};

}  // namespace heed::inline HEED_ABI
