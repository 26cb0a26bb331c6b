#pragma once
// From a sentence to its tokens and back. English and French: lower case, \w+(?:'\w+)*|[^\w\s]. Chinese: one token per
// Han character, other runs of word characters whole, punctuation single. The rules are part of a model: a checkpoint
// stores a tokenizer's name.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <heed/text/unicode.hpp>

namespace heed::inline HEED_ABI {

enum class Language { english, french, chinese };

/// "en", "fr" or "zh".
inline std::string_view language_name(Language language) {
  return language == Language::english ? "en" : language == Language::french ? "fr" : "zh";
}

/// The language with this name. Throws Error for any other.
inline Language language_from_name(std::string_view name) {
  for (const Language language : {Language::english, Language::french, Language::chinese})
    if (name == language_name(language)) return language;
  fail("language_from_name: name is " + quote(name) + ", wanted \"en\", \"fr\" or \"zh\"");
}

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

constexpr bool ascii_alphanumeric(char c) { return is_ascii_alphanumeric(static_cast<unsigned char>(c)); }

/// Chinese tokens joined; a space only between two that meet in Latin letters or digits.
inline std::string join_chinese(std::span<const std::string> tokens) {
  std::string text;
  for (const std::string& token : tokens) {
    if (!text.empty() && !token.empty() && ascii_alphanumeric(token[0]) && ascii_alphanumeric(text.back())) text += ' ';
    text += token;
  }
  return text;
}

/// Tokens joined by spaces, then none before . , ! ? ; : % ) ] and none after ( [.
inline std::string join_western(std::span<const std::string> tokens) {
  std::string joined, text;
  for (std::size_t i = 0; i < tokens.size(); ++i) (joined += i == 0 ? "" : " ") += tokens[i];
  constexpr std::string_view closing = ".,!?;:%)]", opening = "([";
  std::string tight;
  for (std::size_t i = 0; i < joined.size(); ++i) {
    const bool drop = joined[i] == ' ' && i + 1 < joined.size() && closing.find(joined[i + 1]) != closing.npos;
    tight += drop ? joined[++i] : joined[i];
  }
  for (std::size_t i = 0; i < tight.size(); ++i) {
    text += tight[i];
    if (opening.find(tight[i]) != opening.npos && i + 1 < tight.size() && tight[i + 1] == ' ') ++i;
  }
  return text;
}

}  // namespace detail

/// Cuts sentences of one language into tokens. A plain value; its name restores it.
struct Tokenizer {
  Language language = Language::english;

  /// The tokenizer with this name: "en", "fr" or "zh". Throws Error for any other.
  static Tokenizer from_name(std::string_view name) { return {language_from_name(name)}; }
  std::string_view name() const { return language_name(language); }

  /// The tokens of a UTF-8 sentence, in order; none for an empty one. Throws Error for invalid UTF-8.
  std::vector<std::string> tokenize(std::string_view sentence) const {
    const bool chinese = language == Language::chinese;
    std::u32string codes = decode_utf8(sentence);
    if (!chinese) codes = to_lower(codes);
    std::vector<std::string> tokens;
    for (std::size_t at = 0; at < codes.size();) {
      if (is_space(codes[at])) {
        ++at;
        continue;
      }
      const std::size_t length =
          chinese ? detail::chinese_token_length(codes, at) : detail::western_token_length(codes, at);
      tokens.push_back(encode_utf8(std::u32string_view(codes).substr(at, length)));
      at += length;
    }
    return tokens;
  }

  /// A sentence from tokens. What the tokenizer lost (case, unusual spacing) stays lost.
  std::string detokenize(std::span<const std::string> tokens) const {
    return language == Language::chinese ? detail::join_chinese(tokens) : detail::join_western(tokens);
  }

  bool operator==(const Tokenizer&) const = default;
};

}  // namespace heed::inline HEED_ABI
