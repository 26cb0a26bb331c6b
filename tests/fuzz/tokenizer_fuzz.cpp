// Bytes as a sentence: refused where they are no UTF-8, else cut into tokens that hold all of it but the spaces.

#include <heed/text/bleu_tokenize.hpp>
#include <heed/text/ter_tokenize.hpp>
#include <heed/text/tokenizer.hpp>

#include "fuzzing.hpp"

using namespace heed_fuzz;

namespace {

std::u32string without_spaces(std::u32string_view codes) {
  std::u32string rest;
  for (const char32_t code : codes) {
    if (!heed::is_space(code)) rest += code;
  }
  return rest;
}

void check_tokens(const heed::Tokenizer& tokenizer, const std::string& sentence) {
  const std::vector<std::string> tokens = tokenizer.tokenize(sentence);
  std::string joined;
  for (const std::string& token : tokens) {
    require(!token.empty(), "no token is empty");
    joined += token;
  }
  std::u32string codes = heed::decode_utf8(sentence);
  if (tokenizer.language != heed::Language::chinese) codes = heed::to_lower(codes);
  require(heed::decode_utf8(joined) == without_spaces(codes), "tokens hold all but the spaces");
  require(!heed::find_invalid_utf8(tokenizer.detokenize(tokens)), "joined tokens are UTF-8");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = text_of(data, size);
  const std::string sentence = heed::replace_invalid_utf8(bytes);
  require(!heed::find_invalid_utf8(sentence), "a replaced text is UTF-8");
  require(heed::find_invalid_utf8(bytes).has_value() == (sentence != bytes), "valid text comes back as it is");
  require_message(heed::quote(bytes));
  require(heed::display_width(bytes) >= 0, "no text has a negative width");
  for (const heed::Language language : {heed::Language::english, heed::Language::french, heed::Language::chinese}) {
    check_tokens({language}, sentence);
    try {
      heed::Tokenizer{language}.tokenize(bytes);
      require(sentence == bytes, "bytes that are no UTF-8 are refused");
    } catch (const heed::Error& problem) {
      require(sentence != bytes, "UTF-8 is tokenized");
      require_message(problem.what());
    }
  }
  using enum heed::BleuTokenizer;
  for (const heed::BleuTokenizer tokenizer : {mteval_13a, international, chinese, character, none}) {
    require(!heed::find_invalid_utf8(heed::bleu_tokenize(tokenizer, sentence)), "BLEU's tokens are UTF-8");
  }
  heed::ter_tokenize({.normalized = true, .no_punct = true, .asian_support = true}, sentence);
  return 0;
}
