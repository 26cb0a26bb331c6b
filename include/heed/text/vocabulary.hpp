#pragma once
// Tokens and their ids: <pad> <s> </s> <unk> are 0 to 3, then a training corpus' tokens, most frequent first.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <heed/text/line_reader.hpp>
#include <heed/text/utf8.hpp>

namespace heed::inline HEED_ABI {

inline constexpr Index pad_id = 0, start_id = 1, end_id = 2, unknown_id = 3, special_count = 4;

/// The spelling of the special symbols, in id order. Text that holds one of these spellings never means the symbol.
inline constexpr std::string_view special_symbols[] = {"<pad>", "<s>", "</s>", "<unk>"};

inline bool is_special_symbol(std::string_view token) {
  return std::find(std::begin(special_symbols), std::end(special_symbols), token) != std::end(special_symbols);
}

namespace detail {

/// Lets maps of std::string be asked by std::string_view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

/// Puts a file with this content where one may stand: the old one stays whole until then. Throws std::system_error.
inline void replace_text_file(const std::string& path, std::string_view content) {
  const std::string partial = path + ".partial";
  std::FILE* file = std::fopen(partial.c_str(), "wb");
  bool good = file != nullptr && std::fwrite(content.data(), 1, content.size(), file) == content.size();
  int error = errno;
  if (file != nullptr && std::fclose(file) != 0 && good) good = false, error = errno;
  if (good && std::rename(partial.c_str(), path.c_str()) != 0) good = false, error = errno;
  if (!good && file != nullptr) std::remove(partial.c_str());
  if (!good) raise(std::system_error(error, std::generic_category(), path));
}

}  // namespace detail

/// How often each token was seen.
class TokenCounts {
 public:
  void add(std::span<const std::string> tokens) {
    for (const std::string& token : tokens) add(token, 1);
  }
  void add(const std::string& token, Index count) { counts_[token] += count; }
  void add(const TokenCounts& others) {
    for (const auto& entry : others.counts_) add(entry.first, entry.second);
  }
  /// Occurrences of one token.
  Index of(std::string_view token) const {
    const auto found = counts_.find(token);
    return found == counts_.end() ? 0 : found->second;
  }
  /// Different tokens.
  Index size() const { return static_cast<Index>(counts_.size()); }
  /// The tokens seen at least min_count times, most frequent first, equally frequent ones by their bytes.
  std::vector<std::string> most_frequent(Index min_count) const {
    std::vector<std::pair<Index, std::string_view>> order;
    for (const auto& entry : counts_)
      if (entry.second >= min_count) order.emplace_back(-entry.second, entry.first);
    std::sort(order.begin(), order.end());
    std::vector<std::string> tokens;
    for (const auto& entry : order) tokens.emplace_back(entry.second);
    return tokens;
  }

 private:
  std::unordered_map<std::string, Index, detail::TextHash, std::equal_to<>> counts_;
};

struct VocabularyOptions {
  Index min_count = 2;
  Index max_size = 10000;  // special symbols included
};

/// Which token has which id. A plain value; default: the four special symbols alone.
class Vocabulary {
 public:
  Vocabulary() : Vocabulary(std::vector<std::string>(std::begin(special_symbols), std::end(special_symbols))) {}

  /// From all tokens in id order, the special symbols first (a checkpoint's list). Throws Error where a token is empty,
  /// double, no UTF-8, holds a tab, line end or NUL, or where a special symbol is missing or has another id.
  explicit Vocabulary(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
    if (const auto problem = index_tokens())
      fail("Vocabulary: tokens[" + std::to_string(problem->id) + "] " + problem->text("tokens[", 0, "]"));
  }

  /// From a corpus' counts: tokens seen at least min_count times, at most max_size with the special symbols. Tokens
  /// spelled like a special symbol are left out. Throws Error for max_size < 4 and min_count < 1.
  Vocabulary(const TokenCounts& counts, const VocabularyOptions& options) : Vocabulary() {
    check(options.max_size >= special_count, [&] {
      return "Vocabulary: max_size is " + std::to_string(options.max_size) +
             ", wanted at least 4 for the special symbols";
    });
    check(options.min_count >= 1,
          [&] { return "Vocabulary: min_count is " + std::to_string(options.min_count) + ", wanted at least 1"; });
    for (std::string& token : counts.most_frequent(options.min_count)) {
      if (size() == options.max_size) break;
      if (!is_special_symbol(token)) tokens_.push_back(std::move(token));
    }
    *this = Vocabulary(std::move(tokens_));
  }

