#include <heed/text/text_codec.hpp>

#include <sstream>

#include <heed/text/learn_byte_pairs.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::message_of;
using Tokens = std::vector<std::string>;

namespace {

struct Pairs {
  std::vector<SentencePair> pairs;
};

/// Lines of source, tab, target.
Pairs pairs_of(const std::string& content) {
  Pairs text;
  std::istringstream lines(content);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find('\t');
    text.pairs.push_back({line.substr(0, tab), line.substr(tab + 1), static_cast<Index>(text.pairs.size() + 1)});
  }
  return text;
}

const VocabularyOptions everything{.min_count = 1, .max_size = 10000};

TextRules rules_of(Language language, TokenUnit unit, Normalization normalization = Normalization::none) {
  return {.tokenizer = {language, unit}, .normalization = normalization, .merges = {}};
}

const std::string french_text =
    "Where was the summer?\tOù était l'été ?\nThe newer boats.\tLes bateaux plus récents.\n"
    "The boat was newer (and lower).\tLe bateau était plus récent (et plus bas).\n"
    "It's 3.50 euros, not 4!\tC'est 3,50 euros, pas 4 !\n";

/// A codec of byte pairs for one side of the French text.
TextCodec french_codec(std::string SentencePair::*side, Index merges, const VocabularyOptions& options = everything) {
  const Pairs text = pairs_of(french_text);
  TextRules rules = rules_of(Language::french, TokenUnit::byte_pairs);
  rules.merges = learn_byte_pairs(count_words(rules, text.pairs, side), {.merges = merges});
  return TextCodec::build(rules, text.pairs, side, options);
}

}  // namespace

TEST_CASE("a codec turns sentences of its training pairs into ids and back", "[text]") {
  const Pairs text = pairs_of("Tea, tea!\t茶，茶！\nTea\t茶\n");
  const auto source =
      TextCodec::build({{Language::english}}, text.pairs, &SentencePair::source, {.min_count = 1, .max_size = 100});
  const auto target =
      TextCodec::build({{Language::chinese}}, text.pairs, &SentencePair::target, {.min_count = 2, .max_size = 100});
  CHECK(source.vocabulary.tokens() == std::vector<std::string>{"<pad>", "<s>", "</s>", "<unk>", "tea", "!", ","});
  CHECK(source.encode("TEA, please!") == std::vector<Index>{4, 6, 3, 5});
  CHECK(source.decode(source.encode("tea, tea!")) == "Tea, tea!");
  CHECK(source.encode("").empty());  // D21
  CHECK(target.vocabulary.size() == 5);
  CHECK(target.decode(target.encode("茶，茶")) == "茶茶");
}

TEST_CASE("D12: pairs become ids, too long ones are dropped or cut, and counted", "[text]") {
  const Pairs text = pairs_of("a b\tc\na b a b\tc c\nb\tc c c c c\n");
  const VocabularyOptions all{.min_count = 1, .max_size = 100};
  const auto source = TextCodec::build({{Language::english}}, text.pairs, &SentencePair::source, all);
  const TextCodec target{{{Language::english}}, {}};
  const EncodedText dropped = encode_pairs(text.pairs, source, target, {.max_tokens = 3});
  REQUIRE(dropped.pairs.size() == 1);
  CHECK(dropped.dropped == 2);
  CHECK(dropped.pairs[0] == EncodedPair{{5, 4}, {3}});
  CHECK(dropped.source_unknown == 0);
  CHECK(dropped.target_unknown == 1);
  CHECK(dropped.tokens() == 5);
  const EncodedText cut =
      encode_pairs(text.pairs, source, target, {.max_tokens = 3, .long_sentence = LongSentence::cut});
  REQUIRE(cut.pairs.size() == 3);
  CHECK(cut.cut == 2);
  CHECK(cut.pairs[1] == EncodedPair{{5, 4, 5}, {3, 3}});
  CHECK(cut.pairs[2] == EncodedPair{{4}, {3, 3, 3}});
  CHECK(encode_pairs(text.pairs, source, target, {.max_tokens = 5}).dropped == 0);
  CHECK_THROWS_AS(encode_pairs(text.pairs, source, target, {.max_tokens = 0}), Error);
}

TEST_CASE("rules are restored by their name", "[text]") {
  for (const Language language : {Language::english, Language::french, Language::chinese})
    for (const TokenUnit unit : {TokenUnit::words, TokenUnit::characters, TokenUnit::bytes, TokenUnit::byte_pairs})
      for (const Normalization normalization : {Normalization::none, Normalization::nfkc}) {
        const TextRules rules = rules_of(language, unit, normalization);
        CHECK(TextRules::from_name(rules.name()) == rules);
      }
  CHECK(rules_of(Language::chinese, TokenUnit::byte_pairs, Normalization::nfkc).name() == "zh bpe nfkc");
  CHECK(TextRules::from_name("en") == TextRules{});
  for (const std::string wrong : {"", "de", "en words2", "nfkc", "en  bpe", "en nfkc bpe", "en bpe "})
    CHECK_THROWS_AS(TextRules::from_name(wrong), Error);
}

TEST_CASE("sentences of every unit come back, of words but for their case", "[text]") {
  const Pairs text = pairs_of(french_text);
  for (const TokenUnit unit : {TokenUnit::characters, TokenUnit::bytes, TokenUnit::byte_pairs, TokenUnit::words}) {
    INFO(unit_name(unit));
    const TextCodec codec =
        TextCodec::build(rules_of(Language::french, unit), text.pairs, &SentencePair::target, everything);
    for (const SentencePair& pair : text.pairs) CHECK(codec.decode(codec.encode(pair.target)) == pair.target);
  }
}

