#pragma once
// Strict UTF-8 (Unicode 14, section 3.9, table 3-7): overlong forms, surrogates, code points above U+10FFFF and cut
// sequences are refused with their byte, or replaced by U+FFFD, one per maximal subpart, as Python's "replace" does.
// How foreign text is shown in messages and how wide it is: heed/core/quote.hpp, heed/core/display_width.hpp.

#include <optional>
#include <string>
#include <string_view>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>

namespace heed::inline HEED_ABI {

/// What stands for bytes that are no UTF-8.
inline constexpr char32_t replacement_character = 0xFFFD;

/// The first place where a text is not UTF-8.
struct Utf8Problem {
  Index byte = 0;           // counted from 0
  std::string_view reason;  // "overlong form"
};

/// One step of decoding: a code point and its bytes, or a reason and how many bytes one U+FFFD stands for.
struct Utf8Step {
  char32_t code = 0;
  Index length = 1;
  std::string_view problem;  // empty when valid
};

namespace detail {

/// Reads the sequence that begins with a byte of 0x80 or more; `bytes` is not empty.
inline Utf8Step utf8_sequence(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned lead = byte(0);
  if (lead < 0xC0) return {0, 1, "stray continuation byte"};
  if (lead < 0xC2) return {0, 1, "overlong form"};
  if (lead > 0xF7) return {0, 1, "byte that is never in UTF-8"};
  if (lead > 0xF4) return {0, 1, "code point above U+10FFFF"};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t code = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto read = static_cast<Index>(i);
    if (i >= bytes.size() || (byte(i) & 0xC0U) != 0x80) return {0, read, "cut sequence"};
    const unsigned next = byte(i);
    if (i == 1) {  // table 3-7: what the second byte alone decides
      if ((lead == 0xE0 && next < 0xA0) || (lead == 0xF0 && next < 0x90)) return {0, 1, "overlong form"};
      if (lead == 0xED && next > 0x9F) return {0, 1, "surrogate"};
      if (lead == 0xF4 && next > 0x8F) return {0, 1, "code point above U+10FFFF"};
    }
    code = (code << 6) | (next & 0x3FU);
  }
  return {code, static_cast<Index>(length), {}};
}

}  // namespace detail

/// Decodes what begins at text[at]; text[at] must exist.
inline Utf8Step utf8_step(std::string_view text, Index at) {
  const auto lead = static_cast<unsigned char>(text[static_cast<std::size_t>(at)]);
  if (lead < 0x80) return {lead, 1, {}};
  return detail::utf8_sequence(text.substr(static_cast<std::size_t>(at)));
}

/// The first problem of a text, if any.
inline std::optional<Utf8Problem> find_invalid_utf8(std::string_view text) {
  for (Index at = 0; at < static_cast<Index>(text.size());) {
    const Utf8Step step = utf8_step(text, at);
    if (!step.problem.empty()) return Utf8Problem{at, step.problem};
    at += step.length;
  }
  return std::nullopt;
}

enum class InvalidUtf8 { refuse, replace };

/// The code points of a UTF-8 text. Throws Error with the byte where it is not UTF-8, or puts U+FFFD there.
inline std::u32string decode_utf8(std::string_view text, InvalidUtf8 invalid = InvalidUtf8::refuse) {
  std::u32string codes;
  codes.reserve(text.size());
  for (Index at = 0; at < static_cast<Index>(text.size());) {
    const Utf8Step step = utf8_step(text, at);
    check(step.problem.empty() || invalid == InvalidUtf8::replace, [&] {
      return "decode_utf8: text has a " + std::string(step.problem) + " at byte " + std::to_string(at) +
             ", wanted UTF-8: " + quote(text.substr(static_cast<std::size_t>(at)));
    });
    codes += step.problem.empty() ? step.code : replacement_character;
    at += step.length;
  }
  return codes;
}

/// Appends one code point. Throws Error for surrogates and above U+10FFFF, which UTF-8 cannot hold.
inline void append_utf8(std::string& text, char32_t code) {
  check(code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF), [&] {
    return "append_utf8: code is " + std::to_string(static_cast<unsigned long>(code)) +
           ", wanted a Unicode scalar value";
  });
  const auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) return put(0xC0 | (code >> 6)), put(0x80 | (code & 0x3F));
  if (code < 0x10000) {
    put(0xE0 | (code >> 12));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
  }
  put(0x80 | ((code >> 6) & 0x3F));
  put(0x80 | (code & 0x3F));
}

/// Code points as UTF-8. Throws Error for surrogates and above U+10FFFF.
inline std::string encode_utf8(std::u32string_view codes) {
  std::string text;
  text.reserve(codes.size());
  for (const char32_t code : codes) append_utf8(text, code);
  return text;
}

/// The text with U+FFFD for each maximal subpart that is not UTF-8; valid text comes back as it is.
inline std::string replace_invalid_utf8(std::string_view text) {
  return encode_utf8(decode_utf8(text, InvalidUtf8::replace));
}

}  // namespace heed::inline HEED_ABI
