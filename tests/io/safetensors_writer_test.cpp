#include <heed/io/safetensors_writer.hpp>

#include <heed/io/safetensors.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using heed::Error;
using heed::Index;
using heed::SafetensorsFile;
using heed::SafetensorsWriter;
using heed_test::TempFolder;

namespace {

template <class T, int Rank>
heed::Tensor<T, Rank> counted(const heed::Extents<Rank>& shape) {
  heed::Tensor<T, Rank> tensor(shape);
  for (Index i = 0; i < tensor.size(); ++i) tensor.data()[i] = static_cast<T>(i + 1);
  return tensor;
}

}  // namespace

TEST_CASE("what is written is read back, every type, rank 0 to 8, empty tensors too", "[io]") {
  const TempFolder folder;
  const auto a = counted<float, 2>({2, 3});
  const auto b = counted<double, 3>({2, 0, 5});
  const auto c = counted<std::int64_t, 1>({4});
  const auto d = counted<std::uint8_t, 8>({1, 2, 1, 2, 1, 1, 1, 2});
  heed::Tensor<bool, 1> flags(2);
  flags.setValues({true, false});
  SafetensorsWriter writer;
  writer.add("layers.0.weight", a);
  writer.add("b", b);
  writer.add("c", c);
  writer.add("d", d);
  writer.add("旗", flags);
  writer.add_scalar("s", 0.1);
  writer.set_metadata("format", "heed \"1\"\n你好");
  writer.save(folder / "m");

  const auto file = SafetensorsFile::read(folder / "m");
  CHECK(file.names() == std::vector<std::string>{"b", "c", "d", "layers.0.weight", "s", "旗"});
  const auto read = file.get<float, 2>("layers.0.weight");
  CHECK(std::equal(read.data(), read.data() + 6, a.data()));
  CHECK(file.get<double, 3>("b").dimension(2) == 5);
  CHECK(file.values<std::int64_t>("c") == std::vector<std::int64_t>{1, 2, 3, 4});
  CHECK(file.get<std::uint8_t, 8>("d").size() == 8);
  CHECK(file.get<bool, 1>("旗")(0));
  CHECK(file.get<double, 0>("s")() == 0.1);
  CHECK(file.metadata().at("format") == "heed \"1\"\n你好");
}

TEST_CASE("tensors lie in name order, the header ends on 8 bytes, and equal content gives equal bytes", "[io]") {
  const TempFolder folder;
  const auto one = counted<float, 1>({1}), two = counted<float, 1>({2});
  SafetensorsWriter first, second;
  first.add("b", one);
  first.add("a", two);
  first.set_metadata("x", "1");
  first.set_metadata("a", "2");
  second.set_metadata("a", "2");
  second.add("a", two);
  second.set_metadata("x", "1");
  second.add("b", one);
  first.save(folder / "1");
  second.save(folder / "2");
  const std::string bytes = heed_test::read_bytes(folder / "1");
  CHECK(bytes == heed_test::read_bytes(folder / "2"));
  CHECK((bytes.size() - 12) % 8 == 0);
  const auto file = SafetensorsFile::parse(bytes);
  CHECK(file.info("a").begin == 0);
  CHECK(file.info("b").begin == 8);
}

TEST_CASE("names that a reader would refuse are refused", "[io]") {
  const auto tensor = counted<float, 1>({1});
  SafetensorsWriter writer;
  writer.add("a", tensor);
  CHECK_THROWS_AS(writer.add("a", tensor), Error);
  CHECK_THROWS_AS(writer.add("__metadata__", tensor), Error);
  CHECK_THROWS_AS(writer.add(std::string_view("a\0b", 3), tensor), Error);
  CHECK_THROWS_AS(writer.add("\xff", tensor), Error);
  CHECK_THROWS_AS(writer.add("\xed\xa0\x80", tensor), Error);  // a surrogate
  CHECK_THROWS_AS(writer.set_metadata("k", "\xff"), Error);
  const std::vector<float> values(3);
  CHECK_THROWS_AS(writer.add_copy<float>("c", {2, 2}, values), Error);
  CHECK_THROWS_AS(writer.add_copy<float>("c", {-1, -3}, values), Error);
  CHECK_THROWS_AS(writer.add_copy<float>("c", {1, 1, 1, 1, 1, 1, 1, 1, 3}, values), Error);
  writer.add_copy<float>("c", {3}, values);
}
