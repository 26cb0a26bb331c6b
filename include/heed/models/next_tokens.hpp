#pragma once
// One row of logits as a search sees it: which tokens may come next, which are best and how likely the model holds
// them.

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <heed/kernels/softmax.hpp>
#include <heed/models/score_rules.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {
namespace detail {

/// Makes tokens of a row of logits impossible.
template <class T>
void suppress(T* row, std::span<const Index> tokens) {
  for (const Index token : tokens) row[token] = -std::numeric_limits<T>::infinity();
}

/// Every row's likeliest token that is not suppressed, the lowest id among equals; changes the logits.
template <class T>
std::vector<Index> likeliest(MatrixView<T> logits, std::span<const Index> suppressed) {
  std::vector<Index> tokens;
  for (Index r = 0; r < logits.rows; ++r) {
    suppress(logits.row(r), suppressed);
    tokens.push_back(index_of_maximum<T>(logits.row(r), logits.cols));
  }
  return tokens;
}

/// A row of logits after suppression, repetition penalty and bans, in this order; normaliser is the logsumexp between
/// the last two (0 for log-probabilities), so that bans change no other token's log-probability.
template <class T>
struct NextTokens {
  const T* logits;
  Index vocab_size;
  double normaliser;

  /// A row without rules.
  NextTokens(T* row, Index count, const GenerateOptions& options) : logits(row), vocab_size(count) {
    suppress(row, options.suppressed);
    normalise(options);
  }
  /// The row that follows `tokens`. A token that is forced is possible even if it is suppressed.
  NextTokens(T* row, Index count, const GenerateOptions& options, const ScoreRules& rules,
             std::span<const Index> tokens)
      : logits(row), vocab_size(count) {
    const std::optional<Index> forced = rules.forced(static_cast<Index>(tokens.size()));
    const T kept = forced ? row[*forced] : T(0);
    suppress(row, options.suppressed);
    if (forced) row[*forced] = kept;
    rules.penalise(row, tokens);
    normalise(options);
    rules.ban(row, count, tokens);
  }

  double log_prob(Index token) const { return static_cast<double>(logits[token]) - normaliser; }
  /// The likeliest token; the lowest id among equals.
  Index best() const { return index_of_maximum(logits, vocab_size); }
  /// The `count` likeliest tokens that are possible at all, best first, the lower id first among equals.
  std::vector<Index> best(Index count) const {
    const auto better = [&](Index a, Index b) { return logits[a] > logits[b] || (logits[a] == logits[b] && a < b); };
    std::vector<Index> heap;  // the worst of the kept on top
    for (Index token = 0; token < vocab_size; ++token) {
      if (!(logits[token] > -std::numeric_limits<T>::infinity())) continue;
      const bool full = static_cast<Index>(heap.size()) == count;
      if (full && !better(token, heap.front())) continue;
      if (full) {
        std::pop_heap(heap.begin(), heap.end(), better);
        heap.pop_back();
      }
      heap.push_back(token);
      std::push_heap(heap.begin(), heap.end(), better);
    }
    std::sort_heap(heap.begin(), heap.end(), better);
    return heap;
  }

 private:
  void normalise(const GenerateOptions& options) {
    normaliser = options.scores == StepScores::logits ? static_cast<double>(logsumexp_row(logits, vocab_size)) : 0;
  }
};

}  // namespace detail
}  // namespace heed::inline HEED_ABI
