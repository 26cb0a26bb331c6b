#pragma once
// BLEU: the geometric mean of n-gram precisions times a brevity penalty, equal to sacreBLEU 2.6's.
// K. Papineni, S. Roukos, T. Ward, W.-J. Zhu, "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL
// 2002.
// Smoothing: B. Chen, C. Cherry, "A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU", WMT 2014.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <heed/text/bleu_tokenize.hpp>
#include <heed/text/ngrams.hpp>
#include <heed/text/references.hpp>

namespace heed::inline HEED_ABI {

/// What an n-gram order without a match gets: nothing (the score is 0), smooth_value matches, smooth_value added to
/// matches and totals of all orders above 1, or half, a quarter ... of a match.
enum class BleuSmoothing { none, floor, add_k, exponential };

/// "none", "floor", "add-k", "exp": sacreBLEU's names.
inline std::string_view bleu_smoothing_name(BleuSmoothing smoothing) {
  constexpr std::string_view names[] = {"none", "floor", "add-k", "exp"};
  return names[static_cast<int>(smoothing)];
}

/// The smoothing with this name. Throws Error for any other.
inline BleuSmoothing bleu_smoothing_from_name(std::string_view name) {
  using enum BleuSmoothing;
  for (const BleuSmoothing smoothing : {none, floor, add_k, exponential})
    if (name == bleu_smoothing_name(smoothing)) return smoothing;
  fail("bleu_smoothing_from_name: name is " + quote(name) + ", wanted none, floor, add-k or exp");
}

struct BleuOptions {
  BleuTokenizer tokenizer = BleuTokenizer::mteval_13a;
  BleuSmoothing smoothing = BleuSmoothing::exponential;
  std::optional<double> smooth_value = {};  // of floor (default 0.1) and add_k (default 1)
  bool lowercase = false;
  bool effective_order = false;  // leave out orders that the hypothesis is too short for; for sentence scores
  Index max_order = 4;
};

/// What lines are summed by: scores of corpora are scores of sums.
struct BleuStatistics {
  Index hypothesis_length = 0;
  Index reference_length = 0;          // of the references closest in length
  std::vector<Index> matches, totals;  // (max_order)

