#pragma once
// Learning the merges of a byte-pair encoding: again and again the most frequent pair of neighbouring symbols becomes
// one symbol. Counts are kept up to date where a merge changes them, never taken anew.
// R. Sennrich, B. Haddow, A. Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016,
// algorithm 1.
//
// The merges are those of subword-nmt 0.3, whose counts are not quite those of the text: rare pairs wait in a second
// table, and what is added to a waiting pair replaces its count instead of adding to it. That shows where a symbol is
// made in two ways ("in g" and "i ng"), which happens in every corpus, so it is done here too.

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <heed/text/byte_pair_encoding.hpp>
#include <heed/text/unicode.hpp>

namespace heed::inline HEED_ABI {

struct LearnOptions {
  Index merges = 8000;      // at most
  Index min_frequency = 2;  // a pair that is seen less often ends the learning
};

namespace detail {

/// The pairs of all words with their counts, and where each stands.
class PairCounts {
 public:
  using Symbol = std::uint32_t;
  using Word = std::vector<Symbol>;

  struct Pair {
    Symbol left, right;
    Index count = 0;    // in the table that is searched
    Index waiting = 0;  // in the second table
    bool searched = false;
    struct Place {
      std::size_t word;
      Index count;
    };
    std::vector<Place> places;  // in the order of words
  };

  explicit PairCounts(const TokenCounts& words) {
    for (const std::string& word : words.most_frequent(1)) add_word(word, words.of(word));
    for (Pair& pair : pairs_) pair.waiting = pair.count;
  }

  const Pair& pair(std::size_t id) const { return pairs_[id]; }
  const std::string& spelling(Symbol symbol) const { return spellings_[symbol]; }
  bool empty() const { return pairs_.empty(); }

  /// The most frequent pair of the searched table, of equal ones that with the last spelling; its count is at least 1.
  /// False where there is none.
  bool most_frequent(std::size_t& id) {
    while (!heap_.empty()) {
      const Entry top = heap_.front();
      const Pair& pair = pairs_[top.pair];
      id = top.pair;
      if (pair.searched && pair.count == top.count) return true;
      std::pop_heap(heap_.begin(), heap_.end(), Before{*this});
      heap_.pop_back();
      if (pair.searched && pair.count > 0 && pair.count < top.count) push(top.pair);
    }
    return false;
  }

  /// Sends pairs that are rarer than the threshold to wait.
  void prune(double threshold) {
    for (Pair& pair : pairs_) {
      if (!pair.searched || static_cast<double>(pair.count) >= threshold) continue;
      pair.waiting = pair.count < 0 ? pair.waiting + pair.count : pair.count;
      pair.searched = false;
    }
  }
  /// Searches all pairs again, with the counts of the second table.
  void search_all() {
    heap_.clear();
    for (std::size_t id = 0; id < pairs_.size(); ++id) {
      pairs_[id].count = pairs_[id].waiting;
      pairs_[id].searched = true;
      if (pairs_[id].count > 0) heap_.push_back({pairs_[id].count, id});
    }
    std::make_heap(heap_.begin(), heap_.end(), Before{*this});
  }

  /// Makes one symbol of a pair wherever it stands.
  void merge(std::size_t id) {
    const Symbol left = pairs_[id].left, right = pairs_[id].right;
    const Symbol made = intern(spellings_[left] + spellings_[right]);
    const std::vector<Pair::Place> places = std::exchange(pairs_[id].places, {});
    for (const Pair::Place& place : places) {
      if (place.count < 1) continue;
      Word& word = words_[place.word];
      count_out(word, {left, right}, place.word);
      replace(word, left, right, made);
      count_in(word, made, place.word);
    }
    pairs_[id].count = 0;
  }

 private:
  struct Entry {
    Index count;
    std::size_t pair;
  };
  struct Sides {
    Symbol left, right;
  };
  /// The order of the heap: by count, then by spelling, whose bytes sort as its code points do.
  struct Before {
    const PairCounts& counts;
    bool operator()(const Entry& a, const Entry& b) const {
      if (a.count != b.count) return a.count < b.count;
      const Pair &x = counts.pairs_[a.pair], &y = counts.pairs_[b.pair];
      if (const int order = counts.spelling(x.left).compare(counts.spelling(y.left)); order != 0) return order < 0;
      return counts.spelling(x.right) < counts.spelling(y.right);
    }
  };

  void push(std::size_t id) {
    heap_.push_back({pairs_[id].count, id});
    std::push_heap(heap_.begin(), heap_.end(), Before{*this});
  }

  Symbol intern(const std::string& spelling) {
    const auto [entry, fresh] = symbols_.emplace(spelling, static_cast<Symbol>(spellings_.size()));
    if (fresh) spellings_.push_back(spelling);
    return entry->second;
  }

