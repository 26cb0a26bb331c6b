#include <heed/io/safetensors_sax.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using heed_test::message_of;

namespace {

heed::SafetensorsHeader read(std::string_view text) {
  const std::string file = "f";
  heed::detail::HeaderHandler handler(text, file);
  nlohmann::json::sax_parse(handler.begin(), handler.end(), &handler);
  return handler.take();
}
std::string refusal(std::string_view text) {
  return message_of<heed::FormatError>([&] { read(text); });
}

}  // namespace

TEST_CASE("the handler collects tensors and metadata", "[io]") {
  const auto header =
      read(R"({"b":{"shape":[2,3],"dtype":"F64","data_offsets":[0,48]},"__metadata__":{"k":"v","l":""}})");
  REQUIRE(header.tensors.size() == 1);
  const heed::TensorInfo& tensor = header.tensors.begin()->second;
  CHECK(tensor.dtype == heed::DType::f64);
  CHECK(tensor.shape == std::vector<heed::Index>{2, 3});
  CHECK(tensor.size() == 6);
  CHECK((tensor.begin == 0 && tensor.end == 48));
  CHECK(header.metadata.size() == 2);
}

TEST_CASE("the message has the byte of the file at which reading stopped", "[io]") {
  CHECK(refusal(R"({"a":[]})") == "f: byte 14: an array where an object for the entry \"a\" is wanted");
  CHECK(refusal(R"({"a":7})").rfind("f: byte 15: the number 7", 0) == 0);
  CHECK(refusal(R"({"a")").rfind("f: byte 12: the header is not valid JSON", 0) == 0);
}

TEST_CASE("a value of any JSON kind at a wrong place is refused", "[io]") {
  for (const char* value : {"null", "true", "-1", "1.5", "\"x\"", "[]", "7"}) {
    INFO(value);
    CHECK(refusal(std::string(R"({"a":)") + value + "}") != "");
    CHECK(refusal(std::string(R"({"__metadata__":)") + value + "}") != "");
    for (const char* field : {"dtype", "shape", "data_offsets", "other"}) {
      CHECK(refusal(std::string(R"({"a":{")") + field + "\":" + value + "}}") != "");
    }
  }
}

TEST_CASE("brackets are counted", "[io]") {
  CHECK(refusal(R"({"a":{"shape":[[)") == "f: byte 24: brackets nested 4 deep, wanted less");
  CHECK(refusal(R"({"a":{"shape":{)").find("a nested object where") != std::string::npos);
}
