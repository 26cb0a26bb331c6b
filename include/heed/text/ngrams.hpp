#pragma once
// Counts of n-grams, what BLEU and chrF are made of. Units are code points, or numbers that stand for words.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// Occurrences of each n-gram; keys are views into the counted units.
using NgramCounts = std::unordered_map<std::u32string_view, Index>;

/// All runs of `order` units. `units` must outlive the counts.
inline NgramCounts count_ngrams(std::u32string_view units, Index order) {
  const auto length = static_cast<std::size_t>(order);
  NgramCounts counts;
  for (std::size_t at = 0; at + length <= units.size(); ++at) ++counts[units.substr(at, length)];
  return counts;
}

/// Matches of two counts: the sum of the smaller ones.
inline Index count_matches(const NgramCounts& hypothesis, const NgramCounts& reference) {
  Index matches = 0;
  for (const auto& entry : hypothesis) {
    const auto found = reference.find(entry.first);
    if (found != reference.end()) matches += entry.second < found->second ? entry.second : found->second;
  }
  return matches;
}

/// Gives equal words equal numbers, so that a sentence is a string of them.
template <class Word = std::string>
class WordNumbers {
 public:
  std::u32string operator()(const std::vector<Word>& words) {
    std::u32string units;
    for (const Word& word : words)
      units += numbers_.emplace(word, static_cast<char32_t>(numbers_.size())).first->second;
    return units;
  }

 private:
  std::unordered_map<Word, char32_t> numbers_;
};

}  // namespace heed::inline HEED_ABI
