#pragma once
// Sentence pairs from a TSV file (source, tab, target; further columns are ignored, such as Tatoeba's attribution).
// Their token ids: heed/text/text_codec.hpp.

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <heed/text/line_reader.hpp>
#include <heed/text/unicode.hpp>

namespace heed::inline HEED_ABI {

struct SentencePair {
  std::string source, target;
  Index line = 0;  // in its file, the first is 1
  bool operator==(const SentencePair&) const = default;
};

/// What a line gets that has no tab, an empty side, a NUL, invalid UTF-8 or more than max_line_bytes.
enum class BadLine { refuse, skip };

struct CorpusOptions {
  BadLine bad_line = BadLine::refuse;
  InvalidUtf8 invalid_utf8 = InvalidUtf8::refuse;  // replace: U+FFFD in its place, before bad_line is asked
};

/// A file's pairs, and what a caller should say once about them.
struct ParallelText {
  std::vector<SentencePair> pairs;
  Index skipped = 0;    // bad lines, where options skip them
  Index replaced = 0;   // lines in which U+FFFD was put
  Index identical = 0;  // pairs whose source equals their target
};

namespace detail {

/// What is wrong with a line, or an empty text; splits it into `pair` where nothing is.
inline std::string parse_pair(std::string_view line, SentencePair& pair) {
  if (const std::size_t nul = line.find('\0'); nul != line.npos)
    return "NUL at byte " + std::to_string(nul) + ", wanted text; is this a binary file?";
  if (const auto invalid = find_invalid_utf8(line))
    return "invalid UTF-8 (" + std::string(invalid->reason) + ") at byte " + std::to_string(invalid->byte) + " in " +
           quote(line) + "; is this a binary file?";
  const std::size_t tab = line.find('\t');
  if (tab == line.npos) return "no tab, wanted source, tab, target: " + quote(line);
  const std::string_view target = line.substr(tab + 1, line.find('\t', tab + 1) - tab - 1);
  pair.source = line.substr(0, tab);
  pair.target = target;
  if (without_trailing_space(pair.source).empty()) return "empty source in " + quote(line);
  if (without_trailing_space(target).empty()) return "empty target in " + quote(line);
  return {};
}

/// Files that are no text at all are refused whatever the options: skipping would throw away all they hold.
inline void refuse_binary(const LineReader& reader, std::string_view line) {
  std::string_view kind;
  if (line.starts_with("\x1F\x8B")) kind = "gzip";
  if (line.starts_with("\xFF\xFE") || line.starts_with("\xFE\xFF")) kind = "UTF-16";
  if (kind.empty()) return;
  raise(FormatError(reader.name(), reader.place(),
                    "begins like " + std::string(kind) + " data: a binary file, wanted UTF-8 text"));
}

}  // namespace detail

/// Reads all pairs. Blank lines are no lines. Throws FormatError with file and line, also where no pair is left ("no
/// pairs"), and std::system_error with the path.
inline ParallelText read_pairs(const std::string& path, const CorpusOptions& options = {}) {
  LineReader reader(path);
  ParallelText text;
  std::string line;
  for (auto status = reader.next(line); status != LineReader::Status::end; status = reader.next(line)) {
    std::string problem;
    if (reader.number() == 1) detail::refuse_binary(reader, line);
    SentencePair pair{.source = {}, .target = {}, .line = reader.number()};
    if (status == LineReader::Status::too_long) {
      problem = "more than " + std::to_string(max_line_bytes) + " bytes";
    } else {
      if (options.invalid_utf8 == InvalidUtf8::replace && find_invalid_utf8(line)) {
        line = replace_invalid_utf8(line);
        ++text.replaced;
      }
      if (line.find('\t') == line.npos && without_trailing_space(line).empty()) continue;
      problem = detail::parse_pair(line, pair);
    }
    if (!problem.empty()) {
      if (options.bad_line == BadLine::refuse) raise(FormatError(path, reader.place(), problem));
      ++text.skipped;
      continue;
    }
    if (pair.source == pair.target) ++text.identical;
    text.pairs.push_back(std::move(pair));
  }
  if (text.pairs.empty()) {
    const std::string skipped = text.skipped == 0 ? "" : " (" + std::to_string(text.skipped) + " skipped)";
    raise(FormatError(path, "", "no pairs" + skipped));
  }
  return text;
}

/// How many pairs of `test` also stand in `train`.
inline Index count_shared(std::span<const SentencePair> train, std::span<const SentencePair> test) {
  std::unordered_set<std::string> seen;
  for (const SentencePair& pair : train) seen.insert(pair.source + '\t' + pair.target);
  return std::count_if(test.begin(), test.end(),
                       [&](const SentencePair& pair) { return seen.contains(pair.source + '\t' + pair.target); });
}

/// A pair's ids, without <s> and </s>.
struct EncodedPair {
  std::vector<Index> source, target;
  bool operator==(const EncodedPair&) const = default;
};

}  // namespace heed::inline HEED_ABI
