#include <heed/io/tensor_report.hpp>

#include <heed/io/safetensors_writer.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using namespace heed;

TEST_CASE("a report names what is missing, of another shape or type, and left over", "[io]") {
  const heed_test::TempFolder folder;
  SafetensorsWriter writer;
  const Tensor<float, 1> a = zeros<float, 1>({3}), b = zeros<float, 1>({2});
  writer.add("a", a);
  writer.add("b", b);
  writer.add("other.c", b);
  writer.save(folder / "t.safetensors");
  const auto file = SafetensorsFile::read(folder / "t.safetensors");
  TensorReport right;
  right.expect<double>(file, "a", {3});
  right.expect<float>(file, "b", {2});
  right.add_extra(file, [](std::string_view name) { return !name.starts_with("other."); });
  CHECK(right.complete());
  right.require(file, "no problem");
  TensorReport wrong;
  wrong.expect<float>(file, "a", {4});
  wrong.expect<std::int64_t>(file, "b", {2});
  wrong.expect<float>(file, "d", {1});
  wrong.add_extra(file, [](std::string_view) { return true; });
  CHECK(wrong.text() == "missing: \"d\"; of another shape or type: \"a\" (F32 (3), wanted (4)), \"b\" (F32 (2), wanted (2)); "
                        "left over: \"other.c\"");
  CHECK(heed_test::message_of<FormatError>([&] { wrong.require(file, "not these"); }).find("not these; missing") !=
        std::string::npos);
}
