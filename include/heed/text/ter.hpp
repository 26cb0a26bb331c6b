#pragma once
// TER: the edits that turn a hypothesis into its reference (insert, remove, replace a word, shift a run of words), by
// reference word; equal to sacreBLEU 2.6's, which follows Tercom.
// M. Snover, B. Dorr, R. Schwartz, L. Micciulla, J. Makhoul, "A Study of Translation Edit Rate with Targeted Human
// Annotation", AMTA 2006.

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <heed/text/edit_distance.hpp>
#include <heed/text/ngrams.hpp>
#include <heed/text/references.hpp>
#include <heed/text/ter_tokenize.hpp>

namespace heed::inline HEED_ABI {

/// What lines are summed by.
struct TerStatistics {
  Index edits = 0;              // against the reference with the fewest
  double reference_length = 0;  // mean of the references'

  TerStatistics& operator+=(const TerStatistics& other) {
    edits += other.edits;
    reference_length += other.reference_length;
    return *this;
  }
};

/// "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0", sacreBLEU's form.
inline std::string ter_signature(const TerOptions& options, Index reference_count) {
  return detail::signature(reference_count, "case:" + std::string(options.case_sensitive ? "mixed" : "lc") +
                                                "|tok:tercom|norm:" + detail::yes_or_no(options.normalized) +
                                                "|punct:" + detail::yes_or_no(!options.no_punct) +
                                                "|asian:" + detail::yes_or_no(options.asian_support));
}

namespace detail {

inline constexpr Index max_shift_size = 10;          // words in a shifted run: Tercom's
inline constexpr Index max_shift_distance = 50;      // words that a run moves: Tercom's
inline constexpr Index max_shift_candidates = 1000;  // shifts tried for one line: sacreBLEU's

/// Which words take part in an edit, and where in the hypothesis each reference word belongs.
struct Alignment {
  std::vector<Index> place;  // (reference words): the hypothesis word beside it or before it, -1 before the first
  std::vector<bool> reference_wrong, hypothesis_wrong;
};

inline Alignment align(std::span<const Edit> edits) {
  Alignment alignment;
  Index hypothesis = -1;
  for (const Edit edit : edits) {
    const bool wrong = edit != Edit::keep;
    if (edit != Edit::insert) {
      ++hypothesis;
      alignment.hypothesis_wrong.push_back(wrong);
    }
    if (edit == Edit::remove) continue;
    alignment.place.push_back(hypothesis);
    alignment.reference_wrong.push_back(wrong);
  }
  return alignment;
}

inline bool any_wrong(const std::vector<bool>& wrong, Index first, Index count) {
  return std::find(wrong.begin() + first, wrong.begin() + first + count, true) != wrong.begin() + first + count;
}

/// `words` with the run [start, start + length) put before the word at `target`; a target inside the run moves it
/// behind as many of the words that follow.
inline std::u32string shifted(std::u32string_view words, Index start, Index length, Index target) {
  const auto part = [&](Index first, Index end) {
    const auto count = static_cast<Index>(words.size());
    first = std::min(first, count);
    return words.substr(static_cast<std::size_t>(first), static_cast<std::size_t>(std::min(end, count) - first));
  };
  const auto count = static_cast<Index>(words.size());
  const std::u32string_view run = part(start, start + length);
  std::u32string out;
  if (target < start) {
    (((out += part(0, target)) += run) += part(target, start)) += part(start + length, count);
  } else {
    const Index end = target > start + length ? target : target + length;
    (((out += part(0, start)) += part(start + length, end)) += run) += part(end, count);
  }
  return out;
}

/// The search for shifts that bring a hypothesis nearer to a reference; words are numbers.
class ShiftSearch {
 public:
  ShiftSearch(std::u32string_view hypothesis, std::u32string_view reference)
      : words_(hypothesis), reference_(reference), current_(reference), candidate_(reference) {}

  /// Edits, shifts counted as one each.
  Index run() {
    if (reference_.empty()) return static_cast<Index>(words_.size());
    Index shifts = 0;
    while (shift_once()) ++shifts;
    return shifts + current_(words_);
  }

 private:
  /// Ranked as Tercom ranks: most edits saved, longest run, earliest run, earliest target.
  struct Shift {
    Index saved, length, start, target;
    std::tuple<Index, Index, Index, Index> rank() const { return {saved, length, -start, -target}; }
  };

  /// Takes the best shift if it saves an edit and the limit of tries is not reached.
  bool shift_once() {
    distance_ = current_(words_);
    alignment_ = align(current_.edits());
    has_best_ = false;
    find_shifts();
    if (tried_ >= max_shift_candidates || !has_best_ || best_.saved <= 0) return false;
    words_ = shifted(words_, best_.start, best_.length, best_.target);
    return true;
  }

