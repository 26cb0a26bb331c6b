#include <heed/text/references.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::message_of;

TEST_CASE("D23: unequal line counts are refused with both counts", "[text]") {
  const std::vector<std::string> hypotheses = {"a", "b"};
  CHECK_NOTHROW(check_references("corpus_bleu", hypotheses, {{"x", "y"}, {"u", "v"}}));
  const std::string message = message_of<Error>([&] {
    check_references("corpus_bleu", hypotheses, {{"x", "y"}, {"u", "v", "w"}});
  });
  CHECK(message == "corpus_bleu: references[1] has 3 lines, wanted 2 as hypotheses has");
}

TEST_CASE("no lines and no references are refused", "[text]") {
  const std::vector<std::string> none, one = {"a"};
  CHECK_THROWS_AS(check_references("corpus_bleu", none, {{}}), Error);
  CHECK_THROWS_AS(check_references("corpus_bleu", one, {}), Error);
  CHECK_THROWS_AS(check_references("sentence_bleu", none), Error);
  CHECK_NOTHROW(check_references("sentence_bleu", one));
}

TEST_CASE("a line's references are taken across the reference files", "[text]") {
  CHECK(references_of_line({{"a", "b"}, {"c", "d"}}, 1) == std::vector<std::string>{"b", "d"});
}

TEST_CASE("numbers in signatures are rounded to two decimals as Python rounds them", "[text]") {
  CHECK(detail::two_decimals(0.1) == "0.10");
  CHECK(detail::two_decimals(1) == "1.00");
  CHECK(detail::two_decimals(0.125) == "0.12");  // half to even, exactly
  CHECK(detail::two_decimals(1e300).size() == 304);
  CHECK(detail::signature(2, "case:lc") == "nrefs:2|case:lc|version:2.6.0");
}
