#include <heed/text/byte_pair_encoding.hpp>

#include <map>

#include <heed/text/unicode.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"
#include "text/byte_pair_cases.hpp"

using namespace heed;
using heed_test::message_of;
using Pieces = std::vector<std::string>;

namespace {

std::string segmented(const BytePairEncoding& encoding, const std::string& line, const SegmentOptions& options = {}) {
  std::string text;
  for (const std::string_view word : split_at_space(line))
    for (const std::string& piece : encoding.segment(word, options)) text += (text.empty() ? "" : " ") + piece;
  return text;
}

/// The pieces that the training text was cut into so often.
Vocabulary frequent_pieces(const heed_test::BytePairCase& example, Index threshold) {
  TokenCounts counts;
  for (const std::string& line : example.segmented.front().training) {
    Pieces pieces;
    for (const std::string_view piece : split_at_space(line)) pieces.emplace_back(piece);
    counts.add(pieces);
  }
  return Vocabulary(counts, {.min_count = threshold, .max_size = 10000});
}

BytePairEncoding long_merges() {
  return BytePairEncoding({{"a", "a"}, {"aa", "aa"}, {"aaaa", "a"}, {"b", "a"}, {"ba", "aa"}, {"a", "b</w>"}});
}

}  // namespace

TEST_CASE("words are cut as subword-nmt cuts them, with and without a vocabulary", "[text]") {
  for (const heed_test::BytePairCase& example : heed_test::byte_pair_cases()) {
    const BytePairEncoding encoding = BytePairEncoding::parse(example.file, example.name);
    for (const heed_test::SegmentedExpected& wanted : example.segmented) {
      const Vocabulary vocabulary = frequent_pieces(example, std::max<Index>(1, Index(wanted.threshold)));
      const SegmentOptions options{.vocabulary = wanted.threshold > 0 ? &vocabulary : nullptr};
      INFO(example.name << ", threshold " << wanted.threshold);
      for (std::size_t i = 0; i < wanted.training.size(); ++i)
        CHECK(segmented(encoding, example.training[i], options) == wanted.training[i]);
      for (std::size_t i = 0; i < wanted.unseen.size(); ++i)
        CHECK(segmented(encoding, example.unseen[i], options) == wanted.unseen[i]);
    }
  }
}

TEST_CASE("without merges a word is its characters", "[text]") {
  const BytePairEncoding none;
  CHECK(none.segment("l水ù") == Pieces{"l@@", "水@@", "ù"});
  CHECK(none.segment("x") == Pieces{"x"});
  CHECK(none.segment("").empty());
  CHECK(none.text() == "#version: 0.2\n");
}

TEST_CASE("a merge is made wherever it can be before the next is looked for", "[text]") {
  // (ab, a) was learned first, but while a b a b is merged it is not there to be asked
  const BytePairEncoding encoding({{"ab", "a"}, {"a", "b"}, {"ab", "c"}});
  CHECK(encoding.segment("ababx") == Pieces{"ab@@", "ab@@", "x"});
  CHECK(encoding.segment("abax") == Pieces{"aba@@", "x"});
}

TEST_CASE("pieces join to the words they were cut from", "[text]") {
  const BytePairEncoding encoding = long_merges();
  Pieces pieces;
  for (const std::string word : {"aaab", "x", "@@", "baaaaaab", "@", "水"}) {
    const Pieces own = encoding.segment(word);
    pieces.insert(pieces.end(), own.begin(), own.end());
  }
  CHECK(join_pieces(pieces) == Pieces{"aaab", "x", "@@", "baaaaaab", "@", "水"});
  CHECK(join_pieces(Pieces{"a@@", "b@@"}) == Pieces{"ab"});
  CHECK(join_pieces(Pieces{}).empty());
}

TEST_CASE("dropout of rate 0 drops nothing, of rate 1 everything", "[text]") {
  const BytePairEncoding encoding = long_merges();
  BytePairDropout dropout{.rate = 0, .rng = {1, 0}};
  CHECK(encoding.segment("aaaab", {.dropout = &dropout}) == encoding.segment("aaaab"));
  dropout.rate = 1;
  CHECK(encoding.segment("aab", {.dropout = &dropout}) == Pieces{"a@@", "a@@", "b"});
  for (const double wrong : {-0.1, 1.1, std::nan("")}) {
    dropout.rate = wrong;
    CHECK_THROWS_AS(encoding.segment("aab", {.dropout = &dropout}), Error);
  }
}

