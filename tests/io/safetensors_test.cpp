#include <heed/io/safetensors.hpp>

#include <cmath>
#include <limits>

#include <sys/stat.h>

#include <heed/io/safetensors_writer.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using heed::FormatError;
using heed::Index;
using heed::SafetensorsFile;
using heed::SafetensorsWriter;
using heed_test::message_of;
using heed_test::safetensors_bytes;
using heed_test::TempFolder;

namespace {

std::string small_file() {
  const std::string head = R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                           R"("b":{"dtype":"I8","shape":[3],"data_offsets":[8,11]}})";
  return safetensors_bytes(head, std::string("\0\0\x80\x3f\0\0\0\x40", 8) + "\x01\x02\xff");
}

/// One tensor "t" of `count` elements over these bytes.
SafetensorsFile single(const std::string& dtype, Index count, const std::string& data) {
  return SafetensorsFile::parse(safetensors_bytes(R"({"t":{"dtype":")" + dtype + R"(","shape":[)" +
                                                      std::to_string(count) + R"(],"data_offsets":[0,)" +
                                                      std::to_string(data.size()) + "]}}",
                                                  data));
}

}  // namespace

TEST_CASE("a file is read from disk with its names, shapes, metadata and values", "[io]") {
  const TempFolder folder;
  heed_test::write_bytes(folder / "m.safetensors", small_file());
  const auto file = SafetensorsFile::read(folder / "m.safetensors");
  CHECK(file.names() == std::vector<std::string>{"a", "b"});
  CHECK(file.metadata().at("k") == "v");
  const auto a = file.get<float, 1>("a");
  CHECK(a(0) == 1.0F);
  CHECK(a(1) == 2.0F);
  CHECK(file.values<std::int64_t>("b") == std::vector<std::int64_t>{1, 2, -1});
  CHECK(file.info("b").dtype == heed::DType::i8);
  CHECK(file.bytes("b").size() == 3);
}

TEST_CASE("C46: a file that is cut at any length is refused", "[io]") {
  const std::string whole = small_file();
  const TempFolder folder;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO("length " << length);
    CHECK_THROWS_AS(SafetensorsFile::parse(std::string_view(whole).substr(0, length)), FormatError);
    heed_test::write_bytes(folder / "cut", std::string_view(whole).substr(0, length));
    CHECK_THROWS_AS(SafetensorsFile::read(folder / "cut"), FormatError);
  }
  CHECK_NOTHROW(SafetensorsFile::parse(whole));
}

TEST_CASE("C52: every single-bit flip is refused or stays within the same bounds", "[io]") {
  const std::string whole = small_file();
  int accepted = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      const auto file = SafetensorsFile::parse(flipped);
      ++accepted;
      Index bytes = 0;
      for (const auto& [name, info] : file.tensors()) {
        bytes += info.end - info.begin;
        if (heed::is_loadable(info.dtype)) CHECK(static_cast<Index>(file.values<double>(name).size()) == info.size());
      }
      CHECK(bytes == 11);
    } catch (const FormatError&) {
    }
  }
  CHECK(accepted >= 88);                                 // at least the flips in the 11 data bytes
  CHECK(accepted < static_cast<int>(4 * whole.size()));  // and most flips in the header are found
}

TEST_CASE("C47: a file that shrinks while it is read is refused", "[io]") {
  const TempFolder folder;
  heed_test::write_bytes(folder / "m", small_file());
  heed::detail::InputFile input(folder / "m");
  std::filesystem::resize_file(folder / "m", 20);
  std::string bytes(static_cast<std::size_t>(input.size()), ' ');
  const std::string message = message_of<FormatError>([&] { input.read(bytes.data(), input.size()); });
  CHECK(message.find("byte 20: the file ends here; it had ") != std::string::npos);
}

