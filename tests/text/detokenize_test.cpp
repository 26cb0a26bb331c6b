#include <heed/text/detokenize.hpp>

#include <heed/text/tokenizer.hpp>

#include "support/catch.hpp"

using namespace heed;
using Tokens = std::vector<std::string>;

namespace {

const Tokenizer english{Language::english}, french{Language::french}, chinese{Language::chinese};

}  // namespace

TEST_CASE("Chinese tokens join without spaces but between Latin or digit runs", "[text]") {
  CHECK(chinese.detokenize(Tokens{"他", "用", "GRU", "2", "个", "。"}) == "他用GRU 2个。");
  CHECK(chinese.detokenize(Tokens{"é", "a", "b"}) == "éa b");
  CHECK(chinese.detokenize(Tokens{}).empty());
}

TEST_CASE("English and French sentences come back from their words with spaces and capitals", "[text]") {
  for (const std::string sentence :
       {"Well, (a [b]) 50%!?", "It's 10:30, I'm late; you and I aren't.", "She said \"come in\" and left.",
        "A well-known e-mail costs $3.50 or $1,000.", "Is it? Yes! It is.", "He bought 3, 4 or 50 of them.",
        "He said 'never' - twice.", "Don’t.", "And/or: 1/2."})
    CHECK(english.detokenize(english.tokenize(sentence)) == sentence);
  for (const std::string sentence :
       {"Est-ce que l'été est là ?", "Écoutez : il part !", "Ça coûte 3,50 euros ; c'est cher.", "L’été, où es-tu ?",
        "Elle dit « bonjour », puis \"au revoir\".", "Quoi ? Œuvre d'art !", "Il y en a 50 % (moins 2)."})
    CHECK(french.detokenize(french.tokenize(sentence)) == sentence);
}

TEST_CASE("odd lists of tokens join too", "[text]") {
  CHECK(english.detokenize(Tokens{"(", "(", "x", ".", ".", ":", ";"}) == "((X..:;");
  CHECK(english.detokenize(Tokens{"(", ")"}) == "()");
  CHECK(english.detokenize(Tokens{"."}) == ".");
  CHECK(english.detokenize(Tokens{"-", "-"}) == "- -");
  CHECK(english.detokenize(Tokens{"\""}) == "\"");
  CHECK(english.detokenize(Tokens{}).empty());
  CHECK(french.detokenize(Tokens{"50", "%", "!", "龙"}) == "50 % ! 龙");
}

TEST_CASE("join marks at any place are obeyed", "[text]") {
  const Tokenizer marked{Language::french, TokenUnit::byte_pairs};
  CHECK(marked.detokenize(Tokens{"￭.", "a", "￭-￭", "b", "(￭"}) == ". a-b (");
  CHECK(marked.detokenize(Tokens{"￭", "a", "￭"}) == "a");
  CHECK(marked.detokenize(Tokens{"￭￭", "a"}) == "a");
}
