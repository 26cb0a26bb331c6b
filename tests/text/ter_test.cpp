#include <heed/text/ter.hpp>

#include "support/catch.hpp"
#include "support/tolerance.hpp"
#include "text/score_cases.hpp"

using namespace heed;
using heed_test::close;
using Lines = std::vector<std::string>;

namespace {

TerOptions options_of(const heed_test::TerExpected& expected) {
  return {.normalized = expected.normalized,
          .no_punct = expected.no_punct,
          .asian_support = expected.asian_support,
          .case_sensitive = expected.case_sensitive};
}

}  // namespace

TEST_CASE("corpus TER is sacreBLEU's", "[text]") {
  for (const auto& scores : heed_test::score_cases())
    for (const auto& expected : scores.ter) {
      CAPTURE(scores.name, expected.signature);
      CHECK(close(corpus_ter(scores.hypotheses, scores.references, options_of(expected)), expected.score));
      CHECK(ter_signature(options_of(expected), static_cast<Index>(scores.references.size())) == expected.signature);
    }
}

TEST_CASE("sentence TER is sacreBLEU's", "[text]") {
  for (const auto& scores : heed_test::score_cases())
    for (const auto& expected : scores.ter)
      for (std::size_t i = 0; i < scores.hypotheses.size(); ++i) {
        CAPTURE(scores.name, expected.signature, i);
        const auto references = references_of_line(scores.references, i);
        CHECK(close(sentence_ter(scores.hypotheses[i], references, options_of(expected)), expected.sentence_scores[i]));
      }
}

TEST_CASE("a shift of a run costs one edit", "[text]") {
  CHECK(ter_statistics("c d e a b", Lines{"a b c d e"}).edits == 1);
  CHECK(ter_statistics("b a", Lines{"a b"}).edits == 1);
  CHECK(ter_statistics("a b c d e", Lines{"a b c d e"}).edits == 0);
  CHECK(ter_statistics("x b c", Lines{"a b c"}).edits == 1);
  CHECK(ter_statistics("b c d e f a x", Lines{"a b c d e f"}).edits == 2);
}

TEST_CASE("edits are the best reference's, the length is the mean", "[text]") {
  const TerStatistics statistics = ter_statistics("a b", Lines{"a b", "x y z"});
  CHECK(statistics.edits == 0);
  CHECK(statistics.reference_length == 2.5);
}

TEST_CASE("the search for shifts stops at a thousand tries, its last find unused", "[text]") {
  const auto edits = [](int factor) {
    std::string hypothesis, reference;
    for (int i = 0; i < 60; ++i) {
      hypothesis += "w" + std::to_string((3 * i * i + i / 3) % 3) + " ";
      reference += "w" + std::to_string((factor * i * i + i / 5) % 3) + " ";
    }
    return ter_statistics(hypothesis, Lines{reference}).edits;
  };
  CHECK(edits(2) == 19);  // sacreBLEU 2.6.0's; 14 without the limit
  CHECK(edits(9) == 36);  // sacreBLEU 2.6.0's; 27 if the last find were used
}

TEST_CASE("references go through the normalizing tokenizer twice, as sacreBLEU sends them", "[text]") {
  CHECK(sentence_ter("x . . 0 y", Lines{"x ..0 y"}, {.normalized = true}) == 0);
  CHECK(sentence_ter("a . 0 b", Lines{"a ..0 b"}, {.normalized = true}) == Approx(20));
}

TEST_CASE("D22: empty lines have a number", "[text]") {
  CHECK(sentence_ter("", Lines{""}) == 0);
  CHECK(sentence_ter("a", Lines{""}) == 100);
  CHECK(sentence_ter("", Lines{"a b"}) == 100);
}

TEST_CASE("TER refuses wrong input", "[text]") {
  CHECK_THROWS_AS(sentence_ter("a", Lines{}), Error);
  CHECK_THROWS_AS(sentence_ter("\xFF", Lines{"a"}), Error);
  CHECK_THROWS_AS(corpus_ter(Lines{"a"}, {{"a", "b"}}), Error);  // D23
}