  void add_word(const std::string& text, Index frequency) {
    Word word;
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Step step = utf8_step(text, static_cast<Index>(at));
      check(step.problem.empty() && !is_space(step.code),
            [&] { return "learn_byte_pairs: words has " + quote(text) + ", wanted UTF-8 without white space"; });
      std::string symbol = text.substr(at, static_cast<std::size_t>(step.length));
      at += symbol.size();
      if (at == text.size()) symbol += end_of_word;
      word.push_back(intern(symbol));
    }
    words_.push_back(std::move(word));
    frequencies_.push_back(frequency);
    const Word& added = words_.back();
    for (std::size_t i = 1; i < added.size(); ++i) add({added[i - 1], added[i]}, frequency, words_.size() - 1);
  }

  void add(Sides sides, Index frequency, std::size_t word) {
    const auto [entry, fresh] = ids_.emplace((std::uint64_t{sides.left} << 32) | sides.right, pairs_.size());
    if (fresh) pairs_.push_back({sides.left, sides.right, 0, 0, false, {}});
    Pair& pair = pairs_[entry->second];
    if (!pair.searched) pair.count = 0;
    pair.searched = true;
    pair.count += frequency;
    auto place = pair.places.end();
    if (!pair.places.empty() && pair.places.back().word >= word)
      place = std::lower_bound(pair.places.begin(), pair.places.end(), word,
                               [](const typename Pair::Place& p, std::size_t w) { return p.word < w; });
    if (place == pair.places.end() || place->word != word) place = pair.places.insert(place, {word, 0});
    place->count += frequency > 0 ? 1 : -1;
    if (frequency > 0 && pair.count > 0) push(entry->second);
  }

  /// Takes off the neighbours that a merge in this word takes apart. Between two merges side by side (A B A B) only the
  /// one on the right does.
  void count_out(const Word& word, Sides pair, std::size_t place) {
    const Index frequency = frequencies_[place];
    const std::size_t size = word.size();
    const auto stands = [&](std::size_t at) {
      return at + 1 < size && word[at] == pair.left && word[at + 1] == pair.right;
    };
    for (std::size_t at = 0; at + 1 < size;) {
      if (!stands(at)) {
        ++at;
        continue;
      }
      if (at > 0) add({word[at - 1], word[at]}, -frequency, place);
      if (at + 2 < size && !stands(at + 2)) add({word[at + 1], word[at + 2]}, -frequency, place);
      at += 2;
    }
  }
  /// Adds the neighbours of the made symbol, one that stood there before included.
  void count_in(const Word& word, Symbol made, std::size_t place) {
    for (std::size_t at = 0; at < word.size(); ++at) {
      if (word[at] != made) continue;
      if (at > 0) add({word[at - 1], made}, frequencies_[place], place);
      if (at + 1 < word.size() && word[at + 1] != made) add({made, word[at + 1]}, frequencies_[place], place);
    }
  }
  static void replace(Word& word, Symbol left, Symbol right, Symbol made) {
    std::size_t kept = 0;
    for (std::size_t at = 0; at < word.size(); ++kept) {
      const bool merged = at + 1 < word.size() && word[at] == left && word[at + 1] == right;
      word[kept] = merged ? made : word[at];
      at += merged ? 2 : 1;
    }
    word.resize(kept);
  }

  std::vector<std::string> spellings_;
  std::unordered_map<std::string, Symbol> symbols_;
  std::vector<Word> words_;
  std::vector<Index> frequencies_;
  std::vector<Pair> pairs_;
  std::unordered_map<std::uint64_t, std::size_t> ids_;
  std::vector<Entry> heap_;  // may name pairs that have become rarer, never misses one
};

}  // namespace detail

/// The merges that words seen so often are learned from: those of `subword-nmt learn-bpe` on a text of these words. For
/// a joint encoding count the words of both sides. Takes time in the order of the changed pairs, about a second for
/// 8000 merges of a million words. Throws Error for counts below 1 and words that are no UTF-8 or hold white space.
inline BytePairEncoding learn_byte_pairs(const TokenCounts& words, const LearnOptions& options = {}) {
  check(options.merges >= 0 && options.min_frequency >= 1, [&] {
    return "learn_byte_pairs: merges is " + std::to_string(options.merges) + " and min_frequency " +
           std::to_string(options.min_frequency) + ", wanted at least 0 and 1";
  });
  detail::PairCounts pairs(words);
  std::vector<BytePair> merges;
  double threshold = 0;  // below it pairs wait
  for (Index i = 0; i < options.merges && !pairs.empty(); ++i) {
    std::size_t best = 0;
    bool found = pairs.most_frequent(best);
    if (i == 0) threshold = static_cast<double>(pairs.pair(best).count) / 10;
    if (!found || (i > 0 && static_cast<double>(pairs.pair(best).count) < threshold)) {
      pairs.prune(threshold);
      pairs.search_all();
      found = pairs.most_frequent(best);
      if (found) threshold = static_cast<double>(pairs.pair(best).count * i) / (static_cast<double>(i) + 10000.0);
      pairs.prune(threshold);
    }
    if (!found || pairs.pair(best).count < options.min_frequency) break;
    merges.push_back({pairs.spelling(pairs.pair(best).left), pairs.spelling(pairs.pair(best).right)});
    pairs.merge(best);
    if (i % 100 == 0) pairs.prune(threshold);
  }
  return BytePairEncoding(std::move(merges));
}

}  // namespace heed::inline HEED_ABI
