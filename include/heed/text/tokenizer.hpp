#pragma once
// From a sentence to its tokens and back. Words of English and French: lower case, \w+(?:'\w+)*|[^\w\s]; of Chinese:
// one token per Han character, other runs of word characters whole, punctuation single. Characters and bytes: every
// one, in its case. Marked words, which byte pairs are made of: as words, in their case, Han characters in runs, and
// the signs of English and French with marks that say where no space stood. The rules are part of a model: a
// checkpoint stores a tokenizer's name.

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <heed/text/detokenize.hpp>
#include <heed/text/unicode.hpp>

namespace heed::inline HEED_ABI {

/// What a token is. Of byte pairs a tokenizer makes the words; merges cut them (heed/text/text_codec.hpp).
enum class TokenUnit { words, characters, bytes, byte_pairs };

/// "words", "characters", "bytes" or "bpe".
inline std::string_view unit_name(TokenUnit unit) {
  constexpr std::string_view names[] = {"words", "characters", "bytes", "bpe"};
  return names[static_cast<int>(unit)];
}

/// The unit with this name. Throws Error for any other.
inline TokenUnit unit_from_name(std::string_view name) {
  for (const TokenUnit unit : {TokenUnit::words, TokenUnit::characters, TokenUnit::bytes, TokenUnit::byte_pairs})
    if (name == unit_name(unit)) return unit;
  fail("unit_from_name: name is " + quote(name) + ", wanted \"words\", \"characters\", \"bytes\" or \"bpe\"");
}

/// A space among characters and bytes (U+2581, as sentencepiece has it). In a text itself it comes back as a space.
inline constexpr std::string_view space_mark = "\u2581";

namespace detail {

/// How many code points the token at codes[at] has, which is no space: \w+(?:'\w+)*|[^\w\s]
inline std::size_t western_token_length(std::u32string_view codes, std::size_t at) {
  if (!is_word(codes[at])) return 1;
  std::size_t end = at;
  while (end < codes.size() && is_word(codes[end])) ++end;
  while (end + 1 < codes.size() && codes[end] == U'\'' && is_word(codes[end + 1])) {
    ++end;
    while (end < codes.size() && is_word(codes[end])) ++end;
  }
  return end - at;
}

/// The same for Chinese: a Han character, a run of other word characters, or one of anything else.
inline std::size_t chinese_token_length(std::u32string_view codes, std::size_t at) {
  std::size_t end = at;
  while (end < codes.size() && is_word(codes[end]) && !is_han(codes[end])) ++end;
  return end > at ? end - at : 1;
}

/// Han characters in runs.
inline std::size_t chinese_run_length(std::u32string_view codes, std::size_t at) {
  std::size_t end = at;
  while (end < codes.size() && is_han(codes[end])) ++end;
  return end > at ? end - at : chinese_token_length(codes, at);
}

template <class Length>
std::vector<std::string> cut(std::u32string_view codes, const Length& length) {
  std::vector<std::string> tokens;
  for (std::size_t at = 0; at < codes.size();) {
    if (is_space(codes[at])) {
      ++at;
      continue;
    }
    const std::size_t count = length(codes, at);
    tokens.push_back(encode_utf8(codes.substr(at, count)));
    at += count;
  }
  return tokens;
}

/// English and French words and signs in their case. Of two that touch, the second carries the mark if it is a sign,
/// else the first, which then is one: words stay as they are.
inline std::vector<std::string> marked_words(std::u32string codes) {
  constexpr char32_t mark = 0xFFED, stand_in = 0x25A0;
  std::replace(codes.begin(), codes.end(), mark, stand_in);
  std::vector<std::string> words;
  bool touches = false;
  for (std::size_t at = 0; at < codes.size();) {
    if (is_space(codes[at])) {
      touches = false;
      ++at;
      continue;
    }
    const std::size_t count = western_token_length(codes, at);
    const bool sign = !is_word(codes[at]);
    if (touches && !sign) words.back() += join_mark;
    words.push_back(touches && sign ? std::string(join_mark) : std::string());
    words.back() += encode_utf8(std::u32string_view(codes).substr(at, count));
    touches = true;
    at += count;
  }
  return words;
}

/// The text with one space mark for every run of white space, none at its ends.
inline std::string with_space_marks(std::string_view text) {
  std::string marked;
  for (const std::string_view word : split_at_space(text)) (marked += marked.empty() ? "" : space_mark) += word;
  return marked;
}

/// A byte as a token: printable ASCII as it is, others as <0xE4>.
inline std::string byte_token(unsigned char byte) {
  if (byte > 0x20 && byte < 0x7F) return std::string(1, static_cast<char>(byte));
  char name[8];
  std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
  return byte == ' ' ? std::string(space_mark) : name;
}

inline std::string join_bytes(std::span<const std::string> tokens) {
  std::string text;
  for (const std::string& token : tokens) {
    unsigned byte = 0;
    if (token == space_mark)
      text += ' ';
    else if (token.size() == 6 && std::sscanf(token.c_str(), "<0x%2X>", &byte) == 1)
      text += static_cast<char>(static_cast<unsigned char>(byte));
    else
      text += token;
  }
  return replace_invalid_utf8(text);
}

}  // namespace detail

/// Cuts sentences of one language into tokens. A plain value; its name restores it.
struct Tokenizer {
  Language language = Language::english;
  TokenUnit unit = TokenUnit::words;