TEST_CASE("C48: folders, pipes, devices and missing files are system errors with the path", "[io]") {
  const TempFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const std::filesystem::path& path : {folder.path(), folder / "pipe", folder / "missing",
                                            std::filesystem::path("/dev/null"), folder / "missing" / "x"}) {
    const std::string message = message_of<std::system_error>([&] { SafetensorsFile::read(path); });
    INFO("message: " << message);
    CHECK(message.find(path.string()) != std::string::npos);
  }
  const std::string message = message_of<std::system_error>([&] { SafetensorsFile::read(folder.path()); });
  CHECK(message.find("Is a directory") != std::string::npos);
  heed_test::write_bytes(folder / "secret", small_file());
  std::filesystem::permissions(folder / "secret", std::filesystem::perms::none);
  if (::geteuid() != 0) CHECK_THROWS_AS(SafetensorsFile::read(folder / "secret"), std::system_error);
}

TEST_CASE("E18: odd file names work", "[io]") {
  const TempFolder folder;
  for (const char* name : {"with space", "line\nbreak", "模型.safetensors", "-dash", "quote\"'"}) {
    SafetensorsWriter writer;
    writer.add_scalar("x", 2.5);
    writer.save(folder / name);
    CHECK(SafetensorsFile::read(folder / name).get<double, 0>("x")() == 2.5);
  }
  heed_test::write_bytes(folder / "line\nbreak", "short");
  const std::string message = message_of<FormatError>([&] { SafetensorsFile::read(folder / "line\nbreak"); });
  CHECK(message.find("line\\nbreak: byte 5: shorter") != std::string::npos);
}

TEST_CASE("C51: tensors that are not aligned to their element are copied", "[io]") {
  const std::string head = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                           R"("b":{"dtype":"F64","shape":[2],"data_offsets":[1,17]}})";
  const double numbers[2] = {1.5, -2.25};
  const auto file = SafetensorsFile::parse(
      safetensors_bytes(head, "\x07" + std::string(reinterpret_cast<const char*>(numbers), sizeof numbers)));
  CHECK(file.values<double>("b") == std::vector<double>{1.5, -2.25});
  CHECK(file.values<float>("b") == std::vector<float>{1.5F, -2.25F});
  CHECK(file.values<int>("a") == std::vector<int>{7});
}

TEST_CASE("16-bit floats are widened exactly", "[io]") {
  const auto half =
      single("F16", 8, std::string("\x00\x3c\x00\xc0\x01\x00\xff\x7b\x00\x7c\x00\xfc\x00\x80\x01\x7e", 16));
  const auto values = half.values<float>("t");
  CHECK(values[0] == 1.0F);
  CHECK(values[1] == -2.0F);
  CHECK(values[2] == std::ldexp(1.0F, -24));  // the smallest subnormal
  CHECK(values[3] == 65504.0F);
  CHECK(values[4] == std::numeric_limits<float>::infinity());
  CHECK(values[5] == -std::numeric_limits<float>::infinity());
  CHECK((values[6] == 0.0F && std::signbit(values[6])));
  CHECK(std::isnan(values[7]));
  CHECK(single("BF16", 2, std::string("\x80\x3f\x40\xc0", 4)).values<double>("t") == std::vector<double>{1.0, -3.0});
}

TEST_CASE("integers and booleans are converted where they fit and refused where not", "[io]") {
  const auto wide = single("I64", 2, std::string("\x05\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0", 16));
  CHECK(wide.values<std::int64_t>("t")[1] == std::int64_t{1} << 32);
  CHECK(wide.values<double>("t")[1] == 4294967296.0);
  CHECK(message_of<FormatError>([&] { wide.values<int>("t"); }) ==
        "memory: tensor \"t\" holds 4294967296 at element 1, which does not fit I32");
  const auto flags = single("BOOL", 3, std::string("\0\x01\xff", 3));
  const auto truth = flags.get<bool, 1>("t");
  CHECK((!truth(0) && truth(1) && truth(2)));  // any byte but 0 is true (B11)
  CHECK(flags.values<float>("t") == std::vector<float>{0, 1, 1});
  CHECK_THROWS_AS((wide.get<bool, 1>("t")), FormatError);
  CHECK_THROWS_AS(single("F32", 1, std::string(4, '\0')).values<int>("t"), FormatError);
  CHECK_THROWS_AS((wide.get<double, 2>("t")), FormatError);
}
