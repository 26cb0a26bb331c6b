#include <heed/text/ter_tokenize.hpp>

#include "support/catch.hpp"

using namespace heed;

// The expected lines are those of sacreBLEU 2.6.0's TercomTokenizer.

TEST_CASE("Tercom's tokenizer lower-cases and joins by single spaces", "[text]") {
  CHECK(ter_tokenize({}, "  The  End,\u3000really. ") == "the end, really.");
  CHECK(ter_tokenize({.case_sensitive = true}, "The End") == "The End");
  CHECK(ter_tokenize({}, "").empty());
}

TEST_CASE("normalized parts punctuation and writes entities out", "[text]") {
  const TerOptions options{.normalized = true};
  CHECK(ter_tokenize(options, "Tom's \"cat\" &amp; 3.5% (x) a-b 3-4, end.") ==
        "tom 's \" cat \" & 3.5 % ( x ) a-b 3 - 4 , end .");
  CHECK(ter_tokenize(options, "well-\nknown\n-x") == "well- knownx");
  CHECK(ter_tokenize(options, "中文。") == "中文。");
}

TEST_CASE("Asian support parts CJK characters and punctuation when normalized", "[text]") {
  CHECK(ter_tokenize({.normalized = true, .asian_support = true}, "我用GPU、好。カナ") == "我 用 gpu 、 好 。 カナ");
  CHECK(ter_tokenize({.asian_support = true}, "我用GPU、好。") == "我用gpu、好。");
}

TEST_CASE("no_punct removes punctuation, Asian too where supported", "[text]") {
  CHECK(ter_tokenize({.no_punct = true}, "No, (really)? \"Yes!\" a;b: 好。") == "no really yes ab 好。");
  CHECK(ter_tokenize({.no_punct = true, .asian_support = true}, "好。，（a）「b」") == "好ab");
}

TEST_CASE("invalid UTF-8 is refused", "[text]") { CHECK_THROWS_AS(ter_tokenize({}, "a\xFF"), Error); }
