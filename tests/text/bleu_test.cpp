#include <heed/text/bleu.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"
#include "text/score_cases.hpp"

using namespace heed;
using heed_test::all_close;
using heed_test::close;
using Lines = std::vector<std::string>;

namespace {

BleuOptions options_of(const heed_test::BleuExpected& expected) {
  return {.tokenizer = bleu_tokenizer_from_name(expected.tokenizer),
          .smoothing = bleu_smoothing_from_name(expected.smoothing),
          .lowercase = expected.lowercase,
          .effective_order = expected.effective_order};
}

}  // namespace

TEST_CASE("corpus BLEU is sacreBLEU's, in score, counts and signature", "[text]") {
  for (const auto& scores : heed_test::score_cases())
    for (const auto& expected : scores.bleu) {
      CAPTURE(scores.name, expected.signature);
      const BleuOptions options = options_of(expected);
      const BleuScore found = corpus_bleu(scores.hypotheses, scores.references, options);
      CHECK(close(found.score, expected.score));
      CHECK(close(found.brevity_penalty, expected.brevity_penalty));
      CHECK(found.counts == expected.counts);
      CHECK(found.totals == expected.totals);
      CHECK(all_close(found.precisions, expected.precisions));
      CHECK(bleu_signature(options, static_cast<Index>(scores.references.size())) == expected.signature);
    }
}

TEST_CASE("sentence BLEU is sacreBLEU's", "[text]") {
  for (const auto& scores : heed_test::score_cases())
    for (const auto& expected : scores.bleu)
      for (std::size_t i = 0; i < scores.hypotheses.size(); ++i) {
        CAPTURE(scores.name, expected.signature, i);
        const auto references = references_of_line(scores.references, i);
        CHECK(close(sentence_bleu(scores.hypotheses[i], references, options_of(expected)).score,
                    expected.sentence_scores[i]));
      }
}

TEST_CASE("a perfect hypothesis has 100, one without a match 0", "[text]") {
  const Lines lines = {"The rain has stopped at last.", "So we went out."};
  CHECK(corpus_bleu(lines, {lines}).score == Approx(100));
  CHECK(corpus_bleu(lines, {{"x y z", "u v w"}}).score == 0);
}

TEST_CASE("D22: empty and short hypotheses have a number, never NaN", "[text]") {
  for (const BleuSmoothing smoothing :
       {BleuSmoothing::none, BleuSmoothing::floor, BleuSmoothing::add_k, BleuSmoothing::exponential})
    for (const bool effective_order : {false, true})
      for (const std::string hypothesis : {"", " ", "a", "a b", "a b c"})
        for (const std::string reference : {"", "a", "a b c d e"}) {
          const double score =
              sentence_bleu(hypothesis, Lines{reference}, {.smoothing = smoothing, .effective_order = effective_order})
                  .score;
          CHECK(score >= 0);
          CHECK(score <= 100 + 1e-9);
        }
  CHECK(sentence_bleu("", Lines{"a b"}).score == 0);
  CHECK(sentence_bleu("", Lines{"a b"}).brevity_penalty == 0);
}

TEST_CASE("statistics of lines add up to those of the corpus", "[text]") {
  const auto& scores = heed_test::score_cases()[0];
  BleuStatistics sum = bleu_statistics(scores.hypotheses[0], references_of_line(scores.references, 0));
  for (std::size_t i = 1; i < scores.hypotheses.size(); ++i)
    sum += bleu_statistics(scores.hypotheses[i], references_of_line(scores.references, i));
  CHECK(bleu_score(sum).score == corpus_bleu(scores.hypotheses, scores.references).score);
}

TEST_CASE("the reference length is the closest one's, the shorter of two", "[text]") {
  CHECK(bleu_statistics("a b c", Lines{"a b c d", "a b", "a b c d e f"}).reference_length == 2);
  CHECK(bleu_statistics("a b c", Lines{"a", "a b c d"}).reference_length == 4);
  CHECK(bleu_statistics("", Lines{"a b", "a"}).reference_length == 1);
}

TEST_CASE("smoothing values and orders are options", "[text]") {
  const BleuOptions options{.smoothing = BleuSmoothing::floor, .smooth_value = 0.25, .max_order = 2};
  const BleuScore score = sentence_bleu("a c", Lines{"a b"}, options);
  CHECK(score.precisions == std::vector<double>{50, 25});
  CHECK(score.score == Approx(std::sqrt(50.0 * 25.0)));
  CHECK(bleu_signature(options, 1) == "nrefs:1|case:mixed|eff:no|tok:13a|smooth:floor[0.25]|version:2.6.0");
}

TEST_CASE("BLEU refuses wrong input", "[text]") {
  const Lines one = {"a"};
  CHECK_THROWS_AS(corpus_bleu(one, {{"a", "b"}}), Error);  // D23
  CHECK_THROWS_AS(corpus_bleu(one, {}), Error);
  CHECK_THROWS_AS(sentence_bleu("a", Lines{}), Error);
  CHECK_THROWS_AS(sentence_bleu("\xFF", one), Error);
  CHECK_THROWS_AS(sentence_bleu("a", one, {.max_order = 0}), Error);
  CHECK_THROWS_AS(sentence_bleu("a", one, {.smooth_value = -1.0}), Error);
  CHECK_THROWS_AS(bleu_smoothing_from_name("linear"), Error);
}