  /// The tokenizer with this name: "en", "fr" or "zh", and a unit that is not words behind it: "fr bpe". Throws Error
  /// for any other.
  static Tokenizer from_name(std::string_view name) {
    const std::size_t space = name.find(' ');
    const Language language = language_from_name(name.substr(0, space));
    return {language, space == name.npos ? TokenUnit::words : unit_from_name(name.substr(space + 1))};
  }
  std::string name() const {
    const std::string text(language_name(language));
    return unit == TokenUnit::words ? text : text + ' ' + std::string(unit_name(unit));
  }

  /// The tokens of a UTF-8 sentence, in order; none for an empty one. Throws Error for invalid UTF-8.
  std::vector<std::string> tokenize(std::string_view sentence) const {
    const std::u32string codes = decode_utf8(sentence);
    const bool chinese = language == Language::chinese;
    switch (unit) {
      case TokenUnit::words:
        return chinese ? detail::cut(codes, detail::chinese_token_length)
                       : detail::cut(to_lower(codes), detail::western_token_length);
      case TokenUnit::byte_pairs:
        return chinese ? detail::cut(codes, detail::chinese_run_length) : detail::marked_words(codes);
      case TokenUnit::characters:
        return detail::cut(decode_utf8(detail::with_space_marks(sentence)),
                           [](std::u32string_view, std::size_t) -> std::size_t { return 1; });
      case TokenUnit::bytes:
        break;
    }
    std::vector<std::string> tokens;
    for (const std::string_view word : split_at_space(sentence)) {
      if (!tokens.empty()) tokens.emplace_back(space_mark);
      for (const char byte : word) tokens.push_back(detail::byte_token(static_cast<unsigned char>(byte)));
    }
    return tokens;
  }

  /// A sentence from tokens. Characters, bytes and marked words of English and French come back as they were but for
  /// runs of white space; words get the spaces and capitals that their language usually has; Chinese gets a space only
  /// between Latin letters or digits. Bytes that are no UTF-8 together become U+FFFD.
  std::string detokenize(std::span<const std::string> tokens) const {
    const bool chinese = language == Language::chinese;
    switch (unit) {
      case TokenUnit::words:
        return chinese ? detail::join_chinese(tokens) : detail::join_western(tokens, language);
      case TokenUnit::byte_pairs:
        return chinese ? detail::join_chinese(tokens) : detail::join_marked(tokens);
      case TokenUnit::characters: {
        std::string text;
        for (const std::string& token : tokens) text += token == space_mark ? " " : token;
        return text;
      }
      case TokenUnit::bytes:
        break;
    }
    return detail::join_bytes(tokens);
  }

  bool operator==(const Tokenizer&) const = default;
};

}  // namespace heed::inline HEED_ABI
