#include <heed/text/normalize.hpp>

#include <cstdint>

#include "support/catch.hpp"

using namespace heed;

// The hashes are make_normalization_tables.py --cases with Python 3.11 (Unicode 14).

namespace {

std::uint64_t fnv(std::string_view text) {
  std::uint64_t value = 0xCBF29CE484222325u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return value;
}

}  // namespace

TEST_CASE("wide and narrow forms, ideographic spaces and ligatures become ordinary characters", "[text]") {  // D13
  CHECK(nfkc("Ｈｅｌｌｏ，　ｗｏｒｌｄ！１２３") == "Hello, world!123");
  CHECK(nfkc("ｶﾞｷﾞｸﾞ") == "ガギグ");
  CHECK(nfkc("ﬁn œuvre ① ㎏ Ⅷ ½ …") == "fin œuvre 1 kg VIII 1⁄2 ...");
  CHECK(nfkc("a\u00a0b\u2003c") == "a b c");
  CHECK(nfkc("中文，。") == "中文,。");
  CHECK(nfkc("plain ASCII ~") == "plain ASCII ~");
  CHECK(nfkc("").empty());
}

TEST_CASE("composed and decomposed accents become the same", "[text]") {  // D13
  CHECK(nfkc("e\u0301te\u0301") == "été");
  CHECK(nfkc("été") == "été");
  CHECK(nfkc("o\u0323\u0302") == "ộ");
  CHECK(nfkc("o\u0302\u0323") == "ộ");
  CHECK(nfkc("\u212b\u2126") == "\u00c5\u03a9");
  CHECK(nfkc("q\u0307\u0323") == "q\u0323\u0307");
  CHECK(nfkc("\u0301a") == "\u0301a");
  CHECK(nfkc("\u0958") == "\u0915\u093c");  // excluded from composition
}

TEST_CASE("Hangul syllables are taken apart and put together", "[text]") {
  CHECK(nfkc("\u1112\u1161\u11ab\u1100\u1173\u11af") == "한글");
  CHECK(nfkc("한\u11ab글") == "한\u11ab글");
  CHECK(nfkc("가\u11a8") == "각");
}

TEST_CASE("every code point, and a mixture of marks and starters, has the form that Python gives", "[text]") {
  std::string every;
  for (char32_t code = 0; code < 0x110000; ++code)
    if (code < 0xD800 || code > 0xDFFF) every += encode_utf8(nfkc(std::u32string(1, code))) + ' ';
  CHECK(fnv(every) == 0x2C6CC4AE5EA65437);
  const std::u32string odd =
      U"a\u00e9\u0301\u0323\u0327\u0345\u1100\u1161\u11a8\uac00\u0344\u1e9b\uff76\uff9e\u0f71\u0f73\u3099\u304b\u212b"
      U"\u0958";
  std::u32string mixture;
  std::uint32_t state = 12345;
  for (int i = 0; i < 20000; ++i) {
    state = (state * 1103515245u + 12345u) & 0x7FFFFFFFu;
    mixture += odd[state / 65536 % odd.size()];
  }
  CHECK(fnv(encode_utf8(nfkc(mixture))) == 0xF6B56CFD18030771);
  CHECK(nfkc(nfkc(mixture)) == nfkc(mixture));
}

TEST_CASE("text that is no UTF-8 is not normalised", "[text]") { CHECK_THROWS_AS(nfkc("\xEF\xBC"), Error); }
