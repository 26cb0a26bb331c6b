#include <heed/core/display_width.hpp>

#include <string>

#include "support/catch.hpp"

using heed::display_width;
using heed::next_code_point;

TEST_CASE("ASCII, Latin and Cyrillic take one column, Han, kana, hangul and full-width forms two", "[core]") {
  CHECK(display_width("hello") == 5);
  CHECK(display_width("é ж ñ") == 5);
  CHECK(display_width("你好，世界") == 10);
  CHECK(display_width("かな") == 4);
  CHECK(display_width("한국") == 4);
  CHECK(display_width("Ａ") == 2);
  CHECK(display_width("\u3000") == 2);
  CHECK(display_width("𠀋") == 2);
  CHECK(display_width("") == 0);
}

TEST_CASE("combining marks, joiners and controls take none", "[core]") {
  CHECK(display_width("e\u0301") == 1);
  CHECK(display_width("\u200b\u202e\ufeff") == 0);
  CHECK(display_width("\x1b\t\n") == 0);
  CHECK(display_width("ᄒ\u1161\u11ab") == 2);  // decomposed hangul
}

TEST_CASE("an emoji takes two columns, joined or with a presentation selector too", "[core]") {
  CHECK(display_width("🙂") == 2);
  CHECK(display_width("👨\u200d👩\u200d👧") == 2);
  CHECK(display_width("❤") == 1);
  CHECK(display_width("❤\ufe0f") == 2);
  CHECK(display_width("👍🏽") == 4);  // the skin tone is its own picture to most terminals
}

TEST_CASE("a valid sequence is one code point, an invalid byte is U+FFFD and one byte", "[core]") {
  const auto first = [](const std::string& text) {
    std::size_t at = 0;
    const char32_t code = next_code_point(text, at);
    return std::pair(code, at);
  };
  CHECK(first("a") == std::pair(char32_t{'a'}, std::size_t{1}));
  CHECK(first("é") == std::pair(char32_t{0xE9}, std::size_t{2}));
  CHECK(first("好") == std::pair(char32_t{0x597D}, std::size_t{3}));
  CHECK(first("🙂") == std::pair(char32_t{0x1F642}, std::size_t{4}));
  for (const char* invalid : {"\x80", "\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                              "\xe4\xbd", "\xc3(", "\xf8\x88\x80\x80\x80"}) {
    CHECK(first(invalid) == std::pair(char32_t{0xFFFD}, std::size_t{1}));
  }
}

TEST_CASE("a text is cut at whole code points", "[core]") {
  CHECK(heed::cut_to_width("你好吗", 4) == "你好");
  CHECK(heed::cut_to_width("你好吗", 3) == "你");
  CHECK(heed::cut_to_width("ae\u0301b", 2) == "ae\u0301");
  CHECK(heed::cut_to_width("abc", 0) == "");
  CHECK(heed::cut_to_width("abc", 9) == "abc");
}
