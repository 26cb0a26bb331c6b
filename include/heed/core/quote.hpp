#pragma once
// Foreign text in messages: text from files and users is shown escaped and cut, so that a message stays one line and a
// terminal obeys none of it.

#include <cstdio>
#include <string>
#include <string_view>

#include <heed/core/display_width.hpp>

namespace heed::inline HEED_ABI {

/// The most bytes of foreign text that a message shows.
inline constexpr std::size_t max_quoted_bytes = 80;

/// Whether a code point reorders or hides the text around it: bidirectional controls, zero-width signs, line
/// separators.
constexpr bool is_invisible_format(char32_t code) {
  return (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0x061C || code == 0xFEFF;
}

/// `text` with controls, invalid bytes, invisible formats, backslashes and double quotes as \n, \x1B, \u{202E} ...
inline std::string escaped(std::string_view text) {
  std::string shown;
  char number[16];
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const char32_t code = next_code_point(text, at);
    const bool invalid = code == 0xFFFD && at == start + 1;
    if (code == '\n') {
      shown += "\\n";
    } else if (code == '\t') {
      shown += "\\t";
    } else if (code == '"' || code == '\\') {
      (shown += '\\') += static_cast<char>(code);
    } else if (invalid || (code < 0x80 && is_control(code))) {
      std::snprintf(number, sizeof number, "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(text[start])));
      shown += number;
    } else if (is_control(code) || is_invisible_format(code)) {
      std::snprintf(number, sizeof number, "\\u{%04X}", static_cast<unsigned>(code));
      shown += number;
    } else {
      shown += text.substr(start, at - start);
    }
  }
  return shown;
}

/// `text` in double quotes, escaped, cut to max_quoted_bytes at a code point: "hello\n\x1B..."
inline std::string quote(std::string_view text) {
  std::size_t kept = text.size() <= max_quoted_bytes ? text.size() : max_quoted_bytes;
  while (kept < text.size() && kept > 0 && (static_cast<unsigned char>(text[kept]) & 0xC0U) == 0x80) --kept;
  if (kept == 0 && !text.empty()) kept = max_quoted_bytes;  // continuation bytes only: no code point to respect
  return '"' + escaped(text.substr(0, kept)) + (kept < text.size() ? "...\"" : "\"");
}

}  // namespace heed::inline HEED_ABI