  BleuStatistics& operator+=(const BleuStatistics& other) {
    hypothesis_length += other.hypothesis_length;
    reference_length += other.reference_length;
    for (std::size_t n = 0; n < matches.size(); ++n) matches[n] += other.matches[n], totals[n] += other.totals[n];
    return *this;
  }
};

struct BleuScore {
  double score = 0;                    // 0 to 100
  std::vector<double> counts, totals;  // (max_order): matches and n-grams, after add_k
  std::vector<double> precisions;      // (max_order): percent, smoothed
  double brevity_penalty = 1;
  Index hypothesis_length = 0, reference_length = 0;
};

/// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0", sacreBLEU's form.
inline std::string bleu_signature(const BleuOptions& options, Index reference_count) {
  std::string smoothing(bleu_smoothing_name(options.smoothing));
  if (options.smoothing == BleuSmoothing::floor || options.smoothing == BleuSmoothing::add_k)
    smoothing +=
        "[" +
        detail::two_decimals(options.smooth_value.value_or(options.smoothing == BleuSmoothing::floor ? 0.1 : 1.0)) +
        "]";
  return detail::signature(reference_count, "case:" + std::string(options.lowercase ? "lc" : "mixed") +
                                                "|eff:" + detail::yes_or_no(options.effective_order) +
                                                "|tok:" + std::string(bleu_tokenizer_name(options.tokenizer)) +
                                                "|smooth:" + smoothing);
}

namespace detail {

inline void check_bleu(std::string_view function, const BleuOptions& options) {
  check(options.max_order >= 1, [&] {
    return std::string(function) + ": max_order is " + std::to_string(options.max_order) + ", wanted at least 1";
  });
  check(!options.smooth_value || (std::isfinite(*options.smooth_value) && *options.smooth_value >= 0), [&] {
    return std::string(function) + ": smooth_value is " + std::to_string(*options.smooth_value) +
           ", wanted a finite number of at least 0";
  });
}

inline std::u32string bleu_words(std::string_view line, const BleuOptions& options, WordNumbers<>& numbers) {
  const std::string lowered = options.lowercase ? lower_case(line) : std::string(line);
  const std::string tokenized = bleu_tokenize(options.tokenizer, without_trailing_space(lowered));
  std::vector<std::string> words;
  for (const std::string_view word : split_at_space(tokenized)) words.emplace_back(word);
  return numbers(words);
}

/// The length closest to the hypothesis', the shorter of two as close.
inline Index closest_length(Index length, std::span<const std::u32string> references) {
  Index closest = -1;
  for (const std::u32string& reference : references) {
    const auto candidate = static_cast<Index>(reference.size());
    const Index distance = std::abs(candidate - length), best = std::abs(closest - length);
    if (closest < 0 || distance < best || (distance == best && candidate < closest)) closest = candidate;
  }
  return closest;
}

}  // namespace detail

/// Matches and lengths of one line; an n-gram matches as often as the reference that has it most often. Throws Error
/// for invalid UTF-8, no references and options out of range.
inline BleuStatistics bleu_statistics(std::string_view hypothesis, std::span<const std::string> references,
                                      const BleuOptions& options = {}) {
  check_references("bleu_statistics", references);
  detail::check_bleu("bleu_statistics", options);
  WordNumbers<> numbers;
  const std::u32string words = detail::bleu_words(hypothesis, options, numbers);
  std::vector<std::u32string> reference_words;
  for (const std::string& reference : references)
    reference_words.push_back(detail::bleu_words(reference, options, numbers));
  BleuStatistics statistics;
  statistics.hypothesis_length = static_cast<Index>(words.size());
  statistics.reference_length = detail::closest_length(statistics.hypothesis_length, reference_words);
  for (Index order = 1; order <= options.max_order; ++order) {
    NgramCounts merged;
    for (const std::u32string& reference : reference_words)
      for (const auto& entry : count_ngrams(reference, order)) {
        Index& most = merged[entry.first];
        most = std::max(most, entry.second);
      }
    statistics.matches.push_back(count_matches(count_ngrams(words, order), merged));
    statistics.totals.push_back(std::max(Index{0}, statistics.hypothesis_length - order + 1));
  }
  return statistics;
}

/// The score of summed statistics; 0 where nothing matches, never NaN.
inline BleuScore bleu_score(const BleuStatistics& sum, const BleuOptions& options = {}) {
  detail::check_bleu("bleu_score", options);
  BleuScore result;
  result.hypothesis_length = sum.hypothesis_length;
  result.reference_length = sum.reference_length;
  result.counts.assign(sum.matches.begin(), sum.matches.end());
  result.totals.assign(sum.totals.begin(), sum.totals.end());
  result.precisions.assign(sum.matches.size(), 0.0);
  if (sum.hypothesis_length < sum.reference_length)
    result.brevity_penalty =
        sum.hypothesis_length == 0
            ? 0.0
            : std::exp(1 - static_cast<double>(sum.reference_length) / static_cast<double>(sum.hypothesis_length));
  if (std::all_of(sum.matches.begin(), sum.matches.end(), [](Index matches) { return matches == 0; })) return result;
  const double floor_value = options.smooth_value.value_or(0.1), added = options.smooth_value.value_or(1.0);
  double halvings = 1;
  std::size_t orders = result.precisions.size();
  for (std::size_t n = 0; n < result.precisions.size(); ++n) {
    if (options.smoothing == BleuSmoothing::add_k && n > 0) result.counts[n] += added, result.totals[n] += added;
    if (result.totals[n] == 0) break;
    if (options.effective_order) orders = n + 1;
    double matches = result.counts[n];
    if (matches == 0 && options.smoothing == BleuSmoothing::exponential) matches = 1 / (halvings *= 2);
    if (matches == 0 && options.smoothing == BleuSmoothing::floor) matches = floor_value;
    result.precisions[n] = 100 * matches / result.totals[n];
  }
  double log_sum = 0;
  for (std::size_t n = 0; n < orders; ++n) log_sum += std::log(result.precisions[n]);  // log(0) = -inf makes 0
  result.score = result.brevity_penalty * std::exp(log_sum / static_cast<double>(orders));
  return result;
}

/// BLEU of a corpus: references[r][i] is reference r of hypotheses[i]. Throws Error for no lines, unequal line counts
/// and invalid UTF-8.
inline BleuScore corpus_bleu(std::span<const std::string> hypotheses, const References& references,
                             const BleuOptions& options = {}) {
  check_references("corpus_bleu", hypotheses, references);
  return bleu_score(detail::sum_over_lines<BleuStatistics>(
                        hypotheses, references,
                        [&](const std::string& hypothesis, const std::vector<std::string>& of_line) {
                          return bleu_statistics(hypothesis, of_line, options);
                        }),
                    options);
}

/// BLEU of one sentence; effective_order is advised. Throws Error for no references and invalid UTF-8.
inline BleuScore sentence_bleu(std::string_view hypothesis, std::span<const std::string> references,
                               const BleuOptions& options = {}) {
  return bleu_score(bleu_statistics(hypothesis, references, options), options);
}

}  // namespace heed::inline HEED_ABI
