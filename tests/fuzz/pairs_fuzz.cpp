// Bytes as a TSV corpus: refused, or pairs that are text. The first byte chooses the options.

#include <heed/text/corpus.hpp>

#include "fuzzing.hpp"

using namespace heed_fuzz;

namespace {

void check_side(const std::string& side) {
  require(!heed::find_invalid_utf8(side), "a side is UTF-8");
  require(side.find_first_of(std::string_view("\t\n\0", 3)) == side.npos, "a side holds no tab, line end or NUL");
  require(!heed::without_trailing_space(side).empty(), "a side is not empty");
}

void check_codec(const heed::ParallelText& text) {
  for (const heed::Language language : {heed::Language::english, heed::Language::chinese}) {
    const auto codec =
        heed::TextCodec::build({language}, text.pairs, &heed::SentencePair::source, {.min_count = 1, .max_size = 1000});
    for (const heed::SentencePair& pair : text.pairs) {
      require(!heed::find_invalid_utf8(codec.decode(codec.encode(pair.target))), "a decoded sentence is UTF-8");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static MemoryFile memory;
  if (size == 0) return 0;
  const bool skip = (data[0] & 1) != 0, replace = (data[0] & 2) != 0;
  const heed::CorpusOptions options{.bad_line = skip ? heed::BadLine::skip : heed::BadLine::refuse,
                                    .invalid_utf8 = replace ? heed::InvalidUtf8::replace : heed::InvalidUtf8::refuse};
  try {
    const heed::ParallelText text = heed::read_pairs(memory.holding(text_of(data + 1, size - 1)), options);
    require(!text.pairs.empty(), "a corpus without pairs is refused");
    require(skip || text.skipped == 0, "nothing is skipped unasked");
    require(replace || text.replaced == 0, "nothing is replaced unasked");
    heed::Index line = 0;
    for (const heed::SentencePair& pair : text.pairs) {
      check_side(pair.source);
      check_side(pair.target);
      require(pair.line > line, "line numbers rise");
      line = pair.line;
    }
    check_codec(text);
  } catch (const heed::FormatError& problem) {
    require_message(problem.what());
  }
  return 0;
}
