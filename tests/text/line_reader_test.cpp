#include <heed/text/line_reader.hpp>

#include <unistd.h>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::TempFolder;
using heed_test::write_bytes;
using Status = LineReader::Status;

namespace {

std::vector<std::string> lines_of(std::string_view content) {
  const TempFolder folder;
  write_bytes(folder / "text", content);
  LineReader reader((folder / "text").string());
  std::vector<std::string> lines;
  std::string line;
  while (reader.next(line) == Status::line) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("lines end in LF or CR LF, the last one needs no end", "[text]") {
  using Lines = std::vector<std::string>;
  CHECK(lines_of("a\nb\r\nc") == Lines{"a", "b", "c"});
  CHECK(lines_of("a\n\nb\n") == Lines{"a", "", "b"});
  CHECK(lines_of("") == Lines{});
  CHECK(lines_of("\n") == Lines{""});
  CHECK(lines_of("a\rb\r\r\n") == Lines{"a\rb\r"});  // a lone CR is text
  CHECK(lines_of(std::string("a\0b\n", 4)) == Lines{std::string("a\0b", 3)});
}

TEST_CASE("a byte-order mark is dropped once, at the start", "[text]") {
  using Lines = std::vector<std::string>;
  CHECK(lines_of("\xEF\xBB\xBF"
                 "a\n\xEF\xBB\xBF"
                 "b") == Lines{"a",
                               "\xEF\xBB\xBF"
                               "b"});
  CHECK(lines_of("\xEF\xBB\xBF\xEF\xBB\xBFx") == Lines{"\xEF\xBB\xBFx"});
}

TEST_CASE("a line across buffer borders comes back whole", "[text]") {
  for (const std::size_t length : {65535U, 65536U, 65537U, 200000U}) {
    const std::string line(length, 'x');
    CHECK(lines_of(line + "\r\nnext\n") == std::vector<std::string>{line, "next"});
  }
}

TEST_CASE("a line above the limit is reported, not held, and the next one is read", "[text]") {
  const TempFolder folder;
  const auto limit = static_cast<std::size_t>(max_line_bytes);
  write_bytes(folder / "text", std::string(limit, 'a') + "\r\n" + std::string(limit + 1, 'b') + "\n" +
                                   std::string(5 * limit, 'c') + "\nd\n");
  LineReader reader((folder / "text").string());
  std::string line;
  CHECK(reader.next(line) == Status::line);
  CHECK(line.size() == limit);
  CHECK(reader.next(line) == Status::too_long);
  CHECK(line.empty());
  CHECK(reader.next(line) == Status::too_long);
  CHECK(line.capacity() < 3 * limit);
  CHECK(reader.next(line) == Status::line);
  CHECK(line == "d");
  CHECK(reader.number() == 4);
  CHECK(reader.place() == "line 4");
  CHECK(reader.next(line) == Status::end);
}

TEST_CASE("a stream of the caller's can be read and stays open", "[text]") {
  std::FILE* stream = std::tmpfile();
  REQUIRE(stream != nullptr);
  std::fputs("one\ntwo\n", stream);
  std::rewind(stream);
  {
    LineReader reader(stream, "standard input");
    std::string line;
    CHECK(reader.next(line) == Status::line);
    CHECK(line == "one");
    CHECK(reader.name() == "standard input");
  }
  CHECK(std::fclose(stream) == 0);
}

TEST_CASE("the end that was read stays the end, as one Ctrl-D on a terminal does", "[text]") {
  std::FILE* stream = std::tmpfile();
  REQUIRE(stream != nullptr);
  std::fputs("first\nlast", stream);
  std::rewind(stream);
  LineReader reader(stream, "a stream");
  std::string line;
  CHECK(reader.next(line) == Status::line);
  REQUIRE(::pwrite(::fileno(stream), "more\n", 5, 10) == 5);
  CHECK(reader.next(line) == Status::line);
  CHECK(line == "last");
  CHECK(reader.next(line) == Status::end);
  CHECK(reader.next(line) == Status::end);
  std::fclose(stream);
}

TEST_CASE("what cannot be opened or read is a system error with the path", "[text]") {
  const TempFolder folder;
  const std::string missing = (folder / "missing").string();
  CHECK(heed_test::message_of<std::system_error>([&] { LineReader reader(missing); }).find(missing) !=
        std::string::npos);
  const std::string path = folder.path().string();
  CHECK(heed_test::message_of<std::system_error>([&] {
          LineReader reader(path);
          std::string line;
          reader.next(line);
        }).find(path) != std::string::npos);
}
