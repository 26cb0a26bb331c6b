#pragma once
// The tokenizers that BLEU scores are defined by, equal to sacreBLEU 2.6's: 13a (mteval-v13a), intl (mteval-v14), zh,
// char, none. M. Post, "A Call for Clarity in Reporting BLEU Scores", WMT 2018.

#include <string>
#include <string_view>
#include <utility>

#include <heed/text/unicode.hpp>

namespace heed::inline HEED_ABI {

enum class BleuTokenizer { mteval_13a, international, chinese, character, none };

/// "13a", "intl", "zh", "char", "none": sacreBLEU's names.
inline std::string_view bleu_tokenizer_name(BleuTokenizer tokenizer) {
  constexpr std::string_view names[] = {"13a", "intl", "zh", "char", "none"};
  return names[static_cast<int>(tokenizer)];
}

/// The tokenizer with this name. Throws Error for any other.
inline BleuTokenizer bleu_tokenizer_from_name(std::string_view name) {
  using enum BleuTokenizer;
  for (const BleuTokenizer tokenizer : {mteval_13a, international, chinese, character, none})
    if (name == bleu_tokenizer_name(tokenizer)) return tokenizer;
  fail("bleu_tokenizer_from_name: name is " + quote(name) + ", wanted 13a, intl, zh, char or none");
}

namespace detail {

/// `text` with every `from` replaced by `to`, left to right.
inline std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t found = text.find(from, at);
    out += text.substr(at, found - at);
    if (found == text.npos) return out;
    out += to;
    at = found + from.size();
  }
}

/// The four entities that mteval and Tercom write out, in their order.
inline std::string without_entities(std::string text) {
  if (text.find('&') == text.npos) return text;
  constexpr std::pair<std::string_view, std::string_view> entities[] = {
      {"&quot;", "\""}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}};
  for (const auto& entity : entities) text = replaced(text, entity.first, entity.second);
  return text;
}

/// Words joined by one space, as ' '.join(text.split()).
inline std::string single_spaced(std::string_view text) {
  std::string out;
  for (const std::string_view word : split_at_space(text)) (out += out.empty() ? "" : " ") += word;
  return out;
}

/// Goes through `text` unit by unit and, where two neighbours satisfy `pair`, writes them with `write(first, second)`
/// and goes on behind both: what a regular expression of two single-unit classes does in a substitution.
template <class Text, class Pair, class Write>
Text substitute_pairs(const Text& text, Pair pair, Write write) {
  Text out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at + 1 < text.size() && pair(text[at], text[at + 1])) {
      write(out, text[at], text[at + 1]);
      ++at;
    } else {
      out += text[at];
    }
  }
  return out;
}

template <class Unit>
constexpr bool is_period_or_comma(Unit c) {
  return c == Unit('.') || c == Unit(',');
}
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// ASCII punctuation but ' , - and . and the space itself: [{-~[-` -&(-+:-@/]
constexpr bool is_always_split(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
         (c >= ':' && c <= '@') || c == '/';
}

/// Space around each character that `member` takes.
template <class Text, class Member>
Text spaced_out(const Text& text, Member member) {
  using Unit = typename Text::value_type;
  Text out;
  for (const Unit c : text) {
    if (member(c)) {
      ((out += Unit(' ')) += c) += Unit(' ');
    } else {
      out += c;
    }
  }
  return out;
}

/// Parts periods and commas from what is no digit, then dashes from digits before them. Bytes serve: a byte of a longer
/// UTF-8 sequence is no digit, period or comma.
inline std::string split_around_digits(std::string text) {
  text = substitute_pairs(
      text, [](char a, char b) { return !is_digit(a) && is_period_or_comma(b); },
      [](std::string& out, char a, char b) { (((out += a) += ' ') += b) += ' '; });
  text = substitute_pairs(
      text, [](char a, char b) { return is_period_or_comma(a) && !is_digit(b); },
      [](std::string& out, char a, char b) { (((out += ' ') += a) += ' ') += b; });
  return substitute_pairs(
      text, [](char a, char b) { return is_digit(a) && b == '-'; },
      [](std::string& out, char a, char b) { (((out += a) += ' ') += b) += ' '; });
}

/// The part that 13a and zh share.
inline std::string tokenize_western(const std::string& text) {
  return single_spaced(split_around_digits(spaced_out(text, is_always_split)));
}

inline std::string tokenize_13a(std::string_view line) {
  std::string text = replaced(line, "<skipped>", "");
  text = replaced(replaced(text, "-\n", ""), "\n", " ");
  return tokenize_western(" " + without_entities(std::move(text)) + " ");
}

inline std::string tokenize_intl(std::string_view line) {
  std::u32string text = decode_utf8(line);
  text = substitute_pairs(
      text, [](char32_t a, char32_t b) { return !is_number(a) && is_punctuation(b); },
      [](std::u32string& out, char32_t a, char32_t b) { (((out += a) += U' ') += b) += U' '; });
  text = substitute_pairs(
      text, [](char32_t a, char32_t b) { return is_punctuation(a) && !is_number(b); },
      [](std::u32string& out, char32_t a, char32_t b) { (((out += U' ') += a) += U' ') += b; });
  return single_spaced(encode_utf8(spaced_out(text, is_symbol)));
}

/// What sacreBLEU's zh takes for a Chinese character. Two of its ranges are written with four hexadecimal digits where
/// five were meant, so U+2001 to U+2A6D (quotation marks, arrows, signs) are in and the supplementary planes are not.
inline bool is_split_chinese(char32_t c) {
  constexpr std::pair<char32_t, char32_t> ranges[] = {
      {0x2001, 0x2A6D}, {0x2E80, 0x2FDF}, {0x2FF0, 0x303F}, {0x3100, 0x312F}, {0x31A0, 0x31BF},
      {0x31C0, 0x31EF}, {0x3200, 0x4DB5}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A},
      {0xFA70, 0xFAD9}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF}};
  for (const auto& range : ranges)
    if (c >= range.first && c <= range.second) return true;
  return false;
}

inline std::string tokenize_zh(std::string_view line) {
  const auto words = split_at_space(line);
  if (words.empty()) return {};
  // Space before the first word would part a period from a digit: ".5" stays whole, " .5" does not.
  line = without_trailing_space(line.substr(static_cast<std::size_t>(words.front().data() - line.data())));
  return tokenize_western(encode_utf8(spaced_out(decode_utf8(line), is_split_chinese)));
}

inline std::string tokenize_characters(std::string_view line) {
  std::string out;
  for (const char32_t code : decode_utf8(line)) {
    if (!out.empty()) out += ' ';
    append_utf8(out, code);
  }
  return out;
}

}  // namespace detail

/// A line as sacreBLEU's tokenizer gives it: tokens parted by white space. `line` without white space at its end, as
/// sacreBLEU passes it. Throws Error for invalid UTF-8.
inline std::string bleu_tokenize(BleuTokenizer tokenizer, std::string_view line) {
  if (const auto problem = find_invalid_utf8(line))
    fail("bleu_tokenize: line has a " + std::string(problem->reason) + " at byte " + std::to_string(problem->byte) +
         ", wanted UTF-8: " + quote(line));
  switch (tokenizer) {
    case BleuTokenizer::mteval_13a:
      return detail::tokenize_13a(line);
    case BleuTokenizer::international:
      return detail::tokenize_intl(line);
    case BleuTokenizer::chinese:
      return detail::tokenize_zh(line);
    case BleuTokenizer::character:
      return detail::tokenize_characters(line);
    case BleuTokenizer::none:
      break;
  }
  return std::string(line);
}

}  // namespace heed::inline HEED_ABI
