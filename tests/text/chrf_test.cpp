#include <heed/text/chrf.hpp>

#include "support/catch.hpp"
#include "support/tolerance.hpp"
#include "text/score_cases.hpp"

using namespace heed;
using heed_test::close;
using Lines = std::vector<std::string>;

namespace {

ChrfOptions options_of(const heed_test::ChrfExpected& expected) {
  return {.char_order = expected.char_order,
          .word_order = expected.word_order,
          .beta = expected.beta,
          .lowercase = expected.lowercase,
          .whitespace = expected.whitespace,
          .eps_smoothing = expected.eps_smoothing};
}

}  // namespace

TEST_CASE("corpus chrF and chrF++ are sacreBLEU's", "[text]") {
  for (const auto& scores : heed_test::score_cases())
    for (const auto& expected : scores.chrf) {
      CAPTURE(scores.name, expected.signature);
      CHECK(close(corpus_chrf(scores.hypotheses, scores.references, options_of(expected)), expected.score));
      CHECK(chrf_signature(options_of(expected), static_cast<Index>(scores.references.size())) == expected.signature);
    }
}

TEST_CASE("sentence chrF and chrF++ are sacreBLEU's", "[text]") {
  for (const auto& scores : heed_test::score_cases())
    for (const auto& expected : scores.chrf)
      for (std::size_t i = 0; i < scores.hypotheses.size(); ++i) {
        CAPTURE(scores.name, expected.signature, i);
        const auto references = references_of_line(scores.references, i);
        CHECK(
            close(sentence_chrf(scores.hypotheses[i], references, options_of(expected)), expected.sentence_scores[i]));
      }
}

TEST_CASE("chrF of nothing is 0, never NaN", "[text]") {
  for (const bool eps : {false, true})
    for (const std::string hypothesis : {"", " ", "a"})
      for (const std::string reference : {"", "b"}) {
        const double score = sentence_chrf(hypothesis, Lines{reference}, {.eps_smoothing = eps});
        CHECK(score >= 0);
        CHECK(score < 1e-9);
      }
}

TEST_CASE("the reference with the best score counts", "[text]") {
  CHECK(sentence_chrf("warm rain", Lines{"cold snow", "warm rain"}) == Approx(100));
  CHECK(sentence_chrf("warm rain", Lines{"warm rain", "cold snow"}) == Approx(100));
}

TEST_CASE("punctuation is parted from a word's end or else its beginning", "[text]") {
  using Words = std::vector<std::u32string>;
  CHECK(detail::chrf_words(U"(hi) \"no. ! ?? \u3002x") ==
        Words{U"(hi", U")", U"\"no", U".", U"!", U"?", U"?", U"\u3002x"});
  CHECK(detail::chrf_words(U"'tis  ") == Words{U"'", U"tis"});
}

TEST_CASE("chrF has its name and refuses orders and beta below zero", "[text]") {
  CHECK(chrf_name({}) == "chrF2");
  CHECK(chrf_name({.word_order = 2, .beta = 3}) == "chrF3++");
  CHECK_THROWS_AS(sentence_chrf("a", Lines{"a"}, {.char_order = -1}), Error);
  CHECK_THROWS_AS(sentence_chrf("a", Lines{"a"}, {.char_order = 0}), Error);
  CHECK_THROWS_AS(sentence_chrf("a", Lines{"a"}, {.word_order = -1}), Error);
  CHECK_THROWS_AS(sentence_chrf("a", Lines{"a"}, {.beta = -1}), Error);
  CHECK_THROWS_AS(sentence_chrf("\xFF", Lines{"a"}), Error);
  CHECK_THROWS_AS(sentence_chrf("a", Lines{}), Error);
  CHECK_THROWS_AS(corpus_chrf(Lines{"a"}, {{"a", "b"}}), Error);  // D23
}
