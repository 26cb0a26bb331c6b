// The bad-input catalogue, part C: rows about a safetensors header. The others are in safetensors_test.cpp and
// checkpoint_test.cpp.

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

std::string over_limit(const std::string& bytes) {
  return "byte 0: a header of " + bytes + " bytes, the limit is 100000000";
}
std::string shape_refusal(const std::string& shape) {
  return tensor_refusal(R"({"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[0,0]})");
}
std::string offsets_refusal(const std::string& offsets, const std::string& data = four) {
  return tensor_refusal(R"({"dtype":"F32","shape":[1],"data_offsets":)" + offsets + "}", data);
}
/// Tensors "a" and "b" of one number each at these offsets.
std::string two_refusal(const std::string& first, const std::string& second, std::size_t bytes) {
  const std::string head = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
                           R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}";
  return header_refusal(head, std::string(bytes, 'x'));
}

}  // namespace

TEST_CASE("C1: 0 bytes are refused", "[io]") { check_refused(refusal(""), "memory: byte 0: shorter than 8 bytes"); }

TEST_CASE("C2: 7 bytes are refused", "[io]") {
  check_refused(refusal(std::string(7, '\0')), "memory: byte 7: shorter than 8 bytes");
}

TEST_CASE("C3: a header of no bytes is refused", "[io]") {
  check_refused(refusal(safetensors_bytes(0, "")), "memory: byte 8: the header does not begin with {");
}

TEST_CASE("C4: a header longer than the file is refused with both sizes", "[io]") {
  check_refused(refusal(safetensors_bytes(500, "{}")), "byte 0: a header of 500 bytes in a file of 10 bytes");
  check_refused(refusal(safetensors_bytes(3, "{}")), "a header of 3 bytes in a file of 10 bytes");
}

TEST_CASE("C5: a header of 2^63 bytes is refused before anything is allocated", "[io]") {
  check_refused(refusal(safetensors_bytes(std::uint64_t{1} << 63, "{}")), over_limit("9223372036854775808"));
}

TEST_CASE("C6: a header of 2^64 - 1 bytes is refused", "[io]") {
  check_refused(refusal(safetensors_bytes(~std::uint64_t{0}, "{}")), over_limit("18446744073709551615"));
}

TEST_CASE("C7: a header whose length with the 8 bytes before it wraps to 0 is refused", "[io]") {
  check_refused(refusal(safetensors_bytes(~std::uint64_t{7}, "{}")), over_limit("18446744073709551608"));
}

TEST_CASE("C8: a header above the limit is refused, one at the limit is looked for", "[io]") {
  check_refused(refusal(safetensors_bytes(100'000'001, "{}")), over_limit("100000001"));
  check_refused(refusal(safetensors_bytes(100'000'000, "{}")), "a header of 100000000 bytes in a file of 10 bytes");
}

TEST_CASE("C9: a space before the header's object is refused", "[io]") {
  check_refused(header_refusal(" {}"), "byte 8: the header does not begin with {");
}

TEST_CASE("C10: a header that is an array is refused", "[io]") {
  check_refused(header_refusal("[]"), "byte 8: the header does not begin with {");
}

TEST_CASE("C11: text after the header's object is refused", "[io]") {
  check_refused(header_refusal("{}x"), "byte 11: the header is not valid JSON");
  check_refused(header_refusal("{}{}"), "not valid JSON");
  check_refused(header_refusal("{"), "not valid JSON");
  check_refused(header_refusal("{/**/}"), "not valid JSON");
}

TEST_CASE("C12: NaN as a number is refused", "[io]") { check_refused(shape_refusal("[NaN]"), "not valid JSON"); }

TEST_CASE("C13: a number that is too large for any type is refused", "[io]") {
  check_refused(shape_refusal("[1e999]"), "1e999");
}

TEST_CASE("C14: a name that is no UTF-8 is refused", "[io]") {
  check_refused(header_refusal("{\"\xff\":{}}"), "not valid JSON");
}

TEST_CASE("C15: half of a surrogate pair in a name is refused", "[io]") {
  check_refused(header_refusal(R"({"\ud800":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", four),
                "not valid JSON");
}

TEST_CASE("a long text in broken JSON is shown cut", "[io]") {
  const std::string message = header_refusal("{\"" + std::string(1'000'000, 'q'));
  check_refused(message, "not valid JSON");
  CHECK(message.size() < 500);
}

TEST_CASE("C16: a tensor's name that comes twice is refused", "[io]") {
  const std::string one = R"("t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  check_refused(header_refusal("{" + one + "," + one + "}", four), R"(the name "t" comes twice)");
  check_refused(header_refusal(R"({"__metadata__":{"a":"1","a":"2"}})"), R"(the metadata key "a" comes twice)");
  check_refused(header_refusal(R"({"__metadata__":{},"__metadata__":{}})"), R"("__metadata__" comes twice)");
}