TEST_CASE("frequent words are one piece, others several", "[text]") {
  const TextCodec codec = french_codec(&SentencePair::target, 40);
  CHECK(codec.tokenize("Le bateau bas") == Tokens{"L@@", "e", "batea@@", "u", "ba@@", "s"});
  CHECK(codec.tokenize("plus récent") == Tokens{"plus", "récen@@", "t"});
  CHECK(codec.decode(codec.encode("les bateaux (plus bas) ?")) == "les bateaux (plus bas) ?");
}

TEST_CASE("pieces too rare for the vocabulary are cut further, not unknown", "[text]") {
  const TextCodec all = french_codec(&SentencePair::target, 40);
  const TextCodec few = french_codec(&SentencePair::target, 40, {.min_count = 3, .max_size = 10000});
  CHECK(few.vocabulary.size() < all.vocabulary.size());
  const Tokens pieces = few.tokenize("bateau");
  CHECK(pieces.size() > all.tokenize("bateau").size());
  const auto unknown = [](const std::vector<Index>& ids) { return std::count(ids.begin(), ids.end(), unknown_id); };
  const std::string sentence = "Les bateaux récents, pas cet été.";
  CHECK(unknown(few.encode(sentence)) < unknown(few.vocabulary.encode(all.tokenize(sentence))));
}

TEST_CASE("a cache changes no id", "[text]") {
  const TextCodec codec = french_codec(&SentencePair::source, 30);
  TextCodec::Cache cache;
  for (int i = 0; i < 2; ++i)
    for (const std::string sentence : {"The newer boats.", "the summer (newer)", ""})
      CHECK(codec.encode(sentence, cache) == codec.encode(sentence));
  CHECK(!cache.empty());
}

TEST_CASE("bytes have a vocabulary of 256 and know no unknown sentence", "[text]") {
  const Pairs text = pairs_of("a\tb\n");
  const TextCodec codec =
      TextCodec::build(rules_of(Language::chinese, TokenUnit::bytes), text.pairs, &SentencePair::source);
  CHECK(codec.vocabulary.size() == 260);
  CHECK(codec.encode("A\xC3\xA9 \U0001F600").size() == 8);
  CHECK(codec.encode("A") == std::vector<Index>{4 + 'A'});
  CHECK(codec.decode(codec.encode("龙 <0x41> <s> \U0001F600")) == "龙 <0x41> <s> \U0001F600");
}

TEST_CASE("D13: NFKC is applied before a sentence is cut, at training and at use", "[text]") {
  const Pairs text = pairs_of("Ｔｅａ　ｎｏｗ，ｅ́té\t茶\n");
  for (const TokenUnit unit : {TokenUnit::words, TokenUnit::characters, TokenUnit::bytes, TokenUnit::byte_pairs}) {
    INFO(unit_name(unit));
    const auto codec = [&](Normalization normalization) {
      return TextCodec::build(rules_of(Language::english, unit, normalization), text.pairs, &SentencePair::source,
                              everything);
    };
    const TextCodec normal = codec(Normalization::nfkc), plain = codec(Normalization::none);
    CHECK(normal.encode("Ｔｅａ　ｎｏｗ，ｅ́té") == normal.encode("Tea now,été"));
    CHECK(normal.tokenize("Ｔｅａ") == plain.tokenize("Tea"));
    CHECK(plain.tokenize("Ｔｅａ") != plain.tokenize("Tea"));
  }
}

TEST_CASE("D26: tokens that the rules cannot have made are refused", "[text]") {
  const TextCodec codec = french_codec(&SentencePair::target, 40), other = french_codec(&SentencePair::source, 40);
  CHECK(TextCodec::restore(codec.rules, codec.vocabulary).vocabulary == codec.vocabulary);
  const std::string message = message_of<Error>([&] { TextCodec::restore(other.rules, codec.vocabulary); });
  CHECK(message.find("the merges are of another vocabulary: none of them makes ") != message.npos);
  CHECK_THROWS_AS(TextCodec::restore(rules_of(Language::french, TokenUnit::byte_pairs), codec.vocabulary), Error);
  CHECK_THROWS_AS(TextCodec::restore(rules_of(Language::french, TokenUnit::bytes), codec.vocabulary), Error);
}

TEST_CASE("dropout cuts the same pairs otherwise in every epoch, and as often as asked the same", "[text]") {
  const Pairs text = pairs_of(french_text);
  const TextCodec source = french_codec(&SentencePair::source, 40), target = french_codec(&SentencePair::target, 40);
  const EncodedText plain = encode_pairs(text.pairs, source, target);
  REQUIRE(plain.pairs.size() == 4);
  const auto epoch = [&](std::uint64_t number, double rate, Index most) {
    const BytePairDropout dropout{.rate = rate, .rng = {7, number}};
    return encode_with_dropout(plain, text.pairs, source, target, {dropout, most});
  };
  CHECK(epoch(1, 0.3, 200) == epoch(1, 0.3, 200));
  CHECK(epoch(1, 0.3, 200) != epoch(2, 0.3, 200));
  CHECK(epoch(1, 0.3, 200) != plain.pairs);
  CHECK(epoch(1, 0, 200) == plain.pairs);
  CHECK(epoch(1, 1, 1) == plain.pairs);  // every pair would be too long
}