  void find_shifts() {
    const auto words = static_cast<Index>(words_.size()), references = static_cast<Index>(reference_.size());
    for (Index start = 0; start < words; ++start)
      for (Index other = std::max(Index{0}, start - max_shift_distance);
           other < references && other <= start + max_shift_distance; ++other)
        for (Index length = 1; length <= max_shift_size && start + length <= words && other + length <= references &&
                               words_[at(start + length - 1)] == reference_[at(other + length - 1)];
             ++length)
          if (is_worth_trying(start, other, length)) {
            try_targets(start, other, length);
            if (tried_ >= max_shift_candidates) return;
          }
  }

  /// Both the run and the words it equals must take part in an edit, and the run must not lie there already.
  bool is_worth_trying(Index start, Index other, Index length) const {
    const Index place = alignment_.place[at(other)];
    const bool lies_there = start <= place && place < start + length;
    return !lies_there && any_wrong(alignment_.hypothesis_wrong, start, length) &&
           any_wrong(alignment_.reference_wrong, other, length);
  }

  void try_targets(Index start, Index other, Index length) {
    Index previous = -1;
    for (Index offset = -1; offset < length && other + offset < static_cast<Index>(reference_.size()); ++offset) {
      const Index target = other + offset < 0 ? 0 : alignment_.place[at(other + offset)] + 1;
      if (target == previous) continue;
      previous = target;
      const Shift shift{distance_ - candidate_(shifted(words_, start, length, target)), length, start, target};
      ++tried_;
      if (has_best_ && shift.rank() <= best_.rank()) continue;
      best_ = shift;
      has_best_ = true;
    }
  }

  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  std::u32string words_;
  std::u32string_view reference_;
  BandedEditDistance current_, candidate_;
  Index distance_ = 0, tried_ = 0;
  Alignment alignment_;
  Shift best_{};
  bool has_best_ = false;
};

/// A line's words as numbers after `passes` of the tokenizer. sacreBLEU sends references through it twice, which
/// normalized can tell: "..0" becomes ". .0", and that ". . 0".
inline std::u32string ter_words(std::string_view line, const TerOptions& options, int passes, WordNumbers<>& numbers) {
  std::string tokenized(line);
  for (int pass = 0; pass < passes; ++pass) tokenized = ter_tokenize(options, without_trailing_space(tokenized));
  std::vector<std::string> words;
  for (const std::string_view word : split_at_space(tokenized)) words.emplace_back(word);
  return numbers(words);
}

}  // namespace detail

/// Edits and length of one line. Throws Error for invalid UTF-8 and no references.
inline TerStatistics ter_statistics(std::string_view hypothesis, std::span<const std::string> references,
                                    const TerOptions& options = {}) {
  check_references("ter_statistics", references);
  WordNumbers<> numbers;
  const std::u32string words = detail::ter_words(hypothesis, options, 1, numbers);
  TerStatistics statistics;
  bool first = true;
  Index length_sum = 0;
  for (const std::string& reference : references) {
    const std::u32string reference_words = detail::ter_words(reference, options, 2, numbers);
    const Index edits = detail::ShiftSearch(words, reference_words).run();
    statistics.edits = first ? edits : std::min(statistics.edits, edits);
    length_sum += static_cast<Index>(reference_words.size());
    first = false;
  }
  statistics.reference_length = static_cast<double>(length_sum) / static_cast<double>(references.size());
  return statistics;
}

/// The score of summed statistics in percent, 0 is best and it may pass 100; empty references make 100, or 0 where the
/// hypotheses are empty too.
inline double ter_score(const TerStatistics& sum) {
  if (sum.reference_length > 0) return 100 * (static_cast<double>(sum.edits) / sum.reference_length);
  return sum.edits > 0 ? 100 : 0;
}

/// TER of a corpus: references[r][i] is reference r of hypotheses[i]. Throws Error for no lines, unequal line counts
/// and invalid UTF-8.
inline double corpus_ter(std::span<const std::string> hypotheses, const References& references,
                         const TerOptions& options = {}) {
  check_references("corpus_ter", hypotheses, references);
  return ter_score(detail::sum_over_lines<TerStatistics>(
      hypotheses, references, [&](const std::string& hypothesis, const std::vector<std::string>& of_line) {
        return ter_statistics(hypothesis, of_line, options);
      }));
}

/// TER of one sentence. Throws Error for no references and invalid UTF-8.
inline double sentence_ter(std::string_view hypothesis, std::span<const std::string> references,
                           const TerOptions& options = {}) {
  return ter_score(ter_statistics(hypothesis, references, options));
}

}  // namespace heed::inline HEED_ABI
