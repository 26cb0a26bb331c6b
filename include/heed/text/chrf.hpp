#pragma once
// chrF: the F-score of character n-grams, and chrF++, which adds word n-grams; equal to sacreBLEU 2.6's.
// M. Popovic, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015; "chrF++: words helping character
// n-grams", WMT 2017.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <heed/text/ngrams.hpp>
#include <heed/text/references.hpp>
#include <heed/text/unicode.hpp>

namespace heed::inline HEED_ABI {

/// word_order 0 is chrF, 2 is chrF++.
struct ChrfOptions {
  Index char_order = 6;
  Index word_order = 0;
  Index beta = 2;  // recall weighs beta times as much as precision
  bool lowercase = false;
  bool whitespace = false;     // count white space in character n-grams
  bool eps_smoothing = false;  // mean of F-scores with 1e-16 for nothing, as chrF++.py, NLTK and Moses do
};

/// Counts of one n-gram order.
struct ChrfOrder {
  Index hypothesis = 0, reference = 0, matches = 0;
};

/// What lines are summed by.
struct ChrfStatistics {
  std::vector<ChrfOrder> orders;  // (char_order + word_order)

  ChrfStatistics& operator+=(const ChrfStatistics& other) {
    for (std::size_t i = 0; i < orders.size(); ++i) {
      orders[i].hypothesis += other.orders[i].hypothesis;
      orders[i].reference += other.orders[i].reference;
      orders[i].matches += other.orders[i].matches;
    }
    return *this;
  }
};

/// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0", sacreBLEU's form.
inline std::string chrf_signature(const ChrfOptions& options, Index reference_count) {
  return detail::signature(reference_count, "case:" + std::string(options.lowercase ? "lc" : "mixed") +
                                                "|eff:" + detail::yes_or_no(!options.eps_smoothing) +
                                                "|nc:" + std::to_string(options.char_order) +
                                                "|nw:" + std::to_string(options.word_order) +
                                                "|space:" + detail::yes_or_no(options.whitespace));
}

/// "chrF2", "chrF2++": with beta, and a + for each word order.
inline std::string chrf_name(const ChrfOptions& options) {
  return "chrF" + std::to_string(options.beta) + std::string(static_cast<std::size_t>(options.word_order), '+');
}

namespace detail {

inline void check_chrf(std::string_view function, const ChrfOptions& options) {
  const auto at_least = [&](const char* name, Index value, Index least) {
    check(value >= least, [&] {
      return std::string(function) + ": " + name + " is " + std::to_string(value) + ", wanted at least " +
             std::to_string(least);
    });
  };
  at_least("char_order", options.char_order, 0);
  at_least("word_order", options.word_order, 0);
  at_least("char_order + word_order", options.char_order + options.word_order, 1);
  at_least("beta", options.beta, 0);
}

/// Words with one ASCII punctuation sign parted from their end or, where there is none, from their beginning.
inline std::vector<std::u32string> chrf_words(std::u32string_view text) {
  std::vector<std::u32string> words;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && !is_space(text[end])) ++end;
    const std::u32string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    std::size_t cut = 0;
    if (word.size() > 1 && is_ascii_punctuation(word.back()))
      cut = word.size() - 1;
    else if (word.size() > 1 && is_ascii_punctuation(word.front()))
      cut = 1;
    if (cut > 0) words.emplace_back(word.substr(0, cut));
    words.emplace_back(word.substr(cut));
  }
  return words;
}

/// A line as the units of its character n-grams and of its word n-grams.
struct ChrfUnits {
  std::u32string characters, words;
};

inline ChrfUnits chrf_units(std::string_view line, const ChrfOptions& options, WordNumbers<std::u32string>& numbers) {
  std::u32string text = decode_utf8(line);
  if (options.lowercase) text = to_lower(text);
  ChrfUnits units;
  if (options.word_order > 0) units.words = numbers(chrf_words(text));
  if (!options.whitespace) std::erase_if(text, is_space);
  units.characters = std::move(text);
  return units;
}

