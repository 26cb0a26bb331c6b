#include <heed/text/learn_byte_pairs.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"
#include "text/byte_pair_cases.hpp"

using namespace heed;
using heed_test::message_of;

namespace {

TokenCounts words_of(const std::vector<std::string>& lines) {
  TokenCounts counts;
  for (const std::string& line : lines) {
    std::vector<std::string> words;
    for (const std::string_view word : split_at_space(line)) words.emplace_back(word);
    counts.add(words);
  }
  return counts;
}

/// The words that make_byte_pair_cases.py makes.
std::vector<std::string> generated_lines() {
  std::uint32_t state = 12345;
  const auto next = [&](std::uint32_t count) {
    state = (state * 1103515245u + 12345u) & 0x7FFFFFFFu;
    return state / 65536 % count;
  };
  std::vector<std::string> lines(1500);
  for (std::string& line : lines) {
    for (int word = 0; word < 8; ++word) {
      if (word > 0) line += ' ';
      for (std::uint32_t left = 1 + next(9); left > 0; --left) line += "aaabbcd"[next(7)];
    }
  }
  return lines;
}

std::uint64_t fnv(std::string_view text) {
  std::uint64_t value = 0xCBF29CE484222325u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return value;
}

}  // namespace

TEST_CASE("merges are learned as subword-nmt learns them", "[text]") {
  for (const heed_test::BytePairCase& example : heed_test::byte_pair_cases()) {
    INFO(example.name);
    CHECK(learn_byte_pairs(words_of(example.training), {.merges = Index(example.merges)}).text() == example.file);
  }
}

TEST_CASE("pairs that wait and return are counted as subword-nmt counts them", "[text]") {
  const std::vector<std::string> lines = generated_lines();
  const BytePairEncoding learned = learn_byte_pairs(words_of(lines), {.merges = heed_test::generated_merges});
  CHECK(Index(learned.merges().size()) + 1 == heed_test::generated_file_lines);
  CHECK(fnv(learned.text()) == heed_test::generated_file_hash);
  std::string text;
  for (const std::string& line : lines) {
    for (const std::string_view word : split_at_space(line))
      for (const std::string& piece : learned.segment(word)) text += piece + ' ';
    text.back() = '\n';
  }
  CHECK(fnv(text) == heed_test::generated_text_hash);
}

TEST_CASE("learning ends where no pair is left or all are rare", "[text]") {
  CHECK(learn_byte_pairs(TokenCounts()).merges().empty());
  CHECK(learn_byte_pairs(words_of({"a b c"})).merges().empty());
  CHECK(learn_byte_pairs(words_of({"ab ab"}), {.merges = 0}).merges().empty());
  CHECK(learn_byte_pairs(words_of({"ab"})).merges().empty());
  const std::vector<BytePair> one{{"a", "b</w>"}};
  CHECK(learn_byte_pairs(words_of({"ab"}), {.merges = 5, .min_frequency = 1}).merges() == one);
  CHECK(learn_byte_pairs(words_of({"ab ab"})).merges() == one);
  CHECK(learn_byte_pairs(words_of({"ab ab"}), {.merges = 5, .min_frequency = 3}).merges().empty());
}

TEST_CASE("of pairs that are seen as often the last in the order of code points is merged", "[text]") {
  const auto first = [](const char* line) {
    return learn_byte_pairs(words_of({line}), {.merges = 1, .min_frequency = 1}).merges().front();
  };
  CHECK(first("ab cd") == BytePair{"c", "d</w>"});
  CHECK(first("ab ac") == BytePair{"a", "c</w>"});
  CHECK(first("\uff5ea \U00020000a") == BytePair{"\U00020000", "a</w>"});  // UTF-16 would sort the other way
}

TEST_CASE("the words of both sides make a joint encoding", "[text]") {
  TokenCounts both = words_of({"table"});
  CHECK(learn_byte_pairs(both).merges().empty());
  both.add(std::vector<std::string>{"table"});
  CHECK(learn_byte_pairs(both).segment("table") == std::vector<std::string>{"table"});
}

TEST_CASE("wrong options and words are refused", "[text]") {
  CHECK_THROWS_AS(learn_byte_pairs({}, {.merges = -1}), Error);
  CHECK_THROWS_AS(learn_byte_pairs({}, {.merges = 1, .min_frequency = 0}), Error);
  for (const std::string word : {"a b", "a\u3000", "a\xE4"}) {
    TokenCounts counts;
    counts.add(std::vector<std::string>{word});
    const std::string message = message_of<Error>([&] { learn_byte_pairs(counts); });
    CHECK(message.find("wanted UTF-8 without white space") != message.npos);
  }
}
