#include <heed/io/safetensors_header.hpp>

#include <heed/io/safetensors.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using heed::FormatError;
using heed::SafetensorsFile;
using heed_test::message_of;
using heed_test::safetensors_bytes;

namespace {

std::string refusal(const std::string& bytes) {
  return message_of<FormatError>([&] { SafetensorsFile::parse(bytes); });
}
std::string header_refusal(const std::string& header, const std::string& data = "") {
  return refusal(safetensors_bytes(header, data));
}
/// A header with one tensor "t", its description given.
std::string tensor_refusal(const std::string& description, const std::string& data = "") {
  return header_refusal(R"({"t":)" + description + "}", data);
}
bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
void check_refused(const std::string& message, const std::string& part) {
  INFO("message: " << message);
  CHECK(mentions(message, part));
}

const std::string four(4, '\0');

}  // namespace

TEST_CASE("a file shorter than its length field is refused", "[io]") {
  check_refused(refusal(""), "memory: byte 0: shorter than 8 bytes");    // C1
  check_refused(refusal(std::string(7, '\0')), "shorter than 8 bytes");  // C2
}

TEST_CASE("a header length that the file or the limit does not allow is refused", "[io]") {
  check_refused(refusal(safetensors_bytes(0, "")), "does not begin with {");                            // C3
  check_refused(refusal(safetensors_bytes(500, "{}")), "a header of 500 bytes in a file of 10 bytes");  // C4
  check_refused(refusal(safetensors_bytes(std::uint64_t{1} << 63, "{}")), "the limit is");              // C5
  check_refused(refusal(safetensors_bytes(~std::uint64_t{0}, "{}")), "the limit is");                   // C6
  check_refused(refusal(safetensors_bytes(~std::uint64_t{7}, "{}")), "the limit is");                   // C7
  check_refused(refusal(safetensors_bytes(100'000'001, "{}")), "100000001");                            // C8
  check_refused(refusal(safetensors_bytes(100'000'000, "{}")), "in a file of 10 bytes");
  check_refused(refusal(safetensors_bytes(3, "{}")), "in a file of 10 bytes");
}

TEST_CASE("a header that is not one strict JSON object is refused", "[io]") {
  check_refused(header_refusal(" {}"), "byte 8: the header does not begin with {");  // C9
  check_refused(header_refusal("[]"), "does not begin with {");                      // C10
  check_refused(header_refusal("{}x"), "not valid JSON");                            // C11
  check_refused(header_refusal("{}{}"), "not valid JSON");
  check_refused(tensor_refusal(R"({"dtype":"F32","shape":[NaN],"data_offsets":[0,4]})", four),
                "not valid JSON");  // C12
  check_refused(tensor_refusal(R"({"dtype":"F32","shape":[1e999],"data_offsets":[0,4]})", four),
                "not valid JSON");                                   // C13
  check_refused(header_refusal("{\"\xff\":{}}"), "not valid JSON");  // C14
  check_refused(header_refusal(R"({"\ud800":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", four),
                "not valid JSON");  // C15
  check_refused(header_refusal("{"), "not valid JSON");
  check_refused(header_refusal("{/**/}"), "not valid JSON");
}

TEST_CASE("nothing may come twice in a header", "[io]") {
  const std::string one = R"("t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  check_refused(header_refusal("{" + one + "," + one + "}", four), R"("t" comes twice)");  // C16
  check_refused(tensor_refusal(R"({"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]})", four),
                R"(the field dtype of tensor "t" comes twice)");  // C17
  check_refused(header_refusal(R"({"__metadata__":{"a":"1","a":"2"}})"), R"("a" comes twice)");
  check_refused(header_refusal(R"({"__metadata__":{},"__metadata__":{}})"), "comes twice");
}

