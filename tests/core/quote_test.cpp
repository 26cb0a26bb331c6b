#include <heed/core/quote.hpp>

#include "support/catch.hpp"

using heed::escaped;
using heed::quote;

TEST_CASE("plain text is shown as it is", "[core]") {
  CHECK(quote("hello") == "\"hello\"");
  CHECK(quote("你好") == "\"你好\"");
  CHECK(quote("") == "\"\"");
}

TEST_CASE("what a terminal would obey is escaped", "[core]") {
  CHECK(escaped("a\nb\tc") == "a\\nb\\tc");
  CHECK(escaped("\x1b[2J\x07\x7f") == "\\x1B[2J\\x07\\x7F");
  CHECK(escaped(std::string_view("\0x", 2)) == "\\x00x");
  CHECK(escaped("\"\\") == "\\\"\\\\");
  CHECK(escaped("\xff\xe4\xbd") == "\\xFF\\xE4\\xBD");
  CHECK(escaped("\u202e\u200b\ufeff\u0085") == "\\u{202E}\\u{200B}\\u{FEFF}\\u{0085}");
  CHECK(escaped("\ufffd") == "\ufffd");
}

TEST_CASE("long text is cut at 80 bytes, never inside a character", "[core]") {
  CHECK(quote(std::string(80, 'x')) == '"' + std::string(80, 'x') + '"');
  CHECK(quote(std::string(81, 'x')) == '"' + std::string(80, 'x') + "...\"");
  std::string han;
  for (int i = 0; i < 40; ++i) han += "好";
  CHECK(quote(han) == '"' + han.substr(0, 78) + "...\"");
  CHECK(quote(std::string(100, '\x80')).size() == 2 + 4 * 80 + 3);
}
