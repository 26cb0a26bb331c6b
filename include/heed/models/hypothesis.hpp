#pragma once
// What a search finds, and how a finished sentence is scored: its log-probability, its length and how it covers the
// source.
//   Y. Wu et al., "Google's Neural Machine Translation System", 2016, section 7.
//   S. Gehrmann, Y. Deng, A. Rush, "Bottom-Up Abstractive Summarization", 2018.

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <heed/models/generate_options.hpp>

namespace heed::inline HEED_ABI {

struct Hypothesis {
  std::vector<Index> tokens;  // without the start token; ends in the end token unless the step limit came first
  double log_prob = 0;        // sum over tokens, in nats
  double score = 0;           // hypothesis_score()
};

/// lp(length) that a log-probability is divided by; 1 where lengths are not divided by.
inline double length_penalty(const GenerateOptions& options, Index length) {
  const auto tokens = static_cast<double>(length);
  switch (options.length_penalty) {
    case LengthPenalty::power:
      return std::pow(tokens, options.alpha);
    case LengthPenalty::gnmt:
      return std::pow((5 + tokens) / 6, options.alpha);
    case LengthPenalty::none:
    case LengthPenalty::word_reward:
      return 1;
  }
  return 1;
}

/// What is added for the attention that each source position has had, at most 0. Summed from the first position on.
inline double coverage_penalty(const GenerateOptions& options, std::span<const double> coverage) {
  double sum = 0;
  for (const double seen : coverage) {
    switch (options.coverage_penalty) {
      case CoveragePenalty::none:
        break;
      case CoveragePenalty::gnmt:  // attention that underflows must not make every score -inf
        sum += std::log(std::min(std::max(seen, static_cast<double>(std::numeric_limits<float>::min())), 1.0));
        break;
      case CoveragePenalty::summary:
        sum -= std::max(seen, 1.0) - 1;
        break;
    }
  }
  return options.beta * sum;
}

/// What hypotheses of a source are compared by: log_prob / lp(length), or plus alpha per token; plus the coverage
/// penalty.
inline double hypothesis_score(const GenerateOptions& options, double log_prob, Index length,
                               std::span<const double> coverage = {}) {
  const double reward =
      options.length_penalty == LengthPenalty::word_reward ? options.alpha * static_cast<double>(length) : 0;
  return log_prob / length_penalty(options, length) + reward + coverage_penalty(options, coverage);
}

namespace detail {

/// A hypothesis that still grows, and where it has looked: per source position, where coverage is asked for.
struct Growing {
  Hypothesis so_far;
  std::vector<double> coverage = {};

  Growing() = default;
  Growing(const GenerateOptions& options, Index source) {
    if (options.coverage_penalty == CoveragePenalty::none) return;
    coverage.assign(static_cast<std::size_t>(options.sources.lengths[static_cast<std::size_t>(source)]), 0.0);
  }
  Index length() const { return static_cast<Index>(so_far.tokens.size()); }
  Index last_token(const GenerateOptions& options) const {
    return so_far.tokens.empty() ? options.bos : so_far.tokens.back();
  }
  /// Another token, of the decoder's row `row`, which looked at source position j with weight attention(row, j).
  template <class Attention>
  void take(Index token, double token_log_prob, Index row, const Attention& attention) {
    so_far.tokens.push_back(token);
    so_far.log_prob += token_log_prob;
    look(row, attention);
  }
  template <class Attention>
  void look(Index row, const Attention& attention) {
    for (std::size_t j = 0; j < coverage.size(); ++j) coverage[j] += attention(row, static_cast<Index>(j));
  }
  Hypothesis finished(const GenerateOptions& options) && {
    so_far.score = hypothesis_score(options, so_far.log_prob, length(), coverage);
    return std::move(so_far);
  }
};

/// Where no coverage is asked for.
struct NoAttention {
  double operator()(Index, Index) const { return 0; }
};

}  // namespace detail
}  // namespace heed::inline HEED_ABI
