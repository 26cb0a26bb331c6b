#pragma once
// Sentences from tokens: where a space stands and which letter is a capital in English, French and Chinese.

#include <algorithm>
#include <initializer_list>
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

/// Stands at a sign that touches the word before or behind it: "well ￭, ( ￭) ..." (U+FFED, as OpenNMT's tokenizer has
/// it). In a text itself it becomes U+25A0.
inline constexpr std::string_view join_mark = "\uFFED";

namespace detail {

constexpr bool ascii_alphanumeric(char c) { return is_ascii_alphanumeric(static_cast<unsigned char>(c)); }
constexpr bool ascii_digit(char c) { return is_ascii_digit(static_cast<unsigned char>(c)); }

/// Chinese tokens joined; a space only between two that meet in Latin letters or digits.
inline std::string join_chinese(std::span<const std::string> tokens) {
  std::string text;
  for (const std::string& token : tokens) {
    if (!text.empty() && !token.empty() && ascii_alphanumeric(token[0]) && ascii_alphanumeric(text.back())) text += ' ';
    text += token;
  }
  return text;
}

inline bool one_of(std::string_view token, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), token) != list.end();
}

/// Whether a token begins with a letter, a number or the underscore.
inline bool begins_a_word(std::string_view token) {
  std::size_t at = 0;
  return !token.empty() && is_word(next_code_point(token, at));
}

/// A token with a large first letter.
inline std::string capitalized(std::string_view token) {
  std::size_t at = 0;
  std::string text;
  append_utf8(text, to_upper(next_code_point(token, at)));
  return text += token.substr(at);
}

/// Decides token by token whether a space stands before it, as English and French are written. Straight quotes come in
/// pairs; a hyphen, an apostrophe and a point between words or numbers join them.
class WesternSpacing {
 public:
  explicit WesternSpacing(Language language) : french_(language == Language::french) {}

  /// Whether a space stands between the last token and `token`; `next` is the one behind it, or empty.
  bool space_before(std::string_view token, std::string_view next) {
    bool space = !last_.empty() && !glued_;
    glued_ = false;
    const bool between_words = begins_a_word(last_) && begins_a_word(next);
    if (closes(token)) space = false;
    if (one_of(token, {"(", "[", "{", "¿", "¡", "$", "£"})) glued_ = true;
    if (token == "’" || ((token == "-" || token == "/") && between_words) || is_inside_number(token, next)) {
      space = false;
      glued_ = begins_a_word(next);
    }
    if (token == "\"" || token == "'") {
      bool& open = token == "'" ? single_ : double_;
      if (open) space = false;
      open = !open;
      glued_ = open;
    }
    last_ = token;
    return space;
  }

 private:
  /// Signs that stand directly behind what they follow; French parts the tall ones by a space.
  bool closes(std::string_view token) const {
    if (one_of(token, {".", ",", ")", "]", "}", "…", "”"})) return true;
    return !french_ && one_of(token, {"!", "?", ";", ":", "%"});
  }
  /// 3.50, 10:30, 1,000; in French 3,5 too.
  bool is_inside_number(std::string_view token, std::string_view next) const {
    if (last_.empty() || next.empty() || !ascii_digit(last_.back()) || !ascii_digit(next.front())) return false;
    return token == "." || token == ":" || (token == "," && (french_ || next.size() == 3));
  }

  bool french_, glued_ = false, single_ = false, double_ = false;
  std::string last_;
};

/// Lower-case tokens as a sentence: spaces where the language has them, a capital at the beginning, behind . ! ? and in
/// the English I.
inline std::string join_western(std::span<const std::string> tokens, Language language) {
  WesternSpacing spacing(language);
  std::string text;
  bool begin = true;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    const std::string_view next = i + 1 < tokens.size() ? std::string_view(tokens[i + 1]) : std::string_view();
    if (spacing.space_before(token, next)) text += ' ';
    const bool pronoun = language == Language::english && (token == "i" || token.starts_with("i'"));
    const bool word = begins_a_word(token);
    text += (begin && word) || pronoun ? capitalized(token) : token;
    if (word) begin = false;
    if (one_of(token, {".", "!", "?"})) begin = true;
  }
  return text;
}

/// Words and signs as they were written, from marked_words(): a space between all but where a sign has a join mark.
inline std::string join_marked(std::span<const std::string> words) {
  std::string text;
  bool glued = false;
  for (std::string_view word : words) {
    const bool before = word.starts_with(join_mark),
               behind = word.size() > join_mark.size() && word.ends_with(join_mark);
    if (before) word.remove_prefix(join_mark.size());
    if (behind) word.remove_suffix(join_mark.size());
    if (!before && !glued && !text.empty()) text += ' ';
    text += word;
    glued = behind;
  }
  return text;
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
