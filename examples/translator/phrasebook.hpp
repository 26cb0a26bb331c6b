#pragma once
// The phrasebook of the demo: English-Chinese pairs written for heed. Single sentences (greetings, travel, shopping,
// ...) and sentences made of templates and fillers. Of these a part is held out: the template and the filler of a
// held-out sentence both occur in the training part, together they do not. All words and characters of it occur in
// training.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <heed/text/corpus.hpp>

namespace translator {

struct Phrase {
  std::string_view english, chinese;
};

/// Templates with one hole "{}" and the fillers that fit all of them.
struct PhraseClass {
  std::string_view name;
  std::vector<Phrase> templates, fillers;
};

struct Phrasebook {
  std::vector<heed::SentencePair> training, held_out;
};

std::span<const Phrase> single_phrases();          // phrasebook_sentences.cpp
const std::vector<PhraseClass>& phrase_classes();  // phrasebook_templates.cpp

/// All pairs, always in the same order.
Phrasebook phrasebook();

/// The same as text, one pair per line: part, English, Chinese, and the template and filler it was made of.
std::string phrasebook_table();

}  // namespace translator
