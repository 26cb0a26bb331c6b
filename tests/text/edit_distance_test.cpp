#include <heed/text/edit_distance.hpp>

#include <random>

#include "support/catch.hpp"

using namespace heed;

namespace {

/// Levenshtein's distance, the textbook's whole matrix.
Index textbook_distance(std::u32string_view a, std::u32string_view b) {
  std::vector<Index> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = static_cast<Index>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    Index diagonal = row[0];
    row[0] = static_cast<Index>(i);
    for (std::size_t j = 1; j < row.size(); ++j) {
      const Index best = std::min({diagonal + (a[i - 1] == b[j - 1] ? 0 : 1), row[j] + 1, row[j - 1] + 1});
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row.back();
}

std::u32string random_words(std::mt19937& random, std::size_t length) {
  std::u32string words;
  for (std::size_t i = 0; i < length; ++i) words += static_cast<char32_t>(random() % 4);
  return words;
}

/// Applies edits to `from`, taking words that are put in from `to`.
std::u32string apply(std::u32string_view from, std::u32string_view to, const std::vector<Edit>& edits) {
  std::u32string out;
  std::size_t i = 0, j = 0;
  for (const Edit edit : edits) {
    if (edit == Edit::keep) out += from[i];
    if (edit == Edit::substitute || edit == Edit::insert) out += to[j];
    if (edit != Edit::insert) ++i;
    if (edit != Edit::remove) ++j;
  }
  return out;
}

}  // namespace

TEST_CASE("the distance of short texts is Levenshtein's, reused rows or not", "[text]") {
  std::mt19937 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const std::u32string reference = random_words(random, random() % 12);
    BandedEditDistance reused(reference);
    for (int next = 0; next < 5; ++next) {
      const std::u32string hypothesis = random_words(random, next < 3 ? 7 : random() % 12);
      CHECK(reused(hypothesis) == textbook_distance(hypothesis, reference));
      const auto edits = reused.edits();
      CHECK(apply(hypothesis, reference, edits) == reference);
      CHECK(static_cast<Index>(edits.size()) - std::count(edits.begin(), edits.end(), Edit::keep) ==
            reused(hypothesis));
    }
  }
}

TEST_CASE("nothing against something is all insertions or removals", "[text]") {
  const std::u32string reference = U"abc", none;
  CHECK(BandedEditDistance(reference)(U"") == 3);
  CHECK(BandedEditDistance(none)(U"ab") == 2);
  CHECK(BandedEditDistance(none)(U"") == 0);
}

TEST_CASE("a band around the diagonal is all that is searched", "[text]") {
  // 40 words moved to the end: the full matrix finds the 60 that stay in order, the band of 25 cannot reach them.
  std::u32string reference, hypothesis;
  for (char32_t i = 0; i < 100; ++i) reference += i, hypothesis += (i + 40) % 100;
  CHECK(textbook_distance(hypothesis, reference) == 80);
  CHECK(BandedEditDistance(reference)(hypothesis) == 100);
}

TEST_CASE("very unequal lengths widen the band so that rows meet", "[text]") {  // numbers of sacreBLEU 2.6.0
  std::u32string reference(500, U'x');
  reference.back() = U'y';
  CHECK(BandedEditDistance(reference)(U"xy") == 499);  // 498 without a band
  CHECK(BandedEditDistance(reference)(U"y") == 499);
}