TEST_CASE("C17: a field that comes twice in a tensor is refused", "[io]") {
  check_refused(tensor_refusal(R"({"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]})", four),
                R"(the field dtype of tensor "t" comes twice)");
}

TEST_CASE("C18: an unknown dtype is refused by its name", "[io]") {
  check_refused(tensor_refusal(R"({"dtype":"F33","shape":[1],"data_offsets":[0,4]})", four),
                R"(tensor "t": unknown dtype "F33")");
}

TEST_CASE("C19: a dtype that heed has no type for is listed, and refused when it is loaded", "[io]") {
  const auto file =
      SafetensorsFile::parse(safetensors_bytes(R"({"e":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]},)"
                                               R"("f":{"dtype":"F4","shape":[4],"data_offsets":[2,4]}})",
                                               four));
  CHECK(file.info("e").shape == std::vector<heed::Index>{2});
  check_refused(message_of<FormatError>([&] { file.values<float>("e"); }), R"(tensor "e" has dtype F8_E5M2)");
  check_refused(message_of<FormatError>([&] { file.values<float>("f"); }), R"(tensor "f" has dtype F4)");
  check_refused(tensor_refusal(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})", "x"),
                "shape (3) of F4 has 12 bits, wanted whole bytes");
}

TEST_CASE("C20: a negative extent is refused", "[io]") {
  check_refused(shape_refusal("[-2]"), "shape holds -2, wanted whole numbers from 0 to 2^63-1");
}

TEST_CASE("C21: an extent of 2.0 is refused", "[io]") {
  check_refused(shape_refusal("[2.0]"), "shape holds 2.0, wanted whole numbers");
}

TEST_CASE("C22: an extent of 2^64, which a JSON reader makes a double, is refused", "[io]") {
  check_refused(shape_refusal("[18446744073709551616]"), "shape holds 18446744073709551616, wanted whole numbers");
  check_refused(shape_refusal("[9223372036854775808]"), "shape holds 9223372036854775808, wanted less than 2^63");
}

TEST_CASE("C23: a shape whose size leaves 63 bits is refused", "[io]") {
  check_refused(shape_refusal("[1099511627776,1099511627776]"),
                "the size of shape (1099511627776, 1099511627776) does not fit 63 bits");
}

TEST_CASE("C24: an extent of 0 hides no overflow", "[io]") {
  check_refused(shape_refusal("[0,9223372036854775807,9223372036854775807]"), "does not fit 63 bits");
}

TEST_CASE("shapes have at most 8 numbers and nothing else", "[io]") {
  check_refused(shape_refusal("[1,1,1,1,1,1,1,1,1]"), "shape has 9 numbers or more, wanted at most 8");
  check_refused(shape_refusal("3"), "a list of whole numbers");
  check_refused(shape_refusal("[[3]]"), "nested 4 deep");
  check_refused(shape_refusal("[true]"), "a boolean where");
  check_refused(shape_refusal("null"), "null where");
}

TEST_CASE("C25: a negative offset is refused", "[io]") {
  check_refused(offsets_refusal("[-1,3]"), "data_offsets holds -1, wanted whole numbers from 0");
}

TEST_CASE("C26: offsets that run backwards are refused", "[io]") {
  check_refused(offsets_refusal("[4,0]"), R"(tensor "t": data_offsets run backwards, from 4 to 0)");
}

TEST_CASE("C27: offsets past the end of the data are refused", "[io]") {
  check_refused(offsets_refusal("[4,8]"), R"(tensor "t" ends at byte 8 of the data, past the end of its 4)");
}

TEST_CASE("C28: offsets that are not shape times dtype apart are refused", "[io]") {
  check_refused(offsets_refusal("[0,3]", "abc"), "data_offsets hold 3 bytes, shape (1) of F32 needs 4");
}

TEST_CASE("C29: three offsets are refused", "[io]") {
  check_refused(offsets_refusal("[0,4,4]"), "data_offsets has 3 numbers or more, wanted at most 2");
  check_refused(offsets_refusal("[0]"), "data_offsets has 1 numbers, wanted 2");
}

TEST_CASE("C30: offsets that are strings are refused", "[io]") {
  check_refused(offsets_refusal(R"(["0","4"])"),
                R"(the string "0" where a list of whole numbers (tensor "t") is wanted)");
}

TEST_CASE("C31: a hole between tensors is refused", "[io]") {
  CHECK(two_refusal("[0,4]", "[4,8]", 8).empty());
  CHECK(two_refusal("[4,8]", "[0,4]", 8).empty());
  check_refused(two_refusal("[0,4]", "[5,9]", 9), R"(no tensor covers the bytes 4 to 5 before tensor "b")");
}

TEST_CASE("C32: tensors that overlap are refused", "[io]") {
  check_refused(two_refusal("[0,4]", "[2,6]", 6),
                R"(tensor "b" begins at byte 2 and overlaps the one before it, which ends at 4)");
  check_refused(two_refusal("[0,4]", "[0,4]", 4), "begins at byte 0 and overlaps");
}

