#pragma once
// Turning a model into sentences: greedy and beam search over anything that offers next-token logits row by row.
// Every source's result is independent of its neighbours: one source at a time and 64 at once give the same tokens and scores
// (SEMANTICS 26), because a row of logits does not depend on the other rows.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/view.hpp>
#include <heed/kernels/softmax.hpp>

namespace heed::inline HEED_ABI {

/// What greedy and beam search drive. A decoder holds rows, each one unfinished hypothesis; it starts with one row per source.
///   vocab_size(), rows()
///   reorder(parents): row r goes on from what was row parents[r]; any number of rows, repeats allowed
///   step(tokens): feeds one token per row, returns (rows, vocab_size) logits that the caller may write to
template <class D>
concept StepDecoder = requires(D& decoder, std::span<const Index> rows) {
  { decoder.vocab_size() } -> std::convertible_to<Index>;
  { decoder.rows() } -> std::convertible_to<Index>;
  decoder.reorder(rows);
  decoder.step(rows).row(Index{0});
};

/// lp(length) that a log-probability is divided by: 1, length^alpha, or ((5 + length) / 6)^alpha (Wu et al. 2016, eq. 14).
enum class LengthPenalty { none, power, gnmt };

/// What a decoder's step returns: logits, normalised here, or log-probabilities, taken as they are.
enum class StepScores { logits, log_probabilities };

struct GenerateOptions {
  Index bos = 1;
  Index eos = 2;
  Index max_length = 50;              // tokens per result, the end token counted
  std::vector<Index> suppressed = {};  // never produced
  StepScores scores = StepScores::logits;
  Index beam = 5;                     // beam search only, as all below
  Index n_best = 1;                   // results per source, at most beam
  LengthPenalty length_penalty = LengthPenalty::power;
  double alpha = 0.6;
};

struct Hypothesis {
  std::vector<Index> tokens;  // without the start token; ends in the end token unless the step limit came first
  double log_prob = 0;        // sum over tokens, in nats
  double score = 0;           // log_prob / lp(tokens.size())
};

/// lp(length) of these options.
inline double length_penalty(const GenerateOptions& options, Index length) {
  const auto tokens = static_cast<double>(length);
  switch (options.length_penalty) {
    case LengthPenalty::none: return 1;
    case LengthPenalty::power: return std::pow(tokens, options.alpha);
    case LengthPenalty::gnmt: return std::pow((5 + tokens) / 6, options.alpha);
  }
  return 1;
}

namespace detail {

inline void check_token(const char* name, Index token, Index vocab_size) {
  check(token >= 0 && token < vocab_size, [&] {
    return std::string("generate: ") + name + " is " + std::to_string(token) + ", wanted one of 0 to " +
           std::to_string(vocab_size - 1);
  });
}

inline void check_positive(const char* name, Index value) {
  check(value > 0, [&] { return std::string("generate: ") + name + " is " + std::to_string(value) + ", wanted at least 1"; });
}

inline void check_options(const GenerateOptions& options, Index vocab_size) {
  check_token("bos", options.bos, vocab_size);
  check_token("eos", options.eos, vocab_size);
  for (const Index token : options.suppressed) {
    check_token("a suppressed token", token, vocab_size);
    check(token != options.eos, [] { return std::string("generate: eos is suppressed, wanted it possible"); });
  }
  check_positive("max_length", options.max_length);
  check_positive("beam", options.beam);
  check_positive("n_best", options.n_best);
  check(options.n_best <= options.beam, [&] {
    return "generate: n_best is " + std::to_string(options.n_best) + ", wanted at most beam " + std::to_string(options.beam);
  });
  check(std::isfinite(options.alpha), [] { return std::string("generate: alpha is not finite"); });
}

/// A row of logits whose suppressed tokens are gone; normaliser is its logsumexp (0 for log-probabilities).
template <class T>
struct NextTokens {
  const T* logits;
  Index vocab_size;
  double normaliser;