TEST_CASE("dtypes: unknown ones are refused by name, known ones without a C++ type are listed", "[io]") {
  check_refused(tensor_refusal(R"({"dtype":"F33","shape":[1],"data_offsets":[0,4]})", four),
                R"(unknown dtype "F33")");  // C18
  const auto file =
      SafetensorsFile::parse(safetensors_bytes(R"({"e":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]},)"
                                               R"("f":{"dtype":"F4","shape":[4],"data_offsets":[2,4]}})",
                                               four));  // C19
  CHECK(file.info("e").shape == std::vector<heed::Index>{2});
  check_refused(message_of<FormatError>([&] { file.values<float>("e"); }), "F8_E5M2");
  check_refused(message_of<FormatError>([&] { file.values<float>("f"); }), "F4");
  check_refused(tensor_refusal(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})", "x"), "last byte");
}

TEST_CASE("shapes are whole numbers whose product fits, zeros hiding nothing", "[io]") {
  const auto shape = [](const std::string& text) {
    return tensor_refusal(R"({"dtype":"F32","shape":)" + text + R"(,"data_offsets":[0,0]})");
  };
  check_refused(shape("[-2]"), "shape holds -2");                                      // C20
  check_refused(shape("[2.0]"), "shape holds 2.0");                                    // C21
  check_refused(shape("[18446744073709551616]"), "shape holds 18446744073709551616");  // C22
  check_refused(shape("[9223372036854775808]"), "wanted less than 2^63");
  check_refused(shape("[1099511627776,1099511627776]"), "does not fit 63 bits");                // C23
  check_refused(shape("[0,9223372036854775807,9223372036854775807]"), "does not fit 63 bits");  // C24
  check_refused(shape("[1,1,1,1,1,1,1,1,1]"), "more than 8 numbers");
  check_refused(shape("3"), "a list of whole numbers");
  check_refused(shape("[[3]]"), "nested 4 deep");
  check_refused(shape("[true]"), "a boolean where");
  check_refused(shape("null"), "null where");
}

TEST_CASE("offsets must describe exactly the bytes of their tensor", "[io]") {
  const auto offsets = [](const std::string& text, const std::string& data = four) {
    return tensor_refusal(R"({"dtype":"F32","shape":[1],"data_offsets":)" + text + "}", data);
  };
  check_refused(offsets("[-1,3]"), "data_offsets holds -1");                         // C25
  check_refused(offsets("[4,0]"), "run backwards");                                  // C26
  check_refused(offsets("[4,8]"), "past the end");                                   // C27
  check_refused(offsets("[0,3]", "abc"), "hold 3 bytes, shape (1) of F32 needs 4");  // C28
  check_refused(offsets("[0,4,4]"), "more than 2 numbers");                          // C29
  check_refused(offsets("[0]"), "has 1 numbers, wanted 2");
  check_refused(offsets(R"(["0","4"])"), R"(the string "0" where)");  // C30
}

TEST_CASE("every byte of the data belongs to exactly one tensor", "[io]") {
  const auto two = [](const std::string& first, const std::string& second, std::size_t bytes) {
    const std::string head = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
                             R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}";
    return header_refusal(head, std::string(bytes, 'x'));
  };
  CHECK(two("[0,4]", "[4,8]", 8).empty());
  CHECK(two("[4,8]", "[0,4]", 8).empty());
  check_refused(two("[0,4]", "[5,9]", 9), R"(no tensor covers the bytes before tensor "b")");  // C31
  check_refused(two("[0,4]", "[2,6]", 6), "overlaps");                                         // C32
  check_refused(two("[0,4]", "[0,4]", 4), "overlaps");
  check_refused(two("[0,4]", "[4,8]", 9), "1 bytes behind the last tensor");  // C33
  const std::string archive = safetensors_bytes("{}");
  check_refused(refusal(archive + archive), "10 bytes behind the last tensor");  // C34
}

