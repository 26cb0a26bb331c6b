#include <heed/text/corpus.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::TempFolder;
using heed_test::write_bytes;

namespace {

ParallelText pairs_of(std::string_view content, const CorpusOptions& options = {}) {
  const TempFolder folder;
  write_bytes(folder / "pairs.tsv", content);
  return read_pairs((folder / "pairs.tsv").string(), options);
}

/// "PLACE | message" of what reading this content throws, "" when it is read.
std::string refusal(std::string_view content, const CorpusOptions& options = {}) {
  try {
    pairs_of(content, options);
  } catch (const FormatError& error) {
    CHECK(error.file().ends_with("pairs.tsv"));
    CHECK(std::string(error.what()).find(error.file()) == 0);
    return error.place() + " | " + error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

const CorpusOptions skip{.bad_line = BadLine::skip, .invalid_utf8 = InvalidUtf8::refuse};
const CorpusOptions replace{.bad_line = BadLine::refuse, .invalid_utf8 = InvalidUtf8::replace};

}  // namespace

TEST_CASE("pairs are read with their line numbers, blank lines are none", "[text]") {
  const ParallelText text = pairs_of("Hi.\t嗨。\n\n  \nGood day.\t你好。\n");
  REQUIRE(text.pairs.size() == 2);
  CHECK(text.pairs[0] == SentencePair{"Hi.", "嗨。", 1});
  CHECK(text.pairs[1] == SentencePair{"Good day.", "你好。", 4});
  CHECK(text.skipped == 0);
}

TEST_CASE("D1: an empty file holds no pairs", "[text]") {
  for (const std::string content : {"", "\xEF\xBB\xBF"}) CHECK(contains(refusal(content), "pairs.tsv: no pairs"));
}

TEST_CASE("D2: a file of blank lines holds no pairs", "[text]") {
  for (const std::string content : {"\n\n", " \n\r\n", "\xEF\xBB\xBF\n"})
    CHECK(contains(refusal(content), "pairs.tsv: no pairs"));
}

TEST_CASE("D3: a line without a tab is refused with its number, or skipped and counted", "[text]") {
  CHECK(contains(refusal("a\tb\nno tab here\nc\td\n"), "line 2 | "));
  CHECK(contains(refusal("a\tb\nno tab here\n"), "\"no tab here\""));
  const ParallelText text = pairs_of("a\tb\nno tab here\nc\td\n", skip);
  CHECK(text.pairs.size() == 2);
  CHECK(text.skipped == 1);
  CHECK(contains(refusal("no tab\nnone here\n", skip), "no pairs (2 skipped)"));
}

TEST_CASE("D4: columns behind the second are ignored", "[text]") {
  CHECK(pairs_of("a\tb\tc\td\n").pairs[0] == SentencePair{"a", "b", 1});
  CHECK(pairs_of("a\tb\t\n").pairs[0] == SentencePair{"a", "b", 1});
}

TEST_CASE("D5: an empty side is refused, or skipped and counted", "[text]") {
  CHECK(contains(refusal("a\tb\n\tb\n"), "line 2 | "));
  CHECK(contains(refusal("\tb\n"), "empty source"));
  CHECK(contains(refusal("a\t\n"), "empty target"));
  CHECK(contains(refusal("a\t \u3000\n"), "empty target"));
  CHECK(contains(refusal("a\t\tb\n"), "empty target"));
  CHECK(pairs_of("a\tb\n\tb\na\t\n", skip).skipped == 2);
}

TEST_CASE("D6: a byte-order mark at the start is dropped once", "[text]") {
  const std::string mark = "\xEF\xBB\xBF";
  const ParallelText text = pairs_of(mark + "a\tb\n" + mark + "c\td\n");
  REQUIRE(text.pairs.size() == 2);
  CHECK(text.pairs[0] == SentencePair{"a", "b", 1});
  CHECK(text.pairs[1] == SentencePair{mark + "c", "d", 2});
  CHECK(pairs_of(mark + mark + "a\tb\n").pairs[0].source == mark + "a");
}

TEST_CASE("D7: lines may end in CR LF, a lone CR is text", "[text]") {
  const ParallelText text = pairs_of("a\tb\r\nc\rd\te\n");
  REQUIRE(text.pairs.size() == 2);
  CHECK(text.pairs[0] == SentencePair{"a", "b", 1});
  CHECK(text.pairs[1] == SentencePair{"c\rd", "e", 2});
}

TEST_CASE("D8: the last line needs no end", "[text]") {
  CHECK(pairs_of("a\tb\nc\td").pairs == pairs_of("a\tb\nc\td\n").pairs);
  CHECK(pairs_of("a\tb\nc\td").pairs.size() == 2);
}

TEST_CASE("D9: invalid UTF-8 is refused with line and byte, or replaced", "[text]") {
  for (const std::string bad : {"\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE4\xB8"}) {
    const std::string content = "a\tb\nxy\t" + bad + "z\n";
    CHECK(contains(refusal(content), "line 2 | "));
    CHECK(contains(refusal(content), "at byte 3"));
    const ParallelText text = pairs_of(content, replace);
    CHECK(text.replaced == 1);
    CHECK(contains(text.pairs[1].target, "\xEF\xBF\xBD"));
    CHECK(text.pairs[1].target.back() == 'z');
    CHECK(pairs_of(content, skip).skipped == 1);
  }
}

TEST_CASE("D10: a NUL byte is refused with its line", "[text]") {
  CHECK(contains(refusal(std::string("a\tb\nc\0\td\n", 9)), "line 2 | "));
  CHECK(contains(refusal(std::string("a\0\tb", 4)), "NUL at byte 1"));
}

TEST_CASE("D11: a line above the limit is refused, or skipped and counted", "[text]") {
  const std::string longest(static_cast<std::size_t>(max_line_bytes) - 2, 'x');
  CHECK(pairs_of("a\t" + longest + "\n").pairs.size() == 1);
  CHECK(contains(refusal("a\tb\na\tx" + longest + "\n"), "line 2 | "));
  CHECK(contains(refusal("a\tx" + longest + "\n"), "more than 1048576 bytes"));
  CHECK(pairs_of("a\tx" + longest + longest + "\nc\td\n", skip).skipped == 1);
}

TEST_CASE("D25: compressed and UTF-16 files are called binary, whatever the options", "[text]") {
  const std::string gzip("\x1F\x8B\x08\x00\x00\x00\x00\x00\x00\x03KT\x02\x00\x43\xBE\xB7\xE8", 18);
  for (const CorpusOptions& options : {CorpusOptions{}, skip, replace}) {
    CHECK(contains(refusal(gzip, options), "binary"));
    CHECK(contains(refusal("\xFF\xFE"
                           "a",
                           options),
                   "UTF-16"));
  }
  CHECK(contains(refusal("\x89PNG\r\n"), "binary"));
}

TEST_CASE("D24: pairs with equal sides and pairs shared between files are counted", "[text]") {
  const ParallelText train = pairs_of("OK\tOK\na\tb\na\tc\n"), test = pairs_of("a\tb\na\td\nOK\tOK\na\tb\n");
  CHECK(train.identical == 1);
  CHECK(count_shared(train.pairs, test.pairs) == 3);
}

TEST_CASE("messages show file text escaped and cut to 80 bytes", "[text]") {  // R2
  CHECK(contains(refusal("bell\x07 \x1B[31m\n"), "bell\\x07 \\x1B[31m"));
  CHECK(refusal(std::string(9000, 'q')).size() < 400);
}

TEST_CASE("what cannot be read is a system error", "[text]") {
  const TempFolder folder;
  CHECK_THROWS_AS(read_pairs((folder / "missing.tsv").string()), std::system_error);
  CHECK_THROWS_AS(read_pairs(folder.path().string()), std::system_error);
}
