#pragma once
// Character classes and lower case as Python's re and str have them, which the tokenizers and scores are defined by; no
// locale takes part. The tables and their Unicode versions: heed/text/unicode_tables.hpp.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <heed/text/unicode_tables.hpp>
#include <heed/text/utf8.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Whether an inversion list holds a code point: an odd number of boundaries lies at or before it.
template <std::size_t n>
bool listed(const std::array<char32_t, n>& boundaries, char32_t code) {
  return (std::upper_bound(boundaries.begin(), boundaries.end(), code) - boundaries.begin()) % 2 == 1;
}

constexpr bool is_ascii_letter(char32_t code) { return (code | 0x20) >= 'a' && (code | 0x20) <= 'z'; }

}  // namespace detail

constexpr bool is_ascii_digit(char32_t code) { return code >= '0' && code <= '9'; }
constexpr bool is_ascii_alphanumeric(char32_t code) { return is_ascii_digit(code) || detail::is_ascii_letter(code); }
/// Python's string.punctuation: ! to / : to @ [ to ` { to ~
constexpr bool is_ascii_punctuation(char32_t code) { return code > ' ' && code < 0x7F && !is_ascii_alphanumeric(code); }

/// \w: a letter, a number or the underscore.
inline bool is_word(char32_t code) {
  if (code < 0x80) return is_ascii_alphanumeric(code) || code == '_';
  return detail::listed(unicode_tables::word, code);
}
/// \s: white space, the four information separators U+001C to U+001F included.
inline bool is_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x1F);
  return detail::listed(unicode_tables::space, code);
}
/// \p{P}, \p{S}, \p{N}
inline bool is_punctuation(char32_t code) { return detail::listed(unicode_tables::punctuation, code); }
inline bool is_symbol(char32_t code) { return detail::listed(unicode_tables::symbol, code); }
inline bool is_number(char32_t code) {
  return code < 0x80 ? is_ascii_digit(code) : detail::listed(unicode_tables::number, code);
}

/// A Han character as the corpora's rules have it: U+3400-4DBF, U+4E00-9FFF, U+F900-FAFF, U+3007.
constexpr bool is_han(char32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0xF900 && code <= 0xFAFF) || code == 0x3007;
}

/// The one code point that is the lower case of another, or itself. to_lower(std::u32string_view) knows two exceptions.
inline char32_t to_lower(char32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 0x20 : code;
  const auto& runs = unicode_tables::lower;
  const auto found = std::lower_bound(runs.begin(), runs.end(), code,
                                      [](const unicode_tables::LowerRun& run, char32_t c) { return run.last < c; });
  if (found == runs.end() || code < found->first || (code - found->first) % static_cast<char32_t>(found->step) != 0)
    return code;
  return static_cast<char32_t>(static_cast<int>(code) + found->delta);
}

/// The first code point that has this one as its lower case, or itself.
inline char32_t to_upper(char32_t code) {
  if (code < 0x80) return code >= 'a' && code <= 'z' ? code - 0x20 : code;
  for (const unicode_tables::LowerRun& run : unicode_tables::lower) {
    const auto upper = static_cast<char32_t>(static_cast<int>(code) - run.delta);
    if (upper >= run.first && upper <= run.last && (upper - run.first) % static_cast<char32_t>(run.step) == 0)
      return upper;
  }
  return code;
}

namespace detail {

/// Whether the capital sigma at text[at] ends a word: a cased letter before it and none after, case-ignorable ones
/// aside (Unicode 14, table 3-17, Final_Sigma).
inline bool is_final_sigma(std::u32string_view text, std::size_t at) {
  std::size_t before = at, after = at + 1;
  while (before > 0 && listed(unicode_tables::case_ignorable, text[before - 1])) --before;
  if (before == 0 || !listed(unicode_tables::cased, text[before - 1])) return false;
  while (after < text.size() && listed(unicode_tables::case_ignorable, text[after])) ++after;
  return after == text.size() || !listed(unicode_tables::cased, text[after]);
}

}  // namespace detail

/// Python's str.lower(): code point by code point, but U+0130 becomes i and a dot above, and a capital sigma at a
/// word's end its final form.
inline std::u32string to_lower(std::u32string_view text) {
  constexpr char32_t capital_sigma = 0x3A3, final_sigma = 0x3C2, capital_i_with_dot = 0x130;
  std::u32string lower;
  lower.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == capital_i_with_dot) {
      lower += U"i\u0307";
    } else if (text[at] == capital_sigma && detail::is_final_sigma(text, at)) {
      lower += final_sigma;
    } else {
      lower += to_lower(text[at]);
    }
  }
  return lower;
}

/// A UTF-8 text in lower case. Throws Error for invalid UTF-8.
inline std::string lower_case(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii) return encode_utf8(to_lower(decode_utf8(text)));
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(to_lower(static_cast<char32_t>(c)));
  return lower;
}

/// The runs between white space of a valid UTF-8 text, as str.split(); views into `text`.
inline std::vector<std::string_view> split_at_space(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    if (!is_space(next_code_point(text, at))) continue;
    if (start > begin) words.push_back(text.substr(begin, start - begin));
    begin = at;
  }
  if (begin < text.size()) words.push_back(text.substr(begin));
  return words;
}

/// A text without white space at its end, as str.rstrip(); valid UTF-8.
inline std::string_view without_trailing_space(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();)
    if (!is_space(next_code_point(text, at))) end = at;
  return text.substr(0, end);
}

}  // namespace heed::inline HEED_ABI