TEST_CASE("metadata is an object of texts", "[io]") {
  check_refused(header_refusal(R"({"__metadata__":{"a":1}})"), "a metadata text");  // C35
  check_refused(header_refusal(R"({"__metadata__":["a"]})"), "an array where");     // C36
  check_refused(header_refusal(R"({"__metadata__":"a"})"), "the string");
  check_refused(header_refusal(R"({"__metadata__":{"a":{}}})"), "a nested object where");
  const auto file = SafetensorsFile::parse(safetensors_bytes(R"({"__metadata__":{"format":"pt","__metadata__":"x"}})"));
  CHECK(file.metadata().at("format") == "pt");
  CHECK(file.metadata().at("__metadata__") == "x");
}

TEST_CASE("a tensor has its three fields and no other", "[io]") {
  check_refused(tensor_refusal(R"({"dtype":"F32","shape":[1]})"), "the field data_offsets is missing");  // C37
  check_refused(tensor_refusal(R"({"shape":[1],"data_offsets":[0,4]})", four), "the field dtype is missing");
  check_refused(tensor_refusal(R"({"dtype":"F32","data_offsets":[0,4]})", four), "the field shape is missing");
  check_refused(tensor_refusal(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1})", four),
                R"(unknown field "x")");  // C38
  check_refused(tensor_refusal("3"), R"(the number 3 where an object for the entry "t")");
  check_refused(tensor_refusal(R"({"dtype":["F32"],"shape":[1],"data_offsets":[0,4]})", four), "an array where");
}

TEST_CASE("100,000 nested brackets are refused without a stack overflow", "[io]") {  // C39
  const std::string open(100'000, '['), close(100'000, ']');
  check_refused(tensor_refusal(R"({"dtype":"F32","shape":)" + open + close + R"(,"data_offsets":[0,4]})", four),
                "nested 4 deep");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  check_refused(header_refusal(objects), "unknown field");
  check_refused(header_refusal(R"({"__metadata__":)" + objects), "a nested object where");
}

TEST_CASE("headers that look odd and are right are accepted", "[io]") {
  CHECK(header_refusal("{}   ").empty());                                                     // C40
  CHECK(header_refusal("{}").empty());                                                        // C43
  CHECK(tensor_refusal(R"({"dtype":"F32","shape":[],"data_offsets":[0,4]})", four).empty());  // C41
  CHECK(tensor_refusal(R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})").empty());       // C42
  CHECK(tensor_refusal(R"({"data_offsets":[0,0],"shape":[0,7],"dtype":"F4"})").empty());
}

TEST_CASE("names are opaque keys, escaped in messages, without NUL", "[io]") {
  check_refused(header_refusal(R"({"a\u0000b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four),
                R"(NUL in the tensor name "a\x00b")");  // C44
  check_refused(header_refusal(R"({"__metadata__":{"a\u0000":"1"}})"), "NUL in the metadata key");
  const std::string head = R"({"../../x\n\u001b[2J":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";  // C45
  const auto file = SafetensorsFile::parse(safetensors_bytes(head, four));
  CHECK(file.contains("../../x\n\x1b[2J"));
  const std::string message = message_of<FormatError>([&] { file.get<float, 2>("../../x\n\x1b[2J"); });
  CHECK(message == R"(memory: tensor "../../x\n\x1B[2J" has shape (1), wanted rank 2)");
  check_refused(message_of<FormatError>([&] { file.info("y"); }), R"(there is no tensor "y")");
}

TEST_CASE("more tensors than the limit are refused", "[io]") {  // C53
  std::string head = "{";
  for (int i = 0; i < 1'000'000; ++i) {
    head += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
    if (i == heed::max_header_tensors - 1) CHECK(header_refusal(head + "}").empty());
  }
  check_refused(header_refusal(head + "}"), "more than 100000 tensors");
}

TEST_CASE("the message names the byte", "[io]") {
  check_refused(tensor_refusal(R"({"dtype":"F33")"), "memory: byte 27: ");
  const std::string bytes = safetensors_bytes(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "12345");
  check_refused(refusal(bytes), "byte " + std::to_string(bytes.size() - 1) + ": 1 bytes behind");
}
