#pragma once
// What BLEU, chrF and TER share: reference translations, the check of line counts, and signatures in sacreBLEU's form.

#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <heed/core/check.hpp>

namespace heed::inline HEED_ABI {

/// references[r][i] is reference r of line i: one inner vector a reference file.
using References = std::vector<std::vector<std::string>>;

/// The release of sacreBLEU whose numbers these scores equal; signatures name it.
inline constexpr std::string_view sacrebleu_version = "2.6.0";

/// Refuses no lines, no references, and unequal line counts (both are named).
inline void check_references(std::string_view function, std::span<const std::string> hypotheses,
                             const References& references) {
  const std::string name(function);
  check(!hypotheses.empty(), [&] { return name + ": hypotheses has no line, wanted at least one"; });
  check(!references.empty(), [&] { return name + ": references is empty, wanted at least one reference"; });
  for (std::size_t r = 0; r < references.size(); ++r)
    check(references[r].size() == hypotheses.size(), [&] {
      return name + ": references[" + std::to_string(r) + "] has " + std::to_string(references[r].size()) +
             " lines, wanted " + std::to_string(hypotheses.size()) + " as hypotheses has";
    });
}

/// Refuses an empty list of references of one sentence.
inline void check_references(std::string_view function, std::span<const std::string> references) {
  check(!references.empty(),
        [&] { return std::string(function) + ": references is empty, wanted at least one reference"; });
}

/// The references of one line.
inline std::vector<std::string> references_of_line(const References& references, std::size_t line) {
  std::vector<std::string> texts;
  for (const auto& reference : references) texts.push_back(reference[line]);
  return texts;
}

namespace detail {

/// The sum of per_line(hypothesis, its references) over all lines, in line order.
template <class Statistics, class PerLine>
Statistics sum_over_lines(std::span<const std::string> hypotheses, const References& references, PerLine per_line) {
  Statistics sum = per_line(hypotheses[0], references_of_line(references, 0));
  for (std::size_t i = 1; i < hypotheses.size(); ++i) sum += per_line(hypotheses[i], references_of_line(references, i));
  return sum;
}

/// "0.10", whatever the locale.
inline std::string two_decimals(double value) {
  char digits[400];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value, std::chars_format::fixed, 2);
  return std::string(digits, end.ptr);
}

inline std::string yes_or_no(bool value) { return value ? "yes" : "no"; }

/// "nrefs:1|" + middle + "|version:2.6.0"
inline std::string signature(Index reference_count, const std::string& middle) {
  return "nrefs:" + std::to_string(reference_count) + "|" + middle + "|version:" + std::string(sacrebleu_version);
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
