#include <heed/text/bleu_tokenize.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"
#include "text/score_cases.hpp"

using namespace heed;
using enum BleuTokenizer;

TEST_CASE("lines are tokenized as sacreBLEU does", "[text]") {
  for (const auto& scores : heed_test::score_cases())
    for (const auto& expected : scores.tokenized) {
      CAPTURE(scores.name, expected.tokenizer);
      const BleuTokenizer tokenizer = bleu_tokenizer_from_name(expected.tokenizer);
      REQUIRE(expected.lines.size() == scores.hypotheses.size());
      for (std::size_t i = 0; i < expected.lines.size(); ++i)
        CHECK(bleu_tokenize(tokenizer, without_trailing_space(scores.hypotheses[i])) == expected.lines[i]);
    }
}

// The expected lines below are sacreBLEU 2.6.0's.

TEST_CASE("13a joins lines, writes entities out once each in turn, and parts signs from words", "[text]") {
  CHECK(bleu_tokenize(mteval_13a, "a <skipped>b - c-\nd\ne") == "a b - cd e");
  CHECK(bleu_tokenize(mteval_13a, "&amp;lt; &quot;x&quot; &apos;") == "< \" x \" & apos ;");
  CHECK(bleu_tokenize(mteval_13a, "1,000.5 .5 5. a.b 3-4 x-y") == "1,000.5 . 5 5 . a . b 3 - 4 x-y");
  CHECK(bleu_tokenize(mteval_13a, "don't (no) [a]{b}`~") == "don't ( no ) [ a ] { b } ` ~");
  CHECK(bleu_tokenize(mteval_13a, "中文。") == "中文。");
  CHECK(bleu_tokenize(mteval_13a, "").empty());
}

TEST_CASE("intl parts all of Unicode's punctuation but beside numbers, and symbols always", "[text]") {
  CHECK(bleu_tokenize(international, "1,000 a,b 2019.") == "1,000 a , b 2019.");
  CHECK(bleu_tokenize(international, "«oui»… €5+6") == "« oui » … € 5 + 6");
  CHECK(bleu_tokenize(international, "don't &amp;") == "don ' t & amp ;");
}

TEST_CASE("zh parts Chinese characters and tokenizes the rest as 13a does", "[text]") {
  CHECK(bleu_tokenize(chinese, "用GPU跑3.5小时，OK!") == "用 GPU 跑 3.5 小 时 ， OK !");
  CHECK(bleu_tokenize(chinese, " .5 “a”→b") == ".5 “ a ” → b");
  CHECK(bleu_tokenize(chinese, "\U00020001&amp;") == "\U00020001 & amp ;");
}

TEST_CASE("char parts everything, spaces too, and none nothing", "[text]") {
  CHECK(bleu_tokenize(character, "a中 b") == "a 中   b");
  CHECK(bleu_tokenize(none, "a,  b") == "a,  b");
}

TEST_CASE("tokenizers are found by sacreBLEU's names", "[text]") {
  for (const BleuTokenizer tokenizer : {mteval_13a, international, chinese, character, none})
    CHECK(bleu_tokenizer_from_name(bleu_tokenizer_name(tokenizer)) == tokenizer);
  CHECK_THROWS_AS(bleu_tokenizer_from_name("14a"), Error);
}

TEST_CASE("invalid UTF-8 is refused by every tokenizer", "[text]") {
  for (const BleuTokenizer tokenizer : {mteval_13a, international, chinese, character, none})
    CHECK(heed_test::message_of<Error>([&] { bleu_tokenize(tokenizer, "ab\xFF"); }).find("byte 2") !=
          std::string::npos);
}
