#pragma once
// How sentences are generated: the options of greedy search, beam search and sampling, and what is refused.

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// What generate() runs.
enum class Search { greedy, beam, sampling };

/// How a hypothesis' length enters its score: log_prob as it is; divided by length^alpha; divided by
/// ((5 + length) / 6)^alpha (Wu et al. 2016, eq. 14); or plus alpha per token (He et al. 2016, "word reward").
enum class LengthPenalty { none, power, gnmt, word_reward };

/// What is added to a score for source positions that were looked at too little, or too much; c_i is the attention that
/// source position i has had from all tokens together:
///   gnmt     beta * sum_i log(min(c_i, 1))     (Wu et al. 2016, eq. 14; c_i is at least the smallest normal float)
///   summary  -beta * sum_i (max(c_i, 1) - 1)   (Gehrmann, Deng and Rush 2018)
enum class CoveragePenalty { none, gnmt, summary };

/// What a decoder's step returns: logits, normalised here, or log-probabilities, taken as they are.
enum class StepScores { logits, log_probabilities };

/// How a token is drawn. The distribution is softmax(logits / temperature), cut to the top_k likeliest tokens (A. Fan,
/// M. Lewis and Y. Dauphin, "Hierarchical Neural Story Generation", 2018) and of those to the fewest
/// likeliest ones that hold at least top_p of the mass (A. Holtzman et al., "The Curious Case of Neural Text
/// Degeneration", 2020, section 3.1). Among equals the lower id counts as likelier.
struct SamplingOptions {
  double temperature = 1;
  Index top_k = 0;  // 0: all
  double top_p = 1;
  std::uint64_t seed = 1;
};

/// Tokens that a hypothesis may not or must take, given what it has so far. Rules change what may be chosen, never how
/// the model rates it: log-probabilities stay the model's, except under a repetition penalty.
struct TokenRules {
  struct Forced {
    Index position = 0, token = 0;
  };
  Index min_length = 0;         // tokens per result, the end token counted
  double min_length_ratio = 0;  // the same, of the source's length (SourceFacts), rounded up
  double max_length_ratio = 0;  // tokens per result at most, of the source's length, rounded up; 0: max_length alone
  Index no_repeat_ngram = 0;    // no n-gram of this size twice (Paulus, Xiong and Socher 2017, section 2.5); 0: any
  // A logit of a token that the hypothesis has is divided by this if positive, else multiplied (Keskar et al. 2019,
  // section 4.1)
  double repetition_penalty = 1;
  std::vector<std::vector<Index>> banned = {};  // sequences of tokens that never occur
  std::vector<Forced> forced = {};              // tokens that all results have at these positions
};

/// What is known of each source: empty, or one entry per row that the decoder starts with.
struct SourceFacts {
  std::vector<Index> lengths = {};                // tokens; wanted by length ratios and by coverage
  std::vector<std::vector<Index>> prefixes = {};  // a result begins with these tokens
  std::vector<std::uint64_t> keys = {};           // what a source's draws depend on besides the seed; empty: its place
};

struct GenerateOptions {
  Index bos = 1;
  Index eos = 2;
  Index max_length = 50;               // tokens per result, the end token counted
  std::vector<Index> suppressed = {};  // never produced, as if the vocabulary had none of them
  StepScores scores = StepScores::logits;
  Index beam = 5;    // beam search only
  Index n_best = 1;  // results per source: at most beam of a beam search, independent samples of sampling
  LengthPenalty length_penalty = LengthPenalty::power;
  double alpha = 0.6;
  CoveragePenalty coverage_penalty = CoveragePenalty::none;
  double beta = 0.2;
  Search search = Search::beam;  // of generate()
  SamplingOptions sampling = {};
  TokenRules rules = {};
  SourceFacts sources = {};
};

