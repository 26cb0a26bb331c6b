#include <heed/text/utf8.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::message_of;

namespace {

struct Invalid {
  std::string bytes;
  Index byte;  // of the first problem
  std::string reason;
  std::string replaced;  // what Python's bytes.decode("utf-8", "replace") gives
};

const std::string fffd = "\xEF\xBF\xBD";

const std::vector<Invalid>& invalid_texts() {
  static const std::vector<Invalid> texts = {
      {"a\x80", 1, "stray continuation byte", "a" + fffd},
      {"\xC0\xAF", 0, "overlong form", fffd + fffd},
      {"\xC1\xBF", 0, "overlong form", fffd + fffd},
      {"\xE0\x80\xAF", 0, "overlong form", fffd + fffd + fffd},
      {"\xE0\x9F\xBF", 0, "overlong form", fffd + fffd + fffd},
      {"\xF0\x80\x80\xAF", 0, "overlong form", fffd + fffd + fffd + fffd},
      {"ab\xED\xA0\x80", 2, "surrogate", "ab" + fffd + fffd + fffd},
      {"\xED\xBF\xBF", 0, "surrogate", fffd + fffd + fffd},
      {"\xF4\x90\x80\x80", 0, "code point above U+10FFFF", fffd + fffd + fffd + fffd},
      {"\xF5\x80\x80\x80", 0, "code point above U+10FFFF", fffd + fffd + fffd + fffd},
      {"\xFF", 0, "byte that is never in UTF-8", fffd},
      {"\xE4\xB8", 0, "cut sequence", fffd},
      {"\xE4\xB8z", 0, "cut sequence", fffd + "z"},
      {"\xF0\x9F\x98", 0, "cut sequence", fffd},
      {"x\xF0\x9F\x98"
       "abc",
       1, "cut sequence", "x" + fffd + "abc"},
      {"\xC3", 0, "cut sequence", fffd},
      {"\xE4\xB8\xE4\xB8\xAD", 0, "cut sequence", fffd + "\xE4\xB8\xAD"},
  };
  return texts;
}

}  // namespace

TEST_CASE("every code point survives encoding and decoding", "[text]") {
  std::u32string all;
  for (char32_t code = 0; code <= 0x10FFFF; code += code < 0x3000 ? 1 : 37)
    if (code < 0xD800 || code > 0xDFFF) all += code;
  all += U"\uD7FF\uE000\uFFFF\U00010000\U0010FFFF";
  const std::string text = encode_utf8(all);
  CHECK(!find_invalid_utf8(text));
  CHECK(decode_utf8(text) == all);
  CHECK(encode_utf8(U"\u00e9\u4e2d\U0001F600") == "\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80");
}

TEST_CASE("invalid UTF-8 is refused with its byte and reason", "[text]") {
  for (const Invalid& text : invalid_texts()) {
    CAPTURE(text.reason, text.byte);
    const auto problem = find_invalid_utf8(text.bytes);
    REQUIRE(problem);
    CHECK(problem->byte == text.byte);
    CHECK(problem->reason == text.reason);
    const std::string message = message_of<Error>([&] { decode_utf8(text.bytes); });
    CHECK(message.find("at byte " + std::to_string(text.byte)) != message.npos);
    CHECK(message.find(text.reason) != message.npos);
  }
}

TEST_CASE("one replacement character stands for each maximal subpart", "[text]") {
  for (const Invalid& text : invalid_texts()) {
    CAPTURE(text.reason, text.byte);
    CHECK(replace_invalid_utf8(text.bytes) == text.replaced);
  }
  CHECK(replace_invalid_utf8("plain \xE4\xB8\xAD") == "plain \xE4\xB8\xAD");
}

TEST_CASE("no prefix of a text is read past its end", "[text]") {
  const std::string text = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80";
  const std::vector<std::size_t> whole = {0, 1, 3, 6, 10};
  for (std::size_t length = 0; length <= text.size(); ++length) {
    const std::string exact(text.data(), length);  // its own allocation: the address sanitizer sees a read behind it
    const bool valid = std::find(whole.begin(), whole.end(), length) != whole.end();
    CHECK(find_invalid_utf8(exact).has_value() == !valid);
  }
}

TEST_CASE("what UTF-8 cannot hold is not encoded", "[text]") {
  std::string text = "kept";
  CHECK_THROWS_AS(append_utf8(text, 0xD800), Error);
  CHECK_THROWS_AS(append_utf8(text, 0xDFFF), Error);
  CHECK_THROWS_AS(append_utf8(text, 0x110000), Error);
  CHECK(text == "kept");
}

TEST_CASE("messages show at most 80 bytes of a bad text", "[text]") {
  const std::string message = message_of<Error>([] { decode_utf8("\xFF" + std::string(5000, 'x')); });
  CHECK(!message.empty());
  CHECK(message.size() < 250);
}
