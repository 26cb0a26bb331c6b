#include <heed/text/byte_pair_table.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::message_of;
using heed_test::TempFolder;
using heed_test::write_bytes;

namespace {

const std::vector<BytePair> pairs{{"e", "s"}, {"es", "t</w>"}, {"水", "<"}};

std::string refusal(std::string_view content) {
  return message_of<FormatError>([&] { parse_byte_pairs(content, "merges.txt"); });
}

}  // namespace

TEST_CASE("merges are written as a version and two symbols a line, and read again", "[text]") {
  const std::string text = byte_pairs_text(pairs);
  CHECK(text == "#version: 0.2\ne s\nes t</w>\n水 <\n");
  CHECK(parse_byte_pairs(text, "") == pairs);
  CHECK(parse_byte_pairs("#version: 0.2\n", "").empty());
  CHECK(parse_byte_pairs("#version: 0.2", "").empty());
  const TempFolder folder;
  const std::string path = (folder / "merges.txt").string();
  write_bytes(folder / "merges.txt", "\xEF\xBB\xBF#version: 0.2 \r\ne s\r\nes t</w> \r\n水 <");
  CHECK(read_byte_pairs(path) == pairs);
}

TEST_CASE("a file of merges that is damaged is refused with its line", "[text]") {  // D26
  CHECK(refusal("") == "merges.txt: an empty file, wanted \"#version: 0.2\", which begins a file of byte-pair merges");
  CHECK(refusal("e s\nes t\n").find("merges.txt: line 1: found \"e s\", wanted \"#version: 0.2\"") == 0);
  CHECK(refusal("#version: 0.1\ne s\n").find("line 1: found \"#version: 0.1\"") != std::string::npos);
  const auto in_line_3 = [](const std::string& line) { return refusal("#version: 0.2\ne s\n" + line + "\nes t\n"); };
  CHECK(in_line_3("es") == "merges.txt: line 3: found \"es\", wanted a merge: two symbols with a space between");
  CHECK(in_line_3("").find("line 3: found \"\"") != std::string::npos);
  CHECK(in_line_3("es t </w>").find("line 3: found \"es t </w>\"") != std::string::npos);
  CHECK(in_line_3("es  t").find("line 3: found \"es  t\"") != std::string::npos);
  CHECK(in_line_3("es \xFFt").find("line 3: found the symbol \"\\xFFt\", not UTF-8") != std::string::npos);
  CHECK(in_line_3(std::string("e\0 s", 4)).find("NUL in the symbol") != std::string::npos);
  CHECK(refusal("#version: 0.2\ne s\n\n").find("line 3: found \"\"") != std::string::npos);
}

TEST_CASE("a file of merges that cannot be read is refused", "[text]") {  // D26
  const TempFolder folder;
  CHECK_THROWS_AS(read_byte_pairs((folder / "missing.txt").string()), std::system_error);
  write_bytes(folder / "long.txt", "#version: 0.2\n" + std::string(static_cast<std::size_t>(max_line_bytes) + 9, 'e'));
  const std::string message = message_of<FormatError>([&] { read_byte_pairs((folder / "long.txt").string()); });
  CHECK(message.find("line 2: more than 1048576 bytes") != message.npos);
  write_bytes(folder / "cut.txt", "#version: 0.2\ne s\nes");
  CHECK_THROWS_AS(read_byte_pairs((folder / "cut.txt").string()), FormatError);
}

TEST_CASE("a table knows which symbols become which, and what they were made of", "[text]") {
  const BytePairTable table(pairs);
  const auto* merge = table.merge(table.find("es"), table.find("t</w>"));
  REQUIRE(merge != nullptr);
  CHECK(merge->rank == 1);
  CHECK(table.symbol(merge->result) == "est</w>");
  CHECK(table.parts(merge->result) == std::pair{table.find("es"), table.find("t</w>")});
  CHECK(table.parts(table.find("e")) == std::nullopt);
  CHECK(table.merge(table.find("s"), table.find("e")) == nullptr);
  CHECK(table.find("x") == BytePairTable::unknown);
  CHECK(table.merge(table.find("e"), table.find("x")) == nullptr);
}

TEST_CASE("of a merge listed twice, and of two ways to a symbol, the first counts", "[text]") {
  const BytePairTable table({{"a", "b"}, {"b", "c"}, {"a", "b"}, {"ab", "c"}, {"a", "bc"}});
  CHECK(table.merge(table.find("a"), table.find("b"))->rank == 0);
  CHECK(table.parts(table.find("abc")) == std::pair{table.find("ab"), table.find("c")});
}

TEST_CASE("a table of what are no symbols is refused", "[text]") {
  for (const std::string side : {"", "a b", "a\n", "\xE4"})
    CHECK_THROWS_AS(BytePairTable(std::vector<BytePair>{{"a", "b"}, {side, "b"}}), Error);
  const std::string message = message_of<Error>([] { BytePairTable(std::vector<BytePair>{{"a", "b"}, {"a", ""}}); });
  CHECK(message == "BytePairTable: pairs[1] has an empty symbol");
}
