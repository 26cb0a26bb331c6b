#pragma once
// Byte-pair encoding: words cut into pieces by merges that were learned from a corpus (heed/text/learn_byte_pairs.hpp).
// The pieces and the merges' file are those of subword-nmt 0.3 (its file version 0.2): a word's last symbol carries
// </w>, every piece but a word's last ends in @@.
// R. Sennrich, B. Haddow, A. Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016, 3.2.
// Dropout: I. Provilkov, D. Emelianenko, E. Voita, "BPE-Dropout: Simple and Effective Subword Regularization", ACL
// 2020.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <heed/core/random.hpp>
#include <heed/text/byte_pair_table.hpp>
#include <heed/text/vocabulary.hpp>

namespace heed::inline HEED_ABI {

/// What every piece but a word's last ends in.
inline constexpr std::string_view piece_separator = "@@";

/// In training: every merge that could be made is left out with this rate, in every round anew. The bit is Philox's at
/// (sentence, word, round, position) under (seed, offset), so it depends on no batch, order or thread.
struct BytePairDropout {
  double rate = 0;  // in [0, 1]; 1: characters
  Rng rng = {};     // another offset for every epoch
  Index sentence = 0, word = 0;
};

struct SegmentOptions {
  /// Pieces that are not listed are cut further, by undoing merges, until they are or are characters (subword-nmt's
  /// --vocabulary). Null: all pieces stay.
  const Vocabulary* vocabulary = nullptr;
  const BytePairDropout* dropout = nullptr;
};

/// Merges, and what they make of words. A plain value; default: no merges, words become characters.
class BytePairEncoding {
 public:
  BytePairEncoding() = default;
  /// From the merges in the order in which they were learned. Throws Error where a side is empty, no UTF-8 or holds a
  /// space or line end.
  explicit BytePairEncoding(std::vector<BytePair> merges) : table_(std::move(merges)) {}

  /// Reads the file that write() or subword-nmt wrote. Throws FormatError with file and line, std::system_error.
  static BytePairEncoding read(const std::string& path) { return BytePairEncoding(read_byte_pairs(path)); }
  /// From such a file's content; `name` stands for it in messages. Throws FormatError.
  static BytePairEncoding parse(std::string_view content, const std::string& name) {
    return BytePairEncoding(parse_byte_pairs(content, name));
  }
  /// The file's content: "#version: 0.2", then a merge a line.
  std::string text() const { return byte_pairs_text(merges()); }
  /// A file that stood there is replaced as a whole. Throws std::system_error.
  void write(const std::string& path) const { detail::replace_text_file(path, text()); }

  const std::vector<BytePair>& merges() const { return table_.merges(); }
  bool operator==(const BytePairEncoding& other) const { return merges() == other.merges(); }

  /// The pieces of a word of n characters, in O(n log n) time; none for an empty one. Dropout of rate p takes 1 / (1
  /// - p) times as long. Throws Error for invalid UTF-8 and a rate outside [0, 1].
  std::vector<std::string> segment(std::string_view word, const SegmentOptions& options = {}) const {
    std::vector<Symbol> symbols = characters(word);
    merge(symbols, options.dropout);
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at != none && !symbols.empty(); at = symbols[at].next) {
      const Symbol& symbol = symbols[at];
      add_pieces({symbol.id, word.substr(symbol.begin, symbol.end - symbol.begin), symbol.next == none},
                 options.vocabulary, pieces);
    }
    return pieces;
  }

