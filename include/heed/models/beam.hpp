#pragma once
// One source's beam, as SEMANTICS 26 says it: which hypotheses go on, which are final, and when to stop.

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <heed/models/generate_options.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// One source's beam: the hypotheses that still grow and those that have ended.
class Beam {
 public:
  explicit Beam(const GenerateOptions& options) : options_(&options), live_(1) {}

  Index live() const { return static_cast<Index>(live_.size()); }
  Index last_token(Index i) const {
    const auto& tokens = live_[static_cast<std::size_t>(i)].tokens;
    return tokens.empty() ? options_->bos : tokens.back();
  }

  /// One step: row first_row + i of `logits` continues live hypothesis i. Appends the rows that go on to `parents`.
  template <class T>
  void advance(const MatrixView<T>& logits, Index first_row, std::vector<Index>& parents) {
    const std::vector<Candidate> candidates = best_candidates(logits, first_row);
    std::vector<Hypothesis> next;
    std::vector<Index> rows;
    for (const Candidate& candidate : candidates) {
      Hypothesis grown = live_[static_cast<std::size_t>(candidate.parent)];
      grown.tokens.push_back(candidate.token);
      grown.log_prob = candidate.log_prob;
      if (candidate.token == options_->eos) {
        finish(std::move(grown));
      } else if (static_cast<Index>(next.size()) < options_->beam) {
        next.push_back(std::move(grown));
        rows.push_back(first_row + candidate.parent);
      }
    }
    live_ = std::move(next);
    ++length_;
    if (length_ == options_->max_length) {
      for (Hypothesis& hypothesis : live_) finish(std::move(hypothesis));
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

  /// The 2 * beam best continuations of all live hypotheses, best first; equal ones by their token lists, ascending. NaN
  /// has no place in an order, so a continuation with it is none.
  template <class T>
  std::vector<Candidate> best_candidates(const MatrixView<T>& logits, Index first_row) const {
    std::vector<Candidate> all;
    const Index wanted = 2 * options_->beam;
    for (Index i = 0; i < live(); ++i) {
      const NextTokens<T> next(logits.row(first_row + i), logits.cols, *options_);
      for (const Index token : next.best(wanted)) {
        const double log_prob = live_[static_cast<std::size_t>(i)].log_prob + next.log_prob(token);
        if (!std::isnan(log_prob)) all.push_back({i, token, log_prob});
      }
    }
    const auto before = [&](const Candidate& a, const Candidate& b) {
      if (a.log_prob != b.log_prob) return a.log_prob > b.log_prob;
      if (a.parent == b.parent) return a.token < b.token;
      return live_[static_cast<std::size_t>(a.parent)].tokens < live_[static_cast<std::size_t>(b.parent)].tokens;
    };
    const std::size_t kept = std::min(all.size(), static_cast<std::size_t>(wanted));
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(), before);
    all.resize(kept);
    return all;
  }

  void finish(Hypothesis&& hypothesis) {
    hypothesis.score = hypothesis.log_prob / length_penalty(*options_, static_cast<Index>(hypothesis.tokens.size()));
    finished_.push_back(std::move(hypothesis));
  }

  void sort_finished() {
    std::sort(finished_.begin(), finished_.end(), [](const Hypothesis& a, const Hypothesis& b) {
      return a.score != b.score ? a.score > b.score : a.tokens < b.tokens;
    });
  }

  /// No live hypothesis can still become one of the n best. Log-probabilities only fall and lp is monotonic in the length,
  /// so a live one's score is bounded by its log-probability over the larger lp of the next and the last possible length.
  bool done() {
    if (live_.empty()) return true;
    if (finished_.size() < static_cast<std::size_t>(options_->n_best)) return false;
    sort_finished();
    const double worst = finished_[static_cast<std::size_t>(options_->n_best - 1)].score;
    const double lp = std::max(length_penalty(*options_, length_ + 1), length_penalty(*options_, options_->max_length));
    return live_.front().log_prob / lp < worst;
  }

  const GenerateOptions* options_;
  std::vector<Hypothesis> live_;  // best first
  std::vector<Hypothesis> finished_;
  Index length_ = 0;
};

}  // namespace detail
}  // namespace heed::inline HEED_ABI
