#pragma once
// What every way of generating a sentence shares: what drives it, its options, what it gives, and one row of logits.

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
#include <heed/simd/row.hpp>

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

/// A decoder that finds the likeliest tokens faster than by way of all logits: step_argmax(tokens, suppressed) feeds one token
/// per row and gives one per row, the one with the largest logit that is not suppressed, the lowest id among equals.
template <class D>
concept ArgmaxDecoder = StepDecoder<D> && requires(D& decoder, std::span<const Index> tokens) {
  { decoder.step_argmax(tokens, tokens) } -> std::convertible_to<std::vector<Index>>;
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

/// A row of logits whose suppressed tokens are gone; normaliser is its logsumexp (0 for log-probabilities).
template <class T>
struct NextTokens {
  const T* logits;
  Index vocab_size;
  double normaliser;

  NextTokens(T* row, Index count, const GenerateOptions& options) : logits(row), vocab_size(count) {
    suppress(row, options.suppressed);
    normaliser = options.scores == StepScores::logits ? static_cast<double>(logsumexp_row(row, count)) : 0;
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
};

}  // namespace detail
}  // namespace heed::inline HEED_ABI
