#pragma once
// Unicode's normalisation form NFKC: full-width and half-width forms, ligatures and ideographic spaces become the
// ordinary characters, composed and decomposed accents the same. Unicode Standard Annex 15; the tables are Unicode
// 14's.

#include <algorithm>
#include <string>
#include <string_view>

#include <heed/text/normalization_tables.hpp>
#include <heed/text/utf8.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// The last run that begins at or before a code point and holds it; null where none does.
template <class Runs>
const typename Runs::value_type* find_run(const Runs& runs, char32_t code) {
  const auto behind = std::upper_bound(runs.begin(), runs.end(), code,
                                       [](char32_t c, const typename Runs::value_type& run) { return c < run.first; });
  if (behind == runs.begin() || code > (behind - 1)->last) return nullptr;
  return &*(behind - 1);
}

inline int combining_class(char32_t code) {
  if (code < 0x300) return 0;
  const auto* run = find_run(unicode_tables::combining, code);
  return run == nullptr ? 0 : run->combining_class;
}

/// Hangul syllables are computed: The Unicode Standard, section 3.12.
namespace hangul {
inline constexpr char32_t syllables = 0xAC00, leads = 0x1100, vowels = 0x1161, tails = 0x11A7;
inline constexpr char32_t lead_count = 19, vowel_count = 21, tail_count = 28;
inline constexpr char32_t syllable_count = lead_count * vowel_count * tail_count;
}  // namespace hangul

inline void append_decomposed(std::u32string& text, char32_t code) {
  using namespace hangul;
  if (code < 0xA0) {
    text += code;
  } else if (code >= syllables && code < syllables + syllable_count) {
    const char32_t index = code - syllables, tail = index % tail_count;
    text += leads + index / (vowel_count * tail_count);
    text += vowels + index / tail_count % vowel_count;
    if (tail > 0) text += tails + tail;
  } else if (const auto* run = find_run(unicode_tables::decompositions, code)) {
    const std::size_t place = run->place + static_cast<std::size_t>(code - run->first) * run->length;
    text.append(unicode_tables::decomposed.data() + place, run->length);
  } else {
    text += code;
  }
}

/// The code point that two neighbours become, or 0.
inline char32_t composed(char32_t first, char32_t second) {
  using namespace hangul;
  if (first >= leads && first < leads + lead_count && second >= vowels && second < vowels + vowel_count)
    return syllables + ((first - leads) * vowel_count + (second - vowels)) * tail_count;
  if (first >= syllables && first < syllables + syllable_count && (first - syllables) % tail_count == 0 &&
      second > tails && second < tails + tail_count)
    return first + (second - tails);
  const auto& pairs = unicode_tables::compositions;
  const auto before = [](const unicode_tables::Composition& pair, const unicode_tables::Composition& wanted) {
    return pair.first != wanted.first ? pair.first < wanted.first : pair.second < wanted.second;
  };
  const auto found =
      std::lower_bound(pairs.begin(), pairs.end(), unicode_tables::Composition{first, second, 0}, before);
  return found != pairs.end() && found->first == first && found->second == second ? found->composed : 0;
}

/// Sorts every run of combining marks by class, equal ones as they stood.
inline void order_marks(std::u32string& text) {
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    std::size_t end = begin;
    while (end < text.size() && combining_class(text[end]) != 0) ++end;
    if (end - begin > 1)
      std::stable_sort(text.begin() + static_cast<std::ptrdiff_t>(begin),
                       text.begin() + static_cast<std::ptrdiff_t>(end),
                       [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

/// Puts marks and starters together where nothing stands between them that blocks it (UAX 15, definition D117).
inline void compose(std::u32string& text) {
  constexpr auto none = std::u32string::npos;
  std::size_t starter = none, kept = 0;
  int last_class = -1;  // of the mark kept behind the starter; -1: none is
  for (const char32_t code : std::u32string(text)) {
    const int own = combining_class(code);
    if (starter != none && last_class < own) {
      if (const char32_t both = composed(text[starter], code)) {
        text[starter] = both;
        continue;
      }
    }
    if (own == 0) starter = kept;
    last_class = own == 0 ? -1 : own;
    text[kept++] = code;
  }
  text.resize(kept);
}

}  // namespace detail

/// The NFKC form of code points: Python's unicodedata.normalize("NFKC", text) under Unicode 14.
inline std::u32string nfkc(std::u32string_view text) {
  std::u32string result;
  result.reserve(text.size());
  for (const char32_t code : text) detail::append_decomposed(result, code);
  detail::order_marks(result);
  detail::compose(result);
  return result;
}

/// The same of a UTF-8 text. Throws Error for invalid UTF-8.
inline std::string nfkc(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return ascii ? std::string(text) : encode_utf8(nfkc(decode_utf8(text)));
}

}  // namespace heed::inline HEED_ABI