TEST_CASE("C33: a byte behind the last tensor is refused", "[io]") {
  check_refused(two_refusal("[0,4]", "[4,8]", 9), "1 bytes behind the last tensor");
}

TEST_CASE("C34: another archive behind the last tensor is refused", "[io]") {
  const std::string archive = safetensors_bytes("{}");
  check_refused(refusal(archive + archive), "byte 10: 10 bytes behind the last tensor");
}

TEST_CASE("C35: a number as a metadata value is refused", "[io]") {
  check_refused(header_refusal(R"({"__metadata__":{"a":1}})"), "the number 1 where a metadata text is wanted");
  check_refused(header_refusal(R"({"__metadata__":{"a":{}}})"), "a nested object where");
}

TEST_CASE("C36: metadata that is no object is refused", "[io]") {
  check_refused(header_refusal(R"({"__metadata__":["a"]})"), "an array where");
  check_refused(header_refusal(R"({"__metadata__":"a"})"), R"(the string "a" where)");
  const auto file = SafetensorsFile::parse(safetensors_bytes(R"({"__metadata__":{"format":"pt","__metadata__":"x"}})"));
  CHECK(file.metadata().at("format") == "pt");
  CHECK(file.metadata().at("__metadata__") == "x");
}

TEST_CASE("C37: a field that is missing is refused by its name", "[io]") {
  check_refused(tensor_refusal(R"({"dtype":"F32","shape":[1]})"), R"(tensor "t": the field data_offsets is missing)");
  check_refused(tensor_refusal(R"({"shape":[1],"data_offsets":[0,4]})", four), "the field dtype is missing");
  check_refused(tensor_refusal(R"({"dtype":"F32","data_offsets":[0,4]})", four), "the field shape is missing");
}

TEST_CASE("C38: an unknown field is refused by its name", "[io]") {
  check_refused(tensor_refusal(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1})", four),
                R"(unknown field "x" of tensor "t")");
  check_refused(tensor_refusal("3"), R"(the number 3 where an object for the entry "t")");
  check_refused(tensor_refusal(R"({"dtype":["F32"],"shape":[1],"data_offsets":[0,4]})", four), "an array where");
}

TEST_CASE("C39: 100,000 nested brackets are refused without a stack overflow", "[io]") {
  const std::string open(100'000, '['), close(100'000, ']');
  check_refused(shape_refusal(open + close), "brackets nested 4 deep, wanted less");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  check_refused(header_refusal(objects), "unknown field");
  check_refused(header_refusal(R"({"__metadata__":)" + objects), "a nested object where");
}

TEST_CASE("C40: spaces after the header's object are accepted", "[io]") { CHECK(header_refusal("{}   ").empty()); }

TEST_CASE("C41: a shape of no axes is one number", "[io]") {
  CHECK(tensor_refusal(R"({"dtype":"F32","shape":[],"data_offsets":[0,4]})", four).empty());
}

TEST_CASE("C42: a tensor of no elements is accepted", "[io]") {
  CHECK(tensor_refusal(R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})").empty());
  CHECK(tensor_refusal(R"({"data_offsets":[0,0],"shape":[0,7],"dtype":"F4"})").empty());
}

TEST_CASE("C43: a file of no tensors is accepted", "[io]") { CHECK(header_refusal("{}").empty()); }

TEST_CASE("C44: a NUL in a name is refused", "[io]") {
  check_refused(header_refusal(R"({"a\u0000b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four),
                R"(NUL in the tensor name "a\x00b")");
  check_refused(header_refusal(R"({"__metadata__":{"a\u0000":"1"}})"), "NUL in the metadata key");
}

TEST_CASE("C45: a name is an opaque key, escaped in messages", "[io]") {
  const std::string head = R"({"../../x\n\u001b[2J":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  const auto file = SafetensorsFile::parse(safetensors_bytes(head, four));
  CHECK(file.contains("../../x\n\x1b[2J"));
  const std::string message = message_of<FormatError>([&] { file.get<float, 2>("../../x\n\x1b[2J"); });
  CHECK(message == R"(memory: tensor "../../x\n\x1B[2J" has shape (1), wanted rank 2)");
  check_refused(message_of<FormatError>([&] { file.info("y"); }), R"(there is no tensor "y")");
}

TEST_CASE("C53: more tensors than the limit are refused", "[io]") {
  std::string head = "{";
  for (int i = 0; i < 1'000'000; ++i) {
    head += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
    if (i == heed::max_header_tensors - 1) CHECK(header_refusal(head + "}").empty());
  }
  check_refused(header_refusal(head + "}"), "100001 tensors or more, wanted at most 100000");
}

TEST_CASE("the message names the byte", "[io]") {
  check_refused(tensor_refusal(R"({"dtype":"F33")"), "memory: byte 27: ");
  const std::string bytes = safetensors_bytes(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "12345");
  check_refused(refusal(bytes), "byte " + std::to_string(bytes.size() - 1) + ": 1 bytes behind");
}
