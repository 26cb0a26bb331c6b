#pragma once
// The merges of a byte-pair encoding as a table, and as the file that subword-nmt reads and writes: "#version: 0.2",
// then the two symbols of a merge on every line, in the order in which they were learned.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <heed/text/line_reader.hpp>
#include <heed/text/vocabulary.hpp>

namespace heed::inline HEED_ABI {

/// Two symbols that become one; a word's last symbol ends in end_of_word.
struct BytePair {
  std::string left, right;
  bool operator==(const BytePair&) const = default;
};

inline constexpr std::string_view end_of_word = "</w>";

/// What a file of merges begins with.
inline constexpr std::string_view byte_pairs_version = "#version: 0.2";

namespace detail {

/// What is wrong with a symbol of a merge, or an empty text.
inline std::string symbol_problem(std::string_view symbol) {
  if (symbol.empty()) return "an empty symbol";
  if (symbol.find_first_of(std::string_view(" \r\n\0", 4)) != symbol.npos)
    return "a space, line end or NUL in the symbol " + quote(symbol);
  if (const auto invalid = find_invalid_utf8(symbol))
    return "the symbol " + quote(symbol) + ", not UTF-8: " + std::string(invalid->reason) + " at byte " +
           std::to_string(invalid->byte);
  return {};
}

/// One line of a file of merges. Throws FormatError.
inline BytePair parse_byte_pair(std::string_view line, const std::string& name, const std::string& place) {
  const auto refuse = [&](const std::string& found) {
    raise(FormatError(name, place, found + ", wanted a merge: two symbols with a space between"));
  };
  while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  const std::size_t space = line.find(' ');
  if (space == line.npos || line.find(' ', space + 1) != line.npos) refuse("found " + quote(line));
  BytePair pair{std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
  for (const std::string& symbol : {pair.left, pair.right})
    if (const std::string problem = symbol_problem(symbol); !problem.empty()) refuse("found " + problem);
  return pair;
}

/// Merges from next(line), which gives lines until it returns false, and place(), which says where the last one stood.
template <class Next, class Place>
std::vector<BytePair> read_byte_pair_lines(const std::string& name, const Next& next, const Place& place) {
  std::string line;
  const bool any = next(line);
  while (!line.empty() && line.back() == ' ') line.pop_back();
  if (!any || line != byte_pairs_version)
    raise(FormatError(name, any ? place() : "",
                      (any ? "found " + quote(line) : std::string("an empty file")) + ", wanted " +
                          quote(byte_pairs_version) + ", which begins a file of byte-pair merges"));
  std::vector<BytePair> pairs;
  while (next(line)) pairs.push_back(parse_byte_pair(line, name, place()));
  return pairs;
}

}  // namespace detail

/// The merges of a file. Throws FormatError with file and line, std::system_error.
inline std::vector<BytePair> read_byte_pairs(const std::string& path) {
  LineReader reader(path);
  const auto next = [&](std::string& line) {
    const auto status = reader.next(line);
    if (status == LineReader::Status::too_long)
      raise(FormatError(path, reader.place(), "more than " + std::to_string(max_line_bytes) + " bytes"));
    return status == LineReader::Status::line;
  };
  return detail::read_byte_pair_lines(path, next, [&] { return reader.place(); });
}

/// The merges of such a file's content; `name` stands for it in messages. Throws FormatError.
inline std::vector<BytePair> parse_byte_pairs(std::string_view content, const std::string& name) {
  Index number = 0;
  const auto next = [&](std::string& line) {
    if (content.empty()) return false;
    const std::size_t end = content.find('\n');
    line = content.substr(0, end);
    content.remove_prefix(end == content.npos ? content.size() : end + 1);
    ++number;
    return true;
  };
  return detail::read_byte_pair_lines(name, next, [&] { return "line " + std::to_string(number); });
}

inline std::string byte_pairs_text(const std::vector<BytePair>& pairs) {
  std::string text = std::string(byte_pairs_version) + '\n';
  for (const BytePair& pair : pairs) ((text += pair.left) += ' ') += pair.right + '\n';
  return text;
}

/// Symbols by number, and which two become which. Symbols are the same where their spelling is.
class BytePairTable {
 public:
  static constexpr std::uint32_t unknown = static_cast<std::uint32_t>(-1);

  struct Merge {
    Index rank;  // 0: learned first
    std::uint32_t result;
  };

  BytePairTable() = default;
  /// Of a merge that is listed twice the first counts. Throws Error where a side is no symbol.
  explicit BytePairTable(std::vector<BytePair> pairs) : pairs_(std::move(pairs)) {
    for (std::size_t rank = pairs_.size();
         rank-- > 0;) {  // backwards: of several ways to make a symbol the first stays
      const BytePair& pair = pairs_[rank];
      for (const std::string& symbol : {pair.left, pair.right}) {
        const std::string problem = detail::symbol_problem(symbol);
        check(problem.empty(), [&] { return "BytePairTable: pairs[" + std::to_string(rank) + "] has " + problem; });
      }
      const std::pair<std::uint32_t, std::uint32_t> sides{intern(pair.left), intern(pair.right)};
      const std::uint32_t result = intern(pair.left + pair.right);
      const auto [entry, fresh] = merges_.emplace(key(sides.first, sides.second), Merge{0, result});
      entry->second.rank = static_cast<Index>(rank);
      if (fresh) parts_[result] = sides;
    }
  }

  const std::vector<BytePair>& merges() const { return pairs_; }
  const std::string& symbol(std::uint32_t id) const { return symbols_[id]; }
  std::uint32_t find(std::string_view symbol) const {
    const auto found = ids_.find(symbol);
    return found == ids_.end() ? unknown : found->second;
  }
  /// The merge of two symbols; null where there is none.
  const Merge* merge(std::uint32_t left, std::uint32_t right) const {
    if (left == unknown || right == unknown) return nullptr;
    const auto found = merges_.find(key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
  }
  /// The two symbols that a merge made this one of.
  std::optional<std::pair<std::uint32_t, std::uint32_t>> parts(std::uint32_t id) const {
    const auto found = parts_.find(id);
    if (found == parts_.end()) return std::nullopt;
    return found->second;
  }

 private:
  static std::uint64_t key(std::uint32_t left, std::uint32_t right) { return (std::uint64_t{left} << 32) | right; }

  std::uint32_t intern(const std::string& symbol) {
    const auto [entry, fresh] = ids_.emplace(symbol, static_cast<std::uint32_t>(symbols_.size()));
    if (fresh) symbols_.push_back(symbol);
    return entry->second;
  }

  std::vector<BytePair> pairs_;
  std::vector<std::string> symbols_;
  std::unordered_map<std::string, std::uint32_t, detail::TextHash, std::equal_to<>> ids_;
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::unordered_map<std::uint32_t, std::pair<std::uint32_t, std::uint32_t>> parts_;
};

}  // namespace heed::inline HEED_ABI
