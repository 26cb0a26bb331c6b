#include "phrasebook.hpp"

#include <cctype>

namespace translator {
namespace {

std::string fill(std::string_view pattern, std::string_view filler) {
  const std::size_t hole = pattern.find("{}");
  return std::string(pattern.substr(0, hole)).append(filler).append(pattern.substr(hole + 2));
}

std::string capitalised(std::string sentence) {
  sentence.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence.front())));
  return sentence;
}

// One filler per template, moving on from template to template, so that no filler loses more than its share.
bool is_held_out(std::size_t template_index, std::size_t filler_index, std::size_t fillers) {
  return filler_index == (5 * template_index + 2) % fillers;
}

enum class Part { training, held_out };

/// Calls f(part, pair, template, filler) for every pair; single sentences have neither template nor filler.
template <class F>
void for_each_pair(F&& f) {
  for (const Phrase& phrase : single_phrases()) {
    f(Part::training, heed::SentencePair{std::string(phrase.english), std::string(phrase.chinese), 0}, Phrase{},
      Phrase{});
  }
  for (const PhraseClass& kind : phrase_classes()) {
    for (std::size_t t = 0; t < kind.templates.size(); ++t) {
      for (std::size_t i = 0; i < kind.fillers.size(); ++i) {
        const Phrase &pattern = kind.templates[t], &filler = kind.fillers[i];
        const Part part = is_held_out(t, i, kind.fillers.size()) ? Part::held_out : Part::training;
        f(part,
          heed::SentencePair{capitalised(fill(pattern.english, filler.english)), fill(pattern.chinese, filler.chinese),
                             0},
          pattern, filler);
      }
    }
  }
}

}  // namespace

Phrasebook phrasebook() {
  Phrasebook book;
  for_each_pair([&](Part part, heed::SentencePair pair, const Phrase&, const Phrase&) {
    (part == Part::held_out ? book.held_out : book.training).push_back(std::move(pair));
  });
  return book;
}

std::string phrasebook_table() {
  std::string table = "part\tenglish\tchinese\ttemplate\tfiller\n";
  for_each_pair([&](Part part, const heed::SentencePair& pair, const Phrase& pattern, const Phrase& filler) {
    table += part == Part::held_out ? "held out" : "training";
    for (const std::string_view text :
         {std::string_view(pair.source), std::string_view(pair.target), pattern.english, filler.english}) {
      (table += '\t') += text;
    }
    table += '\n';
  });
  return table;
}

}  // namespace translator