  /// Reads one token a line, as write() wrote them. Throws FormatError with file and line, std::system_error.
  static Vocabulary read(const std::string& path) {
    LineReader reader(path);
    Vocabulary vocabulary;
    vocabulary.tokens_.clear();
    std::string line;
    for (auto status = reader.next(line); status != LineReader::Status::end; status = reader.next(line)) {
      if (status == LineReader::Status::too_long)
        raise(FormatError(path, reader.place(), "token of more than " + std::to_string(max_line_bytes) + " bytes"));
      vocabulary.tokens_.push_back(line);
    }
    if (const auto problem = vocabulary.index_tokens())
      raise(FormatError(path, "line " + std::to_string(problem->id + 1), problem->text("line ", 1, "")));
    return vocabulary;
  }
  /// One token a line, in id order; a file that stood there is replaced as a whole. Throws std::system_error.
  void write(const std::string& path) const {
    std::string content;
    for (const std::string& token : tokens_) (content += token) += '\n';
    detail::replace_text_file(path, content);
  }

  Index size() const { return static_cast<Index>(tokens_.size()); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  /// The token with this id. Throws Error outside [0, size).
  const std::string& token(Index id) const {
    check(id >= 0 && id < size(), [&] {
      return "Vocabulary::token: id is " + std::to_string(id) + ", wanted 0 to " + std::to_string(size() - 1);
    });
    return tokens_[static_cast<std::size_t>(id)];
  }
  /// The id of a token of text: unknown_id for one that is not listed or only spelled like a special symbol.
  Index id(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? unknown_id : found->second;
  }
  std::vector<Index> encode(std::span<const std::string> tokens) const {
    std::vector<Index> ids;
    for (const std::string& token : tokens) ids.push_back(id(token));
    return ids;
  }
  /// The tokens of ids, special symbols left out. Throws Error for an id outside [0, size).
  std::vector<std::string> decode(std::span<const Index> ids) const {
    std::vector<std::string> tokens;
    for (const Index id : ids)
      if (const std::string& text = token(id); id >= special_count) tokens.push_back(text);
    return tokens;
  }

  /// Refuses a table of another size: "Vocabulary: source.txt has 9 tokens, embedding has 8 rows".
  void check_rows(std::string_view vocabulary, std::string_view table, Index rows) const {
    check(rows == size(), [&] {
      return "Vocabulary: " + std::string(vocabulary) + " has " + std::to_string(size()) + " tokens, " +
             std::string(table) + " has " + std::to_string(rows) + " rows";
    });
  }

  bool operator==(const Vocabulary& other) const { return tokens_ == other.tokens_; }

 private:
  struct Problem {
    Index id;
    std::string what;
    Index first = -1;  // where a double entry stood first
    std::string text(std::string_view before, Index base, std::string_view after) const {
      if (first < 0) return what;
      return what + std::string(before) + std::to_string(first + base) + std::string(after);
    }
  };

  std::optional<Problem> index_tokens() {
    ids_.clear();
    for (Index id = 0; id < std::max(size(), special_count); ++id) {
      const auto at = static_cast<std::size_t>(id);
      const std::string wanted(id < special_count ? special_symbols[at] : "");
      if (id >= size()) return Problem{id, "is missing, wanted the special symbol " + wanted};
      const std::string& token = tokens_[at];
      if (id < special_count) {
        if (token != wanted) return Problem{id, "is " + quote(token) + ", wanted the special symbol " + wanted};
        continue;
      }
      if (is_special_symbol(token)) return Problem{id, "is " + quote(token) + ", a special symbol at another id"};
      if (token.empty()) return Problem{id, "is empty, wanted a token"};
      if (token.find_first_of(std::string_view("\t\n\r\0", 4)) != token.npos)
        return Problem{id, "is " + quote(token) + ", wanted no tab, line end or NUL in a token"};
      if (const auto invalid = find_invalid_utf8(token))
        return Problem{id, "is " + quote(token) + ", not UTF-8: " + std::string(invalid->reason) + " at byte " +
                               std::to_string(invalid->byte)};
      const auto [entry, fresh] = ids_.emplace(token, id);
      if (!fresh) return Problem{id, "is " + quote(token) + ", already in ", entry->second};
    }
    return std::nullopt;
  }

  std::vector<std::string> tokens_;
  std::unordered_map<std::string, Index, detail::TextHash, std::equal_to<>> ids_;  // special symbols are not in it
};

}  // namespace heed::inline HEED_ABI