namespace detail {

inline void check_token(const char* name, Index token, Index vocab_size) {
  check(token >= 0 && token < vocab_size, [&] {
    return std::string("generate: ") + name + " is " + std::to_string(token) + ", wanted one of 0 to " +
           std::to_string(vocab_size - 1);
  });
}

inline void check_at_least(Index least, const char* name, Index value) {
  check(value >= least, [&] {
    return std::string("generate: ") + name + " is " + std::to_string(value) + ", wanted at least " +
           std::to_string(least);
  });
}

/// `right` is false for NaN too.
inline void check_real(bool right, const char* name, double value, const char* wanted) {
  check(right,
        [&] { return std::string("generate: ") + name + " is " + std::to_string(value) + ", wanted " + wanted; });
}

inline void check_sampling(const SamplingOptions& options) {
  const bool is_number = options.temperature > 0 && std::isfinite(options.temperature);
  check_real(is_number, "temperature", options.temperature, "a finite number above 0");
  check_at_least(0, "top_k", options.top_k);
  check_real(options.top_p > 0 && options.top_p <= 1, "top_p", options.top_p, "a number above 0 and at most 1");
}

inline void check_rules(const TokenRules& rules, Index max_length, Index vocab_size) {
  check_at_least(0, "min_length", rules.min_length);
  check(rules.min_length <= max_length, [&] {
    return "generate: min_length is " + std::to_string(rules.min_length) + ", wanted at most max_length " +
           std::to_string(max_length);
  });
  const auto is_ratio = [](double ratio) { return ratio >= 0 && std::isfinite(ratio); };
  check_real(is_ratio(rules.min_length_ratio), "min_length_ratio", rules.min_length_ratio, "a finite number from 0");
  check_real(is_ratio(rules.max_length_ratio), "max_length_ratio", rules.max_length_ratio, "a finite number from 0");
  const bool ordered = rules.max_length_ratio == 0 || rules.min_length_ratio <= rules.max_length_ratio;
  check_real(ordered, "min_length_ratio", rules.min_length_ratio, "at most max_length_ratio");
  check_at_least(0, "no_repeat_ngram", rules.no_repeat_ngram);
  const double penalty = rules.repetition_penalty;
  check_real(penalty > 0 && std::isfinite(penalty), "repetition_penalty", penalty, "a finite number above 0");
  for (const std::vector<Index>& sequence : rules.banned) {
    check(!sequence.empty(),
          [] { return std::string("generate: a banned sequence is empty, wanted at least one token"); });
    for (const Index token : sequence) check_token("a banned token", token, vocab_size);
  }
  for (const TokenRules::Forced& forced : rules.forced) {
    check_at_least(0, "a forced position", forced.position);
    check_token("a forced token", forced.token, vocab_size);
  }
}

inline void check_sources(const GenerateOptions& options, Index sources, Index vocab_size) {
  const SourceFacts& facts = options.sources;
  const auto check_count = [&](const char* name, std::size_t count) {
    check(count == 0 || static_cast<Index>(count) == sources, [&] {
      return std::string("generate: sources.") + name + " has " + std::to_string(count) +
             " entries, wanted none or one per source, " + std::to_string(sources);
    });
  };
  check_count("lengths", facts.lengths.size());
  check_count("prefixes", facts.prefixes.size());
  check_count("keys", facts.keys.size());
  for (const Index length : facts.lengths) check_at_least(0, "a source's length", length);
  for (const std::vector<Index>& prefix : facts.prefixes)
    for (const Index token : prefix) check_token("a prefix's token", token, vocab_size);
  const bool needed = options.rules.min_length_ratio > 0 || options.rules.max_length_ratio > 0 ||
                      options.coverage_penalty != CoveragePenalty::none;
  check(!needed || sources == 0 || !facts.lengths.empty(),
        [] { return std::string("generate: sources.lengths is empty, wanted for length ratios and coverage"); });
}

inline void check_options(const GenerateOptions& options, Index vocab_size, Index sources) {
  check_token("bos", options.bos, vocab_size);
  check_token("eos", options.eos, vocab_size);
  for (const Index token : options.suppressed) {
    check_token("a suppressed token", token, vocab_size);
    check(token != options.eos, [] { return std::string("generate: eos is suppressed, wanted it possible"); });
  }
  check_at_least(1, "max_length", options.max_length);
  check_at_least(1, "n_best", options.n_best);
  check(std::isfinite(options.alpha), [] { return std::string("generate: alpha is not finite"); });
  check_real(options.beta >= 0 && std::isfinite(options.beta), "beta", options.beta, "a finite number from 0");
  check_rules(options.rules, options.max_length, vocab_size);
  check_sources(options, sources, vocab_size);
}

inline void check_beam(const GenerateOptions& options) {
  check_at_least(1, "beam", options.beam);
  check(options.n_best <= options.beam, [&] {
    return "generate: n_best is " + std::to_string(options.n_best) + ", wanted at most beam " +
           std::to_string(options.beam);
  });
}

}  // namespace detail
}  // namespace heed::inline HEED_ABI
