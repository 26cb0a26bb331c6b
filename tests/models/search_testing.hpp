#pragma once
// What the tests of searches share: small decoders with known logits, and the textbook search over all sentences.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include <heed/models/hypothesis.hpp>

#include "models/table_decoder.hpp"

namespace heed_test {

constexpr double inf = std::numeric_limits<double>::infinity();

/// Every finished sequence of at most max_length tokens that `allowed` holds, scored by the textbook sums: softmax of
/// the logits, of which those of earlier tokens went through the repetition penalty, and the attention of every step.
class Exhaustive {
 public:
  using Allowed = std::function<bool(const std::vector<Index>&)>;
  Exhaustive(Index source, Index vocab, const heed::GenerateOptions& options, Allowed allowed = {})
      : source_(source), vocab_(vocab), options_(options), allowed_(std::move(allowed)) {
    grow({}, 0, {0, 0, 0});
    std::sort(all_.begin(), all_.end(), [](const auto& a, const auto& b) {
      return a.score != b.score ? a.score > b.score : a.tokens < b.tokens;
    });
  }
  const heed::Hypothesis& best() const { return all_.front(); }
  const std::vector<heed::Hypothesis>& all() const { return all_; }

 private:
  void grow(std::vector<Index> tokens, double log_prob, std::vector<double> coverage) {
    const auto length = static_cast<Index>(tokens.size());
    if (length > 0 && (tokens.back() == options_.eos || length == options_.max_length)) {
      if (allowed_ && !allowed_(tokens)) return;
      if (options_.coverage_penalty == heed::CoveragePenalty::none) coverage.clear();
      all_.push_back({tokens, log_prob, heed::hypothesis_score(options_, log_prob, length, coverage)});
      return;
    }
    const Index last = tokens.empty() ? options_.bos : tokens.back();
    const Index before = length == 0 ? 0 : length == 1 ? options_.bos : tokens[static_cast<std::size_t>(length - 2)];
    for (Index j = 0; j < 3; ++j) coverage[static_cast<std::size_t>(j)] += TableDecoder::attention(source_, last, j);
    const auto logit = [&](Index t) {
      const double x = TableDecoder::logit(source_, before, last, t), penalty = options_.rules.repetition_penalty;
      const bool repeated = std::find(tokens.begin(), tokens.end(), t) != tokens.end();
      return !repeated ? x : x > 0 ? x / penalty : x * penalty;
    };
    double sum = 0;
    for (Index t = 0; t < vocab_; ++t) sum += suppressed(t) ? 0 : std::exp(logit(t));
    for (Index t = 0; t < vocab_; ++t) {
      if (suppressed(t)) continue;
      auto longer = tokens;
      longer.push_back(t);
      grow(longer, log_prob + logit(t) - std::log(sum), coverage);
    }
  }
  bool suppressed(Index t) const {
    return std::find(options_.suppressed.begin(), options_.suppressed.end(), t) != options_.suppressed.end();
  }
  Index source_, vocab_;
  heed::GenerateOptions options_;
  Allowed allowed_;
  std::vector<heed::Hypothesis> all_;
};

/// The search's usual ids: pad 0, bos 1, eos 2.
inline heed::GenerateOptions small_options() { return {.bos = 1, .eos = 2, .max_length = 5, .suppressed = {0, 1}}; }

/// How far counts are from what probabilities expect: the chi-square statistic over outcomes of positive probability;
/// infinite where something impossible was counted.
inline double chi_square(const std::map<std::vector<Index>, double>& probability,
                         const std::map<std::vector<Index>, Index>& counts, Index draws) {
  double sum = 0;
  for (const auto& [outcome, count] : counts) {
    const auto found = probability.find(outcome);
    if (found == probability.end() || found->second <= 0) return inf;
  }
  for (const auto& [outcome, p] : probability) {
    if (p <= 0) continue;
    const auto found = counts.find(outcome);
    const double expected = p * static_cast<double>(draws);
    const double seen = found == counts.end() ? 0 : static_cast<double>(found->second);
    sum += (seen - expected) * (seen - expected) / expected;
  }
  return sum;
}

}  // namespace heed_test