  NextTokens(T* row, Index count, const GenerateOptions& options) : logits(row), vocab_size(count) {
    for (const Index token : options.suppressed) row[token] = -std::numeric_limits<T>::infinity();
    normaliser = options.scores == StepScores::logits ? static_cast<double>(logsumexp_row(row, count)) : 0;
  }
  double log_prob(Index token) const { return static_cast<double>(logits[token]) - normaliser; }
  /// The likeliest token; the lowest id among equals.
  Index best() const { return std::max_element(logits, logits + vocab_size) - logits; }
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
};

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

  /// The 2 * beam best continuations of all live hypotheses, best first; equal ones by their token lists, ascending.
  template <class T>
  std::vector<Candidate> best_candidates(const MatrixView<T>& logits, Index first_row) const {
    std::vector<Candidate> all;
    const Index wanted = 2 * options_->beam;
    for (Index i = 0; i < live(); ++i) {
      const NextTokens<T> next(logits.row(first_row + i), logits.cols, *options_);
      for (const Index token : next.best(wanted)) {
        all.push_back({i, token, live_[static_cast<std::size_t>(i)].log_prob + next.log_prob(token)});
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

/// The likeliest token at every step until the end token or max_length. One hypothesis per row the decoder starts with.
/// Cost: one decoder step per token of the longest result; finished rows leave the batch.
template <StepDecoder D>
std::vector<Hypothesis> greedy(D& decoder, const GenerateOptions& options = {}) {
  detail::check_options(options, decoder.vocab_size());
  std::vector<Hypothesis> results(static_cast<std::size_t>(decoder.rows()));
  std::vector<Index> owner(results.size()), tokens(results.size(), options.bos), rows;
  for (std::size_t r = 0; r < owner.size(); ++r) owner[r] = static_cast<Index>(r);
  for (Index length = 0; length < options.max_length && !owner.empty(); ++length) {
    const auto logits = decoder.step(std::span<const Index>(tokens));
    std::vector<Index> still;
    rows.clear();
    tokens.clear();
    for (std::size_t r = 0; r < owner.size(); ++r) {
      const detail::NextTokens next(logits.row(static_cast<Index>(r)), logits.cols, options);
      const Index token = next.best();
      Hypothesis& result = results[static_cast<std::size_t>(owner[r])];
      result.tokens.push_back(token);
      result.log_prob += next.log_prob(token);
      if (token == options.eos) continue;
      still.push_back(owner[r]);
      rows.push_back(static_cast<Index>(r));
      tokens.push_back(token);
    }
    if (still.size() < owner.size()) decoder.reorder(std::span<const Index>(rows));
    owner = std::move(still);
  }
  for (Hypothesis& result : results) {
    result.score = result.log_prob / length_penalty(options, static_cast<Index>(result.tokens.size()));
  }
  return results;
}

/// Beam search as SEMANTICS 26: a hypothesis that takes the end token is final and leaves the beam; each step considers the
/// 2 * beam best continuations; at max_length the live ones are final too; the search stops when no live one can still be
/// among the n best. Returns, per row the decoder starts with, n_best hypotheses, best first (fewer if there are no more).
/// Cost: one decoder step of at most rows * beam rows per token of the longest result.
template <StepDecoder D>
std::vector<std::vector<Hypothesis>> beam_search(D& decoder, const GenerateOptions& options = {}) {
  detail::check_options(options, decoder.vocab_size());
  std::vector<detail::Beam> beams(static_cast<std::size_t>(decoder.rows()), detail::Beam(options));
  std::vector<Index> tokens(beams.size(), options.bos), parents;
  while (!tokens.empty()) {
    const auto logits = decoder.step(std::span<const Index>(tokens));
    parents.clear();
    tokens.clear();
    Index row = 0;
    for (detail::Beam& beam : beams) {
      const Index fed = beam.live();
      if (fed == 0) continue;
      beam.advance(logits, row, parents);
      for (Index i = 0; i < beam.live(); ++i) tokens.push_back(beam.last_token(i));
      row += fed;
    }
    decoder.reorder(std::span<const Index>(parents));
  }
  std::vector<std::vector<Hypothesis>> results;
  for (detail::Beam& beam : beams) results.push_back(std::move(beam).results());
  return results;
}

}  // namespace heed::inline HEED_ABI
