#pragma once
// A decoder without a model, for tests of the searches: every row's logits are looked up.

#include <cmath>
#include <span>
#include <vector>

#include <heed/core/random.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/view.hpp>

namespace heed_test {

using heed::Index;

/// Next-token logits that depend on the source and on the last two tokens, so that beams really differ.
class TableDecoder {
 public:
  TableDecoder(std::vector<Index> sources, Index vocab) : vocab_(vocab) {
    for (const Index source : sources) rows_.push_back({source, 0, 0});
  }
  Index vocab_size() const { return vocab_; }
  Index rows() const { return static_cast<Index>(rows_.size()); }
  void reorder(std::span<const Index> parents) {
    std::vector<Row> next;
    for (const Index parent : parents) next.push_back(rows_[static_cast<std::size_t>(parent)]);
    rows_ = next;
  }
  heed::MatrixView<double> step(std::span<const Index> tokens) {
    logits_.resize(rows_.size() * static_cast<std::size_t>(vocab_));
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      Row& row = rows_[r];
      row = {row.source, row.last, tokens[r]};
      for (Index token = 0; token < vocab_; ++token) {
        logits_[r * static_cast<std::size_t>(vocab_) + static_cast<std::size_t>(token)] =
            logit(row.source, row.before, row.last, token);
      }
    }
    ++steps;
    return {logits_.data(), rows(), vocab_};
  }
  /// A fixed random number per (source, two tokens, next token), with many exact ties.
  static double logit(Index source, Index before, Index last, Index token) {
    heed::Rng rng{static_cast<std::uint64_t>(source), static_cast<std::uint64_t>((before * 64 + last) * 64 + token)};
    return std::floor(8 * rng.uniform()) / 2;
  }

  /// Where a row looked at a step: 3 positions, a fixed random distribution per (source, last token).
  static double attention(Index source, Index last, Index position) {
    heed::Rng rng{static_cast<std::uint64_t>(100 + source), static_cast<std::uint64_t>(last)};
    const double one = rng.uniform(), two = rng.uniform(0, 1 - one);
    return position == 0 ? one : position == 1 ? two : 1 - one - two;
  }
  heed::Tensor<double, 2> weights() const {
    heed::Tensor<double, 2> all(rows(), Index{3});
    for (Index r = 0; r < rows(); ++r)
      for (Index j = 0; j < 3; ++j)
        all(r, j) = attention(rows_[static_cast<std::size_t>(r)].source, rows_[static_cast<std::size_t>(r)].last, j);
    return all;
  }

  Index steps = 0;

 private:
  struct Row {
    Index source, before, last;
  };
  Index vocab_;
  std::vector<Row> rows_;
  std::vector<double> logits_;
};

}  // namespace heed_test
