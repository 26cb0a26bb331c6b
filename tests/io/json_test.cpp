#include <heed/io/json.hpp>

#include <cstdint>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using heed::FormatError;
using heed::json_field;
using heed::parse_json;
using heed_test::message_of;

namespace {

std::string refusal(const std::string& text) {
  return message_of<FormatError>([&] { parse_json(text, "f"); });
}

}  // namespace

TEST_CASE("right JSON is read", "[io]") {
  const auto value = parse_json(R"({"a": [1, 2.5, {"a": "你"}], "b": {"a": null}})", "f");
  CHECK(value["a"][2]["a"] == "你");
  CHECK(json_field<double>(parse_json(R"({"x": 1e-3})", "f"), "x", "f") == 1e-3);
}

TEST_CASE("what JSON does not allow is refused with the byte", "[io]") {
  CHECK(refusal("{").find("f: byte 2: not valid JSON") == 0);
  for (const char* text : {"", "[NaN]", "{}x", "{\"a\":\"\xff\"}", "[1e999]", "// x\n{}", "[1,]"})
    CHECK(refusal(text) != "");
}

TEST_CASE("names that come twice are refused at every level", "[io]") {
  CHECK(refusal(R"({"a":1,"a":2})") == "f: the JSON name \"a\" comes twice");
  CHECK(refusal(R"([{"x":{"a":1,"b":2,"a":2}}])") != "");
  CHECK(refusal(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}],"c":{"b":1}})") == "");
}

TEST_CASE("deep nesting is refused", "[io]") {
  CHECK(refusal(std::string(16, '[') + std::string(16, ']')) == "");
  CHECK(refusal(std::string(17, '[') + std::string(17, ']')) == "f: JSON nested deeper than 16");
  CHECK(refusal(std::string(2'000'000, '[')) == "f: JSON nested deeper than 16");
}

TEST_CASE("a missing field and a field of another type are refused by name", "[io]") {
  const auto value = parse_json(R"({"a":"x"})", "f");
  CHECK(message_of<FormatError>([&] { json_field<int>(value, "b", "f"); }) == "f: the field \"b\" is missing");
  CHECK(message_of<FormatError>([&] { json_field<int>(value, "a", "f"); }).find("f: the field \"a\" is ") == 0);
  CHECK_THROWS_AS(json_field<int>(parse_json("[1]", "f"), "a", "f"), FormatError);
}

TEST_CASE("a whole number is neither cut nor wrapped", "[io]") {
  const auto field = [](const std::string& number) {
    return message_of<FormatError>([&] { json_field<int>(parse_json("{\"a\":" + number + "}", "f"), "a", "f"); });
  };
  CHECK(field("4294967297") ==
        "f: the field \"a\" is \"4294967297\", wanted a whole number from -2147483648 to 2147483647");
  for (const char* wrong :
       {"1.5", "1e300", "-1e300", "2147483648", "-2147483649", "18446744073709551615", "true", "null", "[1]"})
    CHECK(field(wrong).find("wanted a whole number") != std::string::npos);
  for (const char* right : {"0", "-2147483648", "2147483647", "2.0", "1e3", "-0.0"}) CHECK(field(right).empty());
  CHECK(json_field<heed::Index>(parse_json(R"({"a":-9223372036854775808})", "f"), "a", "f") == PTRDIFF_MIN);
}

TEST_CASE("long text of a file is shown cut and escaped", "[io]") {
  const std::string message = refusal("{\"" + std::string(100'000, 'q') + "\x1B");
  CHECK(message.size() < 500);
  CHECK(message.find("last read: \"") != std::string::npos);
  CHECK(refusal("[\x1B").find('\x1B') == std::string::npos);
}
