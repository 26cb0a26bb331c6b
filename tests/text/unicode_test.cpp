#include <heed/text/unicode.hpp>

#include "support/catch.hpp"

using namespace heed;

TEST_CASE("character classes are those of Python's re", "[text]") {
  for (const char32_t code : U"aZ09_\u00e9\u00b2\u00bd\u4e2d\u3007\u0663\u0391\u30ab\U00020001\u2160")
    if (code != 0) CHECK(is_word(code));
  for (const char32_t code : U" -'.\u0301\u200d\u3002\uff0c\u2026\u20ac\U0001F600\u00a0\u2028")
    if (code != 0) CHECK(!is_word(code));
  for (const int code : {0x20, 0x09, 0x0D, 0x1C, 0x1F, 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028, 0x202F, 0x3000})
    CHECK(is_space(static_cast<char32_t>(code)));
  for (const int code : {0x1B, 0x21, 0x200B, 0x180E, 0xFEFF}) CHECK(!is_space(static_cast<char32_t>(code)));
  CHECK(is_punctuation(U'!'));
  CHECK(is_punctuation(U'\u3002'));
  CHECK(!is_punctuation(U'+'));
  CHECK(is_symbol(U'+'));
  CHECK(is_symbol(U'\u20ac'));
  CHECK(!is_symbol(U'a'));
  CHECK(is_number(U'7'));
  CHECK(is_number(U'\u00bd'));
  CHECK(!is_number(U'\u4e00'));
  CHECK(is_ascii_punctuation(U'~'));
  CHECK(!is_ascii_punctuation(U' '));
  CHECK(!is_ascii_punctuation(U'\x7f'));
}

TEST_CASE("Han characters are the corpora's four ranges and nothing beside them", "[text]") {
  for (const char32_t code : U"\u3400\u4dbf\u4e00\u9fff\uf900\ufaff\u3007")
    if (code != 0) CHECK(is_han(code));
  for (const char32_t code : U"\u33ff\u4dc0\ua000\uf8ff\ufb00\u3006\u3008\u30ab\U00020000")
    if (code != 0) CHECK(!is_han(code));
}

TEST_CASE("lower case is Python's str.lower", "[text]") {
  CHECK(lower_case("Plain ASCII 42!") == "plain ascii 42!");
  CHECK(lower_case("ÀÉÎÕÜ ÇA ŒUF ŸÑ") == "àéîõü ça œuf ÿñ");
  CHECK(lower_case("АБВ ЯЁ") == "абв яё");
  CHECK(lower_case("\u0130") == "i\u0307");  // the one mapping to two code points
  CHECK(lower_case("\u1E9E ß") == "ß ß");
  CHECK(lower_case("\u212A\u2126\u01C5") == "k\u03c9\u01c6");  // signs and titlecase digraphs
  CHECK(lower_case("\U00010400") == "\U00010428");
  CHECK(lower_case("ĀāĂă ǍǎǏ") == "āāăă ǎǎǐ");  // every second code point has a mapping
  CHECK(lower_case("中文，。") == "中文，。");
}

TEST_CASE("a capital sigma is final at a word's end only", "[text]") {
  CHECK(lower_case("ΟΔΟΣ") == "οδος");
  CHECK(lower_case("ΣΟΦΙΑ") == "σοφια");
  CHECK(lower_case("Σ") == "σ");
  CHECK(lower_case("ΑΣ. ΑΣ.Α") == "ας. ασ.α");  // a period is skipped when looking for letters
  CHECK(lower_case("ΑΣ\u0301 \u0301Σ") == "ας\u0301 \u0301σ");
  CHECK(lower_case("AΣ1") == "aς1");
}

TEST_CASE("texts are cut at all of Unicode's white space", "[text]") {
  using Words = std::vector<std::string_view>;
  CHECK(split_at_space("  a\tbc\u3000\u00a0d\x1c"
                       "e\n") == Words{"a", "bc", "d", "e"});
  CHECK(split_at_space("").empty());
  CHECK(split_at_space(" \u2028 ").empty());
  CHECK(split_at_space("中文") == Words{"中文"});
  CHECK(without_trailing_space(" a b\u3000 \n") == " a b");
  CHECK(without_trailing_space(" \t").empty());
  CHECK(without_trailing_space("中") == "中");
}
