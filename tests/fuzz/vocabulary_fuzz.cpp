// Bytes as a vocabulary file: refused, or tokens of which each has its own id.

#include <heed/text/vocabulary.hpp>

#include "fuzzing.hpp"

using namespace heed_fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static MemoryFile memory;
  try {
    const heed::Vocabulary vocabulary = heed::Vocabulary::read(memory.holding(text_of(data, size)));
    std::string lines;
    for (heed::Index id = 0; id < vocabulary.size(); ++id) {
      const std::string& token = vocabulary.token(id);
      require(vocabulary.id(token) == (id < heed::special_count ? heed::unknown_id : id), "a token has its own id");
      (lines += token) += '\n';
    }
    require(heed::Vocabulary::read(memory.holding(lines)) == vocabulary, "a vocabulary is read as it was written");
    require(heed::Vocabulary(vocabulary.tokens()) == vocabulary, "a checkpoint's list is held to the same rules");
  } catch (const heed::FormatError& problem) {
    require_message(problem.what());
  }
  return 0;
}
