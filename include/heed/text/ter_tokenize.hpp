#pragma once
// The tokenizer that TER scores are defined by: Tercom's, equal to sacreBLEU 2.6's reading of it.

#include <string>
#include <string_view>

#include <heed/text/bleu_tokenize.hpp>

namespace heed::inline HEED_ABI {

struct TerOptions {
  bool normalized = false;      // part punctuation, write out XML entities, join lines
  bool no_punct = false;        // remove punctuation
  bool asian_support = false;   // normalized: one token per CJK character; no_punct: remove Asian punctuation too
  bool case_sensitive = false;  // else lower case
};

namespace detail {

constexpr bool is_asian_punctuation(char32_t c) {
  constexpr std::u32string_view full_width = U"\uFF0E\uFF0C\uFF1F\uFF1A\uFF1B\uFF01\uFF02\uFF08\uFF09";
  return c == 0x3001 || c == 0x3002 || (c >= 0x3008 && c <= 0x3011) || (c >= 0x3014 && c <= 0x301F) ||
         (c >= 0xFF61 && c <= 0xFF65) || c == 0x30FB || full_width.find(c) != full_width.npos;
}

/// The characters that sacreBLEU splits off, "enclosed letters" up to U+3F22 included, which is its range.
constexpr bool is_tercom_split(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3200 && c <= 0x4DBF) || (c >= 0x31C0 && c <= 0x31EF) ||
         (c >= 0x2E80 && c <= 0x2EFF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE4F) ||
         is_asian_punctuation(c);
}

/// Tercom's general and Western normalization: 13a's, and 's parted from its word.
inline std::string normalize_western(std::string_view line) {
  std::string text = replaced(replaced(line, "\n-", ""), "\n", " ");
  text = " " + without_entities(std::move(text)) + " ";
  return split_around_digits(replaced(spaced_out(text, is_always_split), "'s ", " 's "));
}

}  // namespace detail

/// A line as Tercom's tokenizer gives it: tokens joined by one space. Throws Error for invalid UTF-8.
inline std::string ter_tokenize(const TerOptions& options, std::string_view line) {
  if (const auto problem = find_invalid_utf8(line))
    fail("ter_tokenize: line has a " + std::string(problem->reason) + " at byte " + std::to_string(problem->byte) +
         ", wanted UTF-8: " + quote(line));
  std::string text = options.case_sensitive ? std::string(line) : lower_case(line);
  if (text.empty()) return text;
  if (options.normalized) {
    text = detail::normalize_western(text);
    if (options.asian_support) text = encode_utf8(detail::spaced_out(decode_utf8(text), detail::is_tercom_split));
  }
  if (options.no_punct) {
    std::erase_if(text, [](char c) { return std::string_view(".,?:;!\"()").find(c) != std::string_view::npos; });
    if (options.asian_support) {
      std::u32string codes = decode_utf8(text);
      std::erase_if(codes, detail::is_asian_punctuation);
      text = encode_utf8(codes);
    }
  }
  return detail::single_spaced(text);
}

}  // namespace heed::inline HEED_ABI
