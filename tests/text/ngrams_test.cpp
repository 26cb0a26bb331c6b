#include <heed/text/ngrams.hpp>

#include "support/catch.hpp"

using namespace heed;

TEST_CASE("n-grams are counted with their repetitions", "[text]") {
  const NgramCounts counts = count_ngrams(U"abab", 2);
  CHECK(counts.size() == 2);
  CHECK(counts.at(U"ab") == 2);
  CHECK(counts.at(U"ba") == 1);
  CHECK(count_ngrams(U"abab", 1).at(U"a") == 2);
  CHECK(count_ngrams(U"abab", 4).size() == 1);
  CHECK(count_ngrams(U"abab", 5).empty());
  CHECK(count_ngrams(U"", 1).empty());
}

TEST_CASE("a match counts as often as both sides have it", "[text]") {
  CHECK(count_matches(count_ngrams(U"aaab", 1), count_ngrams(U"abbb", 1)) == 2);
  CHECK(count_matches(count_ngrams(U"abab", 2), count_ngrams(U"ababab", 2)) == 3);
  CHECK(count_matches(count_ngrams(U"ab", 1), count_ngrams(U"cd", 1)) == 0);
  CHECK(count_matches(count_ngrams(U"", 1), count_ngrams(U"cd", 1)) == 0);
}

TEST_CASE("equal words have equal numbers, across sentences too", "[text]") {
  WordNumbers<> numbers;
  const std::u32string first = numbers({"go", "on", "go"}), second = numbers({"on", "off"});
  CHECK(first[0] == first[2]);
  CHECK(first[0] != first[1]);
  CHECK(second[0] == first[1]);
  CHECK(second[1] != first[0]);
  CHECK(numbers({}).empty());
}
