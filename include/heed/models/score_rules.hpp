#pragma once
// Which tokens a hypothesis may take next: one source's length limits, prefix, forced and banned tokens, n-grams that
// must not come again, and the repetition penalty, applied to one row of scores. Greedy search, beam search and
// sampling share them.
//   n-grams: R. Paulus, C. Xiong, R. Socher, "A Deep Reinforced Model for Abstractive Summarization", 2017, section 2.5.
//   repetition penalty: N. S. Keskar et al., "CTRL: A Conditional Transformer Language Model", 2019, section 4.1; logits
//   of both signs as in Hugging Face's transformers.

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <heed/models/generate_options.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// The rules of one source. `options` must outlive it.
class ScoreRules {
 public:
  ScoreRules(const GenerateOptions& options, Index source)
      : options_(&options), source_(static_cast<std::size_t>(source)), max_length_(options.max_length) {
    const TokenRules& rules = options.rules;
    min_length_ = rules.min_length;
    if (!options.sources.lengths.empty()) {
      const auto length = static_cast<double>(options.sources.lengths[source_]);
      if (rules.max_length_ratio > 0) max_length_ = std::max(Index{1}, bounded(rules.max_length_ratio * length));
      min_length_ = std::max(min_length_, bounded(rules.min_length_ratio * length));
    }
    min_length_ = std::min(min_length_, max_length_);
  }

  /// False where every token may follow every other at all times: a decoder may then find the likeliest one itself.
  static bool any(const GenerateOptions& options) {
    const TokenRules& rules = options.rules;
    return rules.min_length > 0 || rules.min_length_ratio > 0 || rules.no_repeat_ngram > 0 ||
           rules.repetition_penalty != 1 || !rules.banned.empty() || !rules.forced.empty() ||
           !options.sources.prefixes.empty();
  }

  /// Tokens of a result at most, the end token counted.
  Index max_length() const { return max_length_; }
  /// Tokens of a result at least, never more than max_length().
  Index min_length() const { return min_length_; }

  /// The token that must come at this position, if there is one: the source's prefix goes before the forced tokens of
  /// all.
  std::optional<Index> forced(Index position) const {
    if (const auto& prefixes = options_->sources.prefixes; !prefixes.empty()) {
      if (position < static_cast<Index>(prefixes[source_].size()))
        return prefixes[source_][static_cast<std::size_t>(position)];
    }
    for (const TokenRules::Forced& each : options_->rules.forced)
      if (each.position == position) return each.token;
    return std::nullopt;
  }

  /// The repetition penalty on a row of logits: once per token, however often the hypothesis has it.
  template <class T>
  void penalise(T* logits, std::span<const Index> tokens) const {
    const double penalty = options_->rules.repetition_penalty;
    if (penalty == 1) return;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const std::span<const Index> before = tokens.first(i);
      if (std::find(before.begin(), before.end(), tokens[i]) != before.end()) continue;
      const auto logit = static_cast<double>(logits[tokens[i]]);
      logits[tokens[i]] = static_cast<T>(logit > 0 ? logit / penalty : logit * penalty);
    }
  }

  /// Makes what may not follow `tokens` impossible in a row of scores (count). A forced token is the only one left.
  /// Where the rules leave nothing at all, the end token is left, for a sentence must end somewhere.
  template <class T>
  void ban(T* scores, Index count, std::span<const Index> tokens) const {
    if (!any(*options_)) return;
    constexpr T impossible = -std::numeric_limits<T>::infinity();
    if (const auto token = forced(static_cast<Index>(tokens.size()))) {
      const T kept = scores[*token];
      std::fill_n(scores, count, impossible);
      scores[*token] = kept;
      return;
    }
    const T end = scores[options_->eos];
    if (static_cast<Index>(tokens.size()) + 1 < min_length_) scores[options_->eos] = impossible;
    ban_repeats(scores, tokens);
    for (const std::vector<Index>& sequence : options_->rules.banned) {
      const std::span<const Index> before = std::span(sequence).first(sequence.size() - 1);
      if (tokens.size() >= before.size() && std::ranges::equal(tokens.last(before.size()), before))
        scores[sequence.back()] = impossible;
    }
    if (scores[index_of_maximum(scores, count)] == impossible) scores[options_->eos] = end;
  }

 private:
  /// A number of tokens, rounded up, at most max_length.
  Index bounded(double tokens) const {
    return static_cast<Index>(std::min(std::ceil(tokens), static_cast<double>(max_length_)));
  }

  template <class T>
  void ban_repeats(T* scores, std::span<const Index> tokens) const {
    const auto n = static_cast<std::size_t>(options_->rules.no_repeat_ngram);
    if (n == 0 || tokens.size() < n) return;
    const std::span<const Index> last = tokens.last(n - 1);
    for (std::size_t i = 0; i + n <= tokens.size(); ++i)
      if (std::ranges::equal(tokens.subspan(i, n - 1), last))
        scores[tokens[i + n - 1]] = -std::numeric_limits<T>::infinity();
  }

  const GenerateOptions* options_;
  std::size_t source_;
  Index min_length_ = 0, max_length_;
};

}  // namespace heed::inline HEED_ABI
