#include <heed/text/vocabulary.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::message_of;
using heed_test::TempFolder;
using heed_test::write_bytes;
using Tokens = std::vector<std::string>;
using Ids = std::vector<Index>;

namespace {

TokenCounts counts_of(const Tokens& tokens) {
  TokenCounts counts;
  counts.add(tokens);
  return counts;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

/// What reading a vocabulary file with this content throws.
std::string refusal(std::string_view content) {
  const TempFolder folder;
  write_bytes(folder / "words.txt", content);
  const std::string path = (folder / "words.txt").string();
  try {
    Vocabulary::read(path);
  } catch (const FormatError& error) {
    CHECK(error.file() == path);
    return error.place() + ": " + error.what();
  }
  return "";
}

const std::string specials = "<pad>\n<s>\n</s>\n<unk>\n";

}  // namespace

TEST_CASE("a vocabulary lists the most frequent tokens, equals in the order of their bytes", "[text]") {
  const TokenCounts counts = counts_of({"b", "c", "a", "b", "c", "a", "b", "é", "中", "é", "中", "rare"});
  CHECK(counts.of("b") == 3);
  CHECK(counts.of("nothing") == 0);
  CHECK(counts.size() == 6);
  CHECK(Vocabulary(counts, {.min_count = 2, .max_size = 100}).tokens() ==
        Tokens{"<pad>", "<s>", "</s>", "<unk>", "b", "a", "c", "é", "中"});
  CHECK(Vocabulary(counts, {.min_count = 1, .max_size = 100}).size() == 10);
  CHECK(Vocabulary(counts, {.min_count = 2, .max_size = 6}).tokens().back() == "a");
  CHECK(Vocabulary(counts, {.min_count = 2, .max_size = 4}).size() == 4);
  CHECK_THROWS_AS(Vocabulary(counts, {.min_count = 2, .max_size = 3}), Error);
  CHECK_THROWS_AS(Vocabulary(counts, {.min_count = 0, .max_size = 9}), Error);
}

TEST_CASE("tokens become ids and ids tokens, unlisted ones are <unk>", "[text]") {
  const Vocabulary vocabulary(counts_of({"tea", "tea", "mug", "mug", "tea"}), {.min_count = 1, .max_size = 9});
  CHECK(vocabulary.encode(Tokens{"mug", "of", "tea"}) == Ids{5, unknown_id, 4});
  CHECK(vocabulary.decode(Ids{start_id, 5, unknown_id, 4, end_id, pad_id}) == Tokens{"mug", "tea"});
  CHECK(vocabulary.token(4) == "tea");
  CHECK(contains(message_of<Error>([&] { vocabulary.token(6); }), "id is 6, wanted 0 to 5"));
  CHECK_THROWS_AS(vocabulary.decode(Ids{-1}), Error);
  CHECK(Vocabulary().size() == special_count);
}

TEST_CASE("D20: a sentence of unknown words only becomes <unk>s", "[text]") {
  CHECK(Vocabulary().encode(Tokens{"never", "seen"}) == Ids{unknown_id, unknown_id});
}

TEST_CASE("D15: text that is spelled like a special symbol does not mean it", "[text]") {
  const Vocabulary vocabulary(counts_of({"<pad>", "<pad>", "<s>", "</s>", "<unk>", "x"}),
                              {.min_count = 1, .max_size = 100});
  CHECK(vocabulary.size() == 5);
  CHECK(vocabulary.encode(Tokens{"<pad>", "<s>", "</s>", "<unk>", "x"}) ==
        Ids{unknown_id, unknown_id, unknown_id, unknown_id, 4});
}

TEST_CASE("a vocabulary file is read as it was written", "[text]") {
  const TempFolder folder;
  const std::string path = (folder / "words.txt").string();
  const Vocabulary vocabulary(counts_of({"été", "中", "don't", "\u200d", "#"}), {.min_count = 1, .max_size = 100});
  vocabulary.write(path);
  CHECK(folder.file_count() == 1);
  CHECK(heed_test::read_bytes(path) == specials + "#\ndon't\nété\n\u200d\n中\n");
  CHECK(Vocabulary::read(path) == vocabulary);
  write_bytes(path, "\xEF\xBB\xBF<pad>\r\n<s>\r\n</s>\r\n<unk>\r\nword");  // as another editor leaves it
  CHECK(Vocabulary::read(path).id("word") == 4);
  CHECK_THROWS_AS(vocabulary.write((folder / "no folder" / "words.txt").string()), std::system_error);
  CHECK_THROWS_AS(Vocabulary::read((folder / "missing").string()), std::system_error);
}

TEST_CASE("D16: a double entry is refused with both lines", "[text]") {
  const std::string message = refusal(specials + "a\nb\na\n");
  CHECK(contains(message, "line 7: "));
  CHECK(contains(message, "\"a\", already in line 5"));
}

TEST_CASE("D17: a special symbol that is missing or elsewhere is refused", "[text]") {
  CHECK(contains(refusal("<pad>\n<s>\n<unk>\n</s>\na\n"), "line 3: "));
  CHECK(contains(refusal("<pad>\n<s>\n<unk>\n</s>\na\n"), "wanted the special symbol </s>"));
  CHECK(contains(refusal("a\nb\n"), "line 1: "));
  CHECK(contains(refusal("<pad>\n<s>\n"), "line 3: "));
  CHECK(contains(refusal(""), "line 1: "));
  CHECK(contains(refusal(specials + "a\n<s>\n"), "line 6: "));
}

TEST_CASE("D18: a vocabulary of another size than its table is refused with both numbers", "[text]") {
  const Vocabulary vocabulary(counts_of({"a", "b"}), {.min_count = 1, .max_size = 9});
  CHECK_NOTHROW(vocabulary.check_rows("source vocabulary", "embedding", 6));
  const std::string message = message_of<Error>([&] { vocabulary.check_rows("source vocabulary", "embedding", 5); });
  CHECK(contains(message, "source vocabulary has 6 tokens, embedding has 5 rows"));
}

TEST_CASE("D19: empty entries and entries with a tab, a NUL or bad UTF-8 are refused", "[text]") {
  CHECK(contains(refusal(specials + "a\n\nb\n"), "line 6: "));
  CHECK(contains(refusal(specials + "a\nb\tc\n"), "line 6: "));
  CHECK(contains(refusal(specials + std::string("a\0b\n", 4)), "line 5: "));
  CHECK(contains(refusal(specials + "a\rb\n"), "line 5: "));
  CHECK(contains(refusal(specials + "a\n\xC0\xAF\n"), "overlong form at byte 0"));
  CHECK(contains(refusal(specials + std::string(3 << 20, 'x')), "line 5: "));
}

TEST_CASE("a checkpoint's token list is held to the same rules", "[text]") {
  const auto message = [](Tokens tokens) {
    return message_of<Error>([&] { Vocabulary vocabulary(std::move(tokens)); });
  };
  CHECK(message({"<pad>", "<s>", "</s>", "<unk>", "a", "b"}).empty());
  CHECK(contains(message({"<pad>", "<s>", "</s>", "<unk>", "a", "a"}), "tokens[5] is \"a\", already in tokens[4]"));
  CHECK(contains(message({"<s>", "<pad>", "</s>", "<unk>"}), "tokens[0]"));
  CHECK(contains(message({}), "tokens[0] is missing"));
  CHECK(contains(message({"<pad>", "<s>", "</s>", "<unk>", "a\nb"}), "tokens[4]"));
}