  /// Whether a piece may come out of segment(): a character, or what merges make of characters.
  bool makes(std::string_view piece) const {
    const bool last = !piece.ends_with(piece_separator) || piece == piece_separator;
    if (!last) piece.remove_suffix(piece_separator.size());
    if (is_character(piece)) return true;
    const auto id = table_.find(last ? std::string(piece) + std::string(end_of_word) : std::string(piece));
    return id != BytePairTable::unknown && table_.parts(id) && is_made(id);
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  // A run of the word's bytes in a linked list; what was merged into its left neighbour is no longer alive.
  struct Symbol {
    std::uint32_t id;  // BytePairTable::unknown: no merge has it
    std::size_t begin, end, previous, next;
    bool alive = true;
  };
  // A merge that could be made: ordered by rank, then from left to right.
  struct Candidate {
    Index rank;
    std::size_t at;
    bool operator>(const Candidate& other) const { return std::pair(rank, at) > std::pair(other.rank, other.at); }
  };
  struct Piece {
    std::uint32_t id;
    std::string_view text;
    bool last;
  };

  static bool is_character(std::string_view text) {
    return !text.empty() && utf8_step(text, 0).length == static_cast<Index>(text.size());
  }
  bool is_made(std::uint32_t id) const {
    if (const auto parts = table_.parts(id)) return is_made(parts->first) && is_made(parts->second);
    std::string_view text = table_.symbol(id);
    if (text.ends_with(end_of_word)) text.remove_suffix(end_of_word.size());
    return is_character(text);
  }

  std::vector<Symbol> characters(std::string_view word) const {
    std::vector<Symbol> symbols;
    for (std::size_t at = 0; at < word.size();) {
      const Utf8Step step = utf8_step(word, static_cast<Index>(at));
      check(step.problem.empty(), [&] {
        return "BytePairEncoding::segment: word has a " + std::string(step.problem) + " at byte " + std::to_string(at) +
               ", wanted UTF-8: " + quote(word);
      });
      const std::size_t end = at + static_cast<std::size_t>(step.length);
      const std::string_view text = word.substr(at, end - at);
      const std::size_t count = symbols.size();
      const bool last = end == word.size();
      symbols.push_back({last ? table_.find(std::string(text) + std::string(end_of_word)) : table_.find(text), at, end,
                         count == 0 ? none : count - 1, last ? none : count + 1});
      at = end;
    }
    return symbols;
  }

  /// The merge of the symbol at `at` and the next, if there is one.
  const BytePairTable::Merge* candidate(const std::vector<Symbol>& symbols, std::size_t at) const {
    if (at == none || !symbols[at].alive || symbols[at].next == none) return nullptr;
    return table_.merge(symbols[at].id, symbols[symbols[at].next].id);
  }

  /// Rounds: of all merges that could be made and are not dropped, the one learned first is made wherever it can be.
  void merge(std::vector<Symbol>& symbols, const BytePairDropout* dropout) const {
    const double rate = dropout == nullptr ? 0 : dropout->rate;
    check(rate >= 0 && rate <= 1,
          [&] { return "BytePairEncoding::segment: dropout has rate " + std::to_string(rate) + ", wanted 0 to 1"; });
    const CoordinateBits bits(dropout == nullptr ? Rng{} : dropout->rng);
    const std::uint64_t threshold = probability_threshold(rate);
    std::vector<Candidate> heap, dropped, made;
    const auto push = [&](const Candidate& item) {
      heap.push_back(item);
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    };
    for (std::size_t at = 0; at < symbols.size(); ++at)
      if (const auto* found = candidate(symbols, at)) push({found->rank, at});
    for (Index round = 0; !heap.empty(); ++round) {
      dropped.clear(), made.clear();
      while (!heap.empty() && (made.empty() || heap.front().rank == made.front().rank)) {
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        const Candidate item = heap.back();
        heap.pop_back();
        if (const auto* found = candidate(symbols, item.at); found == nullptr || found->rank != item.rank) continue;
        const bool drop =
            rate > 0 && bits(dropout->sentence, dropout->word, round, static_cast<Index>(item.at)) < threshold;
        (drop ? dropped : made).push_back(item);
      }
      if (made.empty()) return;
      for (const Candidate& item : made) join(symbols, item, push);
      for (const Candidate& item : dropped) push(item);
    }
  }

  /// Makes a merge, unless the one to its left has just taken its first symbol (x x x: xx x).
  template <class Push>
  void join(std::vector<Symbol>& symbols, const Candidate& item, const Push& push) const {
    const auto* found = candidate(symbols, item.at);
    if (found == nullptr || found->rank != item.rank) return;
    Symbol& left = symbols[item.at];
    Symbol& right = symbols[left.next];
    left.id = found->result;
    left.end = right.end;
    left.next = right.next;
    right.alive = false;
    if (left.next != none) symbols[left.next].previous = item.at;
    for (const std::size_t at : {left.previous, item.at})
      if (const auto* next = candidate(symbols, at)) push({next->rank, at});
  }

  void add_pieces(const Piece& piece, const Vocabulary* vocabulary, std::vector<std::string>& pieces) const {
    std::string spelled(piece.text);
    if (!piece.last) spelled += piece_separator;
    const bool listed = vocabulary == nullptr || vocabulary->id(spelled) != unknown_id;
    const auto parts = listed ? std::nullopt : table_.parts(piece.id);
    const std::size_t cut = parts ? table_.symbol(parts->first).size() : piece.text.size();
    if (cut >= piece.text.size()) return pieces.push_back(std::move(spelled));
    add_pieces({parts->first, piece.text.substr(0, cut), false}, vocabulary, pieces);
    add_pieces({parts->second, piece.text.substr(cut), piece.last}, vocabulary, pieces);
  }

  BytePairTable table_;
};

/// The words of pieces: what ends in @@ goes on in the next. The end of the list ends a word.
inline std::vector<std::string> join_pieces(std::span<const std::string> pieces) {
  std::vector<std::string> words;
  bool inside = false;
  for (std::string_view piece : pieces) {
    const bool goes_on = piece.ends_with(piece_separator) && piece != piece_separator;
    if (goes_on) piece.remove_suffix(piece_separator.size());
    if (inside)
      words.back() += piece;
    else
      words.emplace_back(piece);
    inside = goes_on;
  }
  return words;
}

}  // namespace heed::inline HEED_ABI