inline ChrfOrder compare_order(std::u32string_view hypothesis, std::u32string_view reference, Index order) {
  const NgramCounts counts = count_ngrams(reference, order);
  const auto runs = [&](std::u32string_view units) {
    const Index count = static_cast<Index>(units.size()) - order + 1;
    return count > 0 ? count : 0;
  };
  // n-grams that no reference is long enough for do not count against the hypothesis.
  return {counts.empty() ? 0 : runs(hypothesis), runs(reference),
          count_matches(count_ngrams(hypothesis, order), counts)};
}

inline double ratio_or(Index part, Index whole, double otherwise) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : otherwise;
}

}  // namespace detail

/// The score, 0 to 100, of summed statistics; 0 where nothing matches, never NaN.
inline double chrf_score(const ChrfStatistics& sum, const ChrfOptions& options = {}) {
  constexpr double eps = 1e-16;
  const auto factor = static_cast<double>(options.beta * options.beta);
  double score = 0, precision_sum = 0, recall_sum = 0;
  Index orders = 0;
  for (const ChrfOrder& order : sum.orders) {
    const double precision = detail::ratio_or(order.matches, order.hypothesis, eps);
    const double recall = detail::ratio_or(order.matches, order.reference, eps);
    const double denominator = factor * precision + recall;
    score += denominator > 0 ? (1 + factor) * precision * recall / denominator : eps;
    if (order.hypothesis == 0 || order.reference == 0) continue;
    precision_sum += precision;
    recall_sum += recall;
    ++orders;
  }
  if (options.eps_smoothing) return 100 * score / static_cast<double>(options.char_order + options.word_order);
  if (precision_sum + recall_sum == 0) return 0;
  const double precision = precision_sum / static_cast<double>(orders);
  const double recall = recall_sum / static_cast<double>(orders);
  return 100 * ((1 + factor) * precision * recall / (factor * precision + recall));
}

/// Counts of one line against the reference that scores best, the first of equals. Throws Error for invalid UTF-8, no
/// references and options out of range.
inline ChrfStatistics chrf_statistics(std::string_view hypothesis, std::span<const std::string> references,
                                      const ChrfOptions& options = {}) {
  check_references("chrf_statistics", references);
  detail::check_chrf("chrf_statistics", options);
  WordNumbers<std::u32string> numbers;
  const detail::ChrfUnits own = detail::chrf_units(hypothesis, options, numbers);
  ChrfStatistics best;
  double best_score = -1;
  for (const std::string& reference : references) {
    const detail::ChrfUnits other = detail::chrf_units(reference, options, numbers);
    ChrfStatistics statistics;
    for (Index order = 1; order <= options.char_order; ++order)
      statistics.orders.push_back(detail::compare_order(own.characters, other.characters, order));
    for (Index order = 1; order <= options.word_order; ++order)
      statistics.orders.push_back(detail::compare_order(own.words, other.words, order));
    const double score = chrf_score(statistics, options);
    if (score <= best_score) continue;
    best_score = score;
    best = std::move(statistics);
  }
  return best;
}

/// chrF of a corpus: references[r][i] is reference r of hypotheses[i]. Throws Error for no lines, unequal line counts
/// and invalid UTF-8.
inline double corpus_chrf(std::span<const std::string> hypotheses, const References& references,
                          const ChrfOptions& options = {}) {
  check_references("corpus_chrf", hypotheses, references);
  return chrf_score(detail::sum_over_lines<ChrfStatistics>(
                        hypotheses, references,
                        [&](const std::string& hypothesis, const std::vector<std::string>& of_line) {
                          return chrf_statistics(hypothesis, of_line, options);
                        }),
                    options);
}

/// chrF of one sentence. Throws Error for no references and invalid UTF-8.
inline double sentence_chrf(std::string_view hypothesis, std::span<const std::string> references,
                            const ChrfOptions& options = {}) {
  return chrf_score(chrf_statistics(hypothesis, references, options), options);
}

}  // namespace heed::inline HEED_ABI
