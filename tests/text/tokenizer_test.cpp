#include <heed/text/tokenizer.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::message_of;
using Tokens = std::vector<std::string>;

// The expected tokens are what the rules give as Python regular expressions:
// re.findall(r"\w+(?:'\w+)*|[^\w\s]", s.lower()) and re.findall(r"[HAN]|(?:(?![HAN])\w)+|[^\w\s]", s).

TEST_CASE("English is lower-cased words and single punctuation", "[text]") {
  const Tokenizer english{Language::english};
  CHECK(english.tokenize("Don't panic, it's 3.50!") == Tokens{"don't", "panic", ",", "it's", "3", ".", "50", "!"});
  CHECK(english.tokenize("'Tis rock'n'roll' a''b") == Tokens{"'", "tis", "rock'n'roll", "'", "a", "'", "'", "b"});
  CHECK(english.tokenize("snake_case e-mail...") == Tokens{"snake_case", "e", "-", "mail", ".", ".", "."});
  CHECK(english.tokenize(" \t\u3000Wide\u00a0space ") == Tokens{"wide", "space"});
  CHECK(english.tokenize("").empty());
  CHECK(english.tokenize(" \n ").empty());
  CHECK(english.tokenize("<s> <pad></s>") == Tokens{"<", "s", ">", "<", "pad", ">", "<", "/", "s", ">"});
}

TEST_CASE("French words keep their accents, composed or not", "[text]") {
  const Tokenizer french{Language::french};
  CHECK(french.tokenize("À l'été, Ça ira ?") == Tokens{"à", "l'été", ",", "ça", "ira", "?"});
  CHECK(french.tokenize("L’ÉTÉ") == Tokens{"l", "’", "été"});
  CHECK(french.tokenize("e\u0301t") == Tokens{"e", "\u0301", "t"});
}

TEST_CASE("Chinese is one token a Han character, other runs whole", "[text]") {
  const Tokenizer chinese{Language::chinese};
  CHECK(chinese.tokenize("他用Python3写了100行。") == Tokens{"他", "用", "Python3", "写", "了", "100", "行", "。"});
  CHECK(chinese.tokenize("二〇二六年，OK？！") == Tokens{"二", "〇", "二", "六", "年", "，", "OK", "？", "！"});
  CHECK(chinese.tokenize("カタカナ\U00020001\U00020002") == Tokens{"カタカナ\U00020001\U00020002"});
  CHECK(chinese.tokenize("a'b 中\u3000文") == Tokens{"a", "'", "b", "中", "文"});
}

TEST_CASE("emoji sequences and invisible controls are kept as tokens", "[text]") {
  const Tokenizer english{Language::english};
  CHECK(english.tokenize("👩\u200d🚀 \u202Eok\u200b") == Tokens{"👩", "\u200d", "🚀", "\u202E", "ok", "\u200b"});
}

TEST_CASE("characters and bytes are every one, a mark for a run of white space", "[text]") {
  const Tokenizer characters{Language::french, TokenUnit::characters}, bytes{Language::french, TokenUnit::bytes};
  CHECK(characters.tokenize(" À  l'é\u3000!") == Tokens{"À", "▁", "l", "'", "é", "▁", "!"});
  CHECK(characters.detokenize(characters.tokenize("À l'é !")) == "À l'é !");
  CHECK(bytes.tokenize("é ~\x7F\t<") == Tokens{"<0xC3>", "<0xA9>", "▁", "~", "<0x7F>", "▁", "<"});
  CHECK(bytes.detokenize(bytes.tokenize("é 龙 <0x41>")) == "é 龙 <0x41>");
  CHECK(bytes.detokenize(Tokens{"a", "<0xE9>", "<0xBE>", "b"}) == "a\uFFFDb");
  CHECK(characters.tokenize(" ").empty());
  CHECK(bytes.tokenize("").empty());
}

TEST_CASE("marked words keep case and say where no space stood", "[text]") {
  const Tokenizer french{Language::french, TokenUnit::byte_pairs};
  CHECK(french.tokenize("Est-ce (l'été), OK ?") == Tokens{"Est", "￭-￭", "ce", "(￭", "l'été", "￭)", "￭,", "OK", "?"});
  CHECK(french.tokenize("3.50!! a￭b") == Tokens{"3", "￭.￭", "50", "￭!", "￭!", "a", "￭■￭", "b"});
  for (const std::string text :
       {"Est-ce (l'été), OK ?", "«\u00a0Non\u00a0» : 3,50 €.", "...a ...", "'a' \"b\"c", "a -- b/c", "-", ""}) {
    std::string spaced;
    for (const std::string_view word : split_at_space(text)) (spaced += spaced.empty() ? "" : " ") += word;
    CHECK(french.detokenize(french.tokenize(text)) == spaced);
  }
}

TEST_CASE("of Chinese, byte pairs are made from runs of Han characters", "[text]") {
  const Tokenizer chinese{Language::chinese, TokenUnit::byte_pairs};
  CHECK(chinese.tokenize("他用Python写了100行。OK？") ==
        Tokens{"他用", "Python", "写了", "100", "行", "。", "OK", "？"});
  CHECK(chinese.detokenize(chinese.tokenize("他用Python 3写了。")) == "他用Python 3写了。");
}

TEST_CASE("a tokenizer is restored by its name", "[text]") {
  for (const Language language : {Language::english, Language::french, Language::chinese}) {
    const Tokenizer tokenizer{language};
    CHECK(Tokenizer::from_name(tokenizer.name()) == tokenizer);
  }
  CHECK(Tokenizer::from_name("zh").language == Language::chinese);
  CHECK(Tokenizer{Language::french, TokenUnit::byte_pairs}.name() == "fr bpe");
  CHECK(Tokenizer::from_name("fr bpe") == Tokenizer{Language::french, TokenUnit::byte_pairs});
  CHECK_THROWS_AS(Tokenizer::from_name("fr bpm"), Error);
  const std::string message = message_of<Error>([] { Tokenizer::from_name("d\ne"); });
  CHECK(message.find("\"d\\ne\"") != message.npos);
  CHECK(message.find("\"zh\"") != message.npos);
}

TEST_CASE("invalid UTF-8 is not tokenized", "[text]") {
  CHECK_THROWS_AS((Tokenizer{Language::chinese}.tokenize("中\xE4\xB8")), Error);
}