TEST_CASE("dropout is a function of seed, offset, sentence and word", "[text]") {
  const BytePairEncoding encoding = long_merges();
  const auto cut = [&](Rng rng, Index sentence, Index word) {
    const BytePairDropout dropout{.rate = 0.5, .rng = rng, .sentence = sentence, .word = word};
    return encoding.segment("aaaaabaaaaab", {.dropout = &dropout});
  };
  CHECK(cut({1, 2}, 3, 4) == cut({1, 2}, 3, 4));
  std::map<Pieces, int> of_seed, of_offset, of_sentence, of_word;
  for (Index i = 0; i < 20; ++i) {
    const auto n = static_cast<std::uint64_t>(i);
    ++of_seed[cut({n, 2}, 3, 4)], ++of_offset[cut({1, n}, 3, 4)];
    ++of_sentence[cut({1, 2}, i, 4)], ++of_word[cut({1, 2}, 3, i)];
  }
  for (const auto* found : {&of_seed, &of_offset, &of_sentence, &of_word}) CHECK(found->size() > 10);
}

TEST_CASE("dropout cuts words as often as rounds of independent coins do", "[text]") {
  // "abc" under a+b, ab+c, b+c: whole with q * q; [a bc] when a+b is dropped and b+c kept, p * q, and a+bc is no merge
  const BytePairEncoding encoding({{"a", "b"}, {"ab", "c</w>"}, {"b", "c</w>"}});
  const double p = 0.3, q = 1 - p;
  std::map<Pieces, double> seen;
  const Index draws = 20000;
  for (Index i = 0; i < draws; ++i) {
    const BytePairDropout dropout{.rate = p, .rng = {5, 0}, .sentence = i};
    seen[encoding.segment("abc", {.dropout = &dropout})] += 1.0 / static_cast<double>(draws);
  }
  CHECK(seen.size() == 4);
  const double error = 4 * std::sqrt(0.25 / static_cast<double>(draws));  // four standard deviations
  CHECK(std::abs(seen[Pieces{"abc"}] - q * q) < error);
  CHECK(std::abs(seen[Pieces{"ab@@", "c"}] - q * p) < error);
  CHECK(std::abs(seen[Pieces{"a@@", "bc"}] - p * q) < error);
  CHECK(std::abs(seen[Pieces{"a@@", "b@@", "c"}] - p * p) < error);
}

TEST_CASE("a word of a megabyte is cut in a moment", "[text]") {
  const BytePairEncoding encoding = long_merges();
  const std::string word(1 << 20, 'a');
  const BytePairDropout dropout{.rate = 0.5, .rng = {1, 0}};
  CHECK(join_pieces(encoding.segment(word)) == Pieces{word});
  CHECK(join_pieces(encoding.segment(word, {.dropout = &dropout})) == Pieces{word});
}

TEST_CASE("an encoding knows which pieces it can make", "[text]") {
  const BytePairEncoding encoding = long_merges();
  for (const std::string piece : {"a", "a@@", "水", "ab", "aaaa@@", "baaa@@", "@@@"}) CHECK(encoding.makes(piece));
  for (const std::string piece : {"", "@@", "ab@@", "aa", "bb", "水水@@"}) CHECK(!encoding.makes(piece));
  const BytePairEncoding torn({{"T", "he</w>"}, {"h", "x</w>"}});  // nothing makes he</w>
  CHECK(!torn.makes("The"));
  CHECK(torn.makes("hx"));
}

TEST_CASE("an encoding is stored in a file", "[text]") {
  const heed_test::TempFolder folder;
  const std::string path = (folder / "merges.txt").string();
  long_merges().write(path);
  CHECK(BytePairEncoding::read(path) == long_merges());
  CHECK(!(BytePairEncoding::read(path) == BytePairEncoding()));
  CHECK_THROWS_AS(long_merges().write((folder / "missing" / "merges.txt").string()), std::system_error);
}

TEST_CASE("a word that is no UTF-8 is refused with the byte", "[text]") {
  const std::string message = message_of<Error>([] { BytePairEncoding().segment("a\xE6\xB0"); });
  CHECK(message.find("cut sequence at byte 1") != message.npos);
}
