#pragma once
// One source's beam, as SEMANTICS 26 says it: which hypotheses go on, which are final, and when to stop.

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <heed/models/hypothesis.hpp>
#include <heed/models/next_tokens.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// One source's beam: the hypotheses that still grow and those that have ended.
class Beam {
 public:
  explicit Beam(const GenerateOptions& options, Index source = 0)
      : options_(&options), rules_(options, source), live_{Growing(options, source)} {}

  Index live() const { return static_cast<Index>(live_.size()); }
  Index last_token(Index i) const { return live_[static_cast<std::size_t>(i)].last_token(*options_); }

  /// One step: row first_row + i of `logits` continues live hypothesis i, which looked at source position j with weight
  /// attention(first_row + i, j). Appends the rows that go on to `parents`.
  template <class T, class Attention = NoAttention>
  void advance(const MatrixView<T>& logits, Index first_row, std::vector<Index>& parents, Attention&& attention = {}) {
    const std::vector<Candidate> candidates = best_candidates(logits, first_row);
    for (Index i = 0; i < live(); ++i) live_[static_cast<std::size_t>(i)].look(first_row + i, attention);
    std::vector<Growing> next;
    std::vector<Index> rows;
    for (const Candidate& candidate : candidates) {
      Growing grown = live_[static_cast<std::size_t>(candidate.parent)];
      grown.so_far.tokens.push_back(candidate.token);
      grown.so_far.log_prob = candidate.log_prob;
      if (candidate.token == options_->eos) {
        finished_.push_back(std::move(grown).finished(*options_));
      } else if (static_cast<Index>(next.size()) < options_->beam) {
        next.push_back(std::move(grown));
        rows.push_back(first_row + candidate.parent);
      }
    }
    live_ = std::move(next);
    ++length_;
    if (length_ == rules_.max_length()) {
      for (Growing& growing : live_) finished_.push_back(std::move(growing).finished(*options_));
      live_.clear();
    }
    if (done()) live_.clear();
    parents.insert(parents.end(), rows.begin(), rows.begin() + live());
  }

  /// The n best, best first; equal scores by their token lists, ascending.
  std::vector<Hypothesis> results() && {
    sort_finished();
    if (finished_.size() > static_cast<std::size_t>(options_->n_best)) {
      finished_.resize(static_cast<std::size_t>(options_->n_best));
    }
    return std::move(finished_);
  }

 private:
  struct Candidate {
    Index parent, token;
    double log_prob;
  };

  /// The 2 * beam best continuations of all live hypotheses, best first; equal ones by their token lists, ascending.
  /// NaN has no place in an order, so a continuation with it is none.
  template <class T>
  std::vector<Candidate> best_candidates(const MatrixView<T>& logits, Index first_row) const {
    std::vector<Candidate> all;
    const Index wanted = 2 * options_->beam;
    for (Index i = 0; i < live(); ++i) {
      const Hypothesis& so_far = live_[static_cast<std::size_t>(i)].so_far;
      const NextTokens<T> next(logits.row(first_row + i), logits.cols, *options_, rules_, so_far.tokens);
      for (const Index token : next.best(wanted)) {
        const double log_prob = so_far.log_prob + next.log_prob(token);
        if (!std::isnan(log_prob)) all.push_back({i, token, log_prob});
      }
    }
    const auto before = [&](const Candidate& a, const Candidate& b) {
      if (a.log_prob != b.log_prob) return a.log_prob > b.log_prob;
      if (a.parent == b.parent) return a.token < b.token;
      return live_[static_cast<std::size_t>(a.parent)].so_far.tokens <
             live_[static_cast<std::size_t>(b.parent)].so_far.tokens;
    };
    const std::size_t kept = std::min(all.size(), static_cast<std::size_t>(wanted));
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(), before);
    all.resize(kept);
    return all;
  }

  void sort_finished() {
    std::sort(finished_.begin(), finished_.end(), [](const Hypothesis& a, const Hypothesis& b) {
      return a.score != b.score ? a.score > b.score : a.tokens < b.tokens;
    });
  }

  /// No live hypothesis can still become one of the n best. Log-probabilities only fall, the length's part of a score
  /// is monotonic in the length and coverage adds nothing above 0, so a live one's score is bounded by the larger of
  /// those that its log-probability would have at the next and at the last possible length.
  bool done() {
    if (live_.empty()) return true;
    if (finished_.size() < static_cast<std::size_t>(options_->n_best)) return false;
    sort_finished();
    const double worst = finished_[static_cast<std::size_t>(options_->n_best - 1)].score;
    const double log_prob = live_.front().so_far.log_prob;
    return std::max(hypothesis_score(*options_, log_prob, length_ + 1),
                    hypothesis_score(*options_, log_prob, rules_.max_length())) < worst;
  }

  const GenerateOptions* options_;
  ScoreRules rules_;
  std::vector<Growing> live_;  // best first
  std::vector<Hypothesis> finished_;
  Index length_ = 0;
};

}  // namespace detail
}  // namespace heed::inline HEED_ABI
