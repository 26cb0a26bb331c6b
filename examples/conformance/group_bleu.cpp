// bleu: BLEU, chrF, chrF++ and TER of lines, and the lines as the tokenizers cut them.

#include <set>

#include <heed/text/bleu.hpp>
#include <heed/text/chrf.hpp>
#include <heed/text/ter.hpp>

#include "registry.hpp"

namespace conformance {
namespace {

using heed::json_field;
using nlohmann::json;

/// A field that no line below compares fails the case.
void check_fields(const json& object, const std::set<std::string>& known, const std::string& what) {
  for (const auto& entry : object.items()) {
    if (!known.contains(entry.key())) throw Mismatch(what + ": the field " + entry.key() + " was left uncompared");
  }
}

struct Lines {
  std::vector<std::string> hypotheses;
  heed::References references;

  std::vector<std::string> references_of(std::size_t line) const {
    std::vector<std::string> all;
    for (const auto& reference : references) all.push_back(reference.at(line));
    return all;
  }
};

/// Compares a list of numbers entry by entry.
template <class Numbers>
void compare_all(Case& golden, const std::string& what, const Numbers& found, const json& wanted) {
  if (found.size() != wanted.size()) throw Mismatch(what + " has " + std::to_string(found.size()) + " entries");
  for (std::size_t i = 0; i < found.size(); ++i) {
    golden.answer_expected(what + '[' + std::to_string(i) + ']', static_cast<double>(found[i]),
                           wanted[i].get<double>());
  }
}

heed::BleuOptions bleu_options(const json& entry, const std::string& place) {
  heed::BleuOptions options;
  options.tokenizer = heed::bleu_tokenizer_from_name(json_field<std::string>(entry, "tokenize", place));
  options.smoothing = heed::bleu_smoothing_from_name(json_field<std::string>(entry, "smooth_method", place));
  if (entry.contains("smooth_value") && !entry["smooth_value"].is_null()) options.smooth_value = entry["smooth_value"];
  options.lowercase = entry.value("lowercase", false);
  options.effective_order = entry.value("effective_order", false);
  return options;
}

void compare_corpus_bleu(Case& golden, const Lines& lines, const json& entry, const std::string& what) {
  check_fields(entry,
               {"tokenize", "smooth_method", "smooth_value", "lowercase", "score", "counts", "totals", "precisions",
                "bp", "sys_len", "ref_len", "signature"},
               what);
  const heed::BleuOptions options = bleu_options(entry, what);
  const heed::BleuScore found = heed::corpus_bleu(lines.hypotheses, lines.references, options);
  golden.answer_expected(what + ".score", found.score, entry.at("score"));
  compare_all(golden, what + ".counts", found.counts, entry.at("counts"));
  compare_all(golden, what + ".totals", found.totals, entry.at("totals"));
  compare_all(golden, what + ".precisions", found.precisions, entry.at("precisions"));
  golden.answer_expected(what + ".bp", found.brevity_penalty, entry.at("bp"));
  golden.answer_expected(what + ".sys_len", static_cast<double>(found.hypothesis_length), entry.at("sys_len"));
  golden.answer_expected(what + ".ref_len", static_cast<double>(found.reference_length), entry.at("ref_len"));
  golden.answer_text(what + ".signature", heed::bleu_signature(options, static_cast<Index>(lines.references.size())),
                     entry.at("signature").get<std::string>());
}

void compare_sentence_bleu(Case& golden, const Lines& lines, const json& entry, const std::string& what) {
  check_fields(entry, {"tokenize", "smooth_method", "effective_order", "scores"}, what);
  std::vector<double> scores;
  for (std::size_t i = 0; i < lines.hypotheses.size(); ++i) {
    scores.push_back(heed::sentence_bleu(lines.hypotheses[i], lines.references_of(i), bleu_options(entry, what)).score);
  }
  compare_all(golden, what + ".scores", scores, entry.at("scores"));
}

void compare_chrf(Case& golden, const Lines& lines, const json& entry, const std::string& what) {
  check_fields(
      entry,
      {"char_order", "word_order", "beta", "whitespace", "lowercase", "eps_smoothing", "score", "sentence_scores"},
      what);
  const heed::ChrfOptions options{.char_order = entry.at("char_order").get<Index>(),
                                  .word_order = entry.at("word_order").get<Index>(),
                                  .beta = entry.at("beta").get<Index>(),
                                  .lowercase = entry.at("lowercase").get<bool>(),
                                  .whitespace = entry.at("whitespace").get<bool>(),
                                  .eps_smoothing = entry.at("eps_smoothing").get<bool>()};
  golden.answer_expected(what + ".score", heed::corpus_chrf(lines.hypotheses, lines.references, options),
                         entry.at("score"));
  std::vector<double> scores;
  for (std::size_t i = 0; i < lines.hypotheses.size(); ++i) {
    scores.push_back(heed::sentence_chrf(lines.hypotheses[i], lines.references_of(i), options));
  }
  compare_all(golden, what + ".sentence_scores", scores, entry.at("sentence_scores"));
}

void compare_ter(Case& golden, const Lines& lines, const json& entry, const std::string& what) {
  check_fields(entry, {"normalized", "asian_support", "no_punct", "case_sensitive", "score"}, what);
  const heed::TerOptions options{.normalized = entry.value("normalized", false),
                                 .no_punct = entry.value("no_punct", false),
                                 .asian_support = entry.value("asian_support", false),
                                 .case_sensitive = entry.value("case_sensitive", false)};
  golden.answer_expected(what + ".score", heed::corpus_ter(lines.hypotheses, lines.references, options),
                         entry.at("score"));
}

void compare_tokenized(Case& golden, const Lines& lines, const std::string& name, const json& wanted) {
  check_fields(wanted, {"hyp", "refs"}, "tokenized." + name);
  const heed::BleuTokenizer tokenizer = heed::bleu_tokenizer_from_name(name);
  const auto compare = [&](const std::vector<std::string>& texts, const json& expected, const std::string& what) {
    if (texts.size() != expected.size()) throw Mismatch(what + " has " + std::to_string(expected.size()) + " lines");
    for (std::size_t i = 0; i < texts.size(); ++i) {
      golden.answer_text(what + '[' + std::to_string(i) + ']',
                         heed::bleu_tokenize(tokenizer, heed::without_trailing_space(texts[i])),
                         expected[i].get<std::string>());
    }
  };
  compare(lines.hypotheses, wanted.at("hyp"), "tokenized." + name + ".hyp");
  for (std::size_t r = 0; r < lines.references.size(); ++r) {
    compare(lines.references[r], wanted.at("refs").at(r), "tokenized." + name + ".refs[" + std::to_string(r) + ']');
  }
}

void run_bleu(Case& golden) {
  const json& data = golden.json();
  check_fields(data,
               {"id", "group", "op", "framework", "dtype", "description", "language", "hyp", "refs", "tolerance",
                "tokenized", "bleu_corpus", "bleu_sentence", "chrf", "ter"},
               "the case");
  const Lines lines{json_field<std::vector<std::string>>(data, "hyp", golden.id()),
                    json_field<heed::References>(data, "refs", golden.id())};
  for (const auto& [name, wanted] : data.at("tokenized").items()) compare_tokenized(golden, lines, name, wanted);
  const auto each = [&](const char* list, auto compare) {
    for (std::size_t i = 0; i < data.at(list).size(); ++i) {
      compare(golden, lines, data[list][i], std::string(list) + '[' + std::to_string(i) + ']');
    }
  };
  each("bleu_corpus", compare_corpus_bleu);
  each("bleu_sentence", compare_sentence_bleu);
  each("chrf", compare_chrf);
  each("ter", compare_ter);
}

}  // namespace

void add_bleu(Registry& registry) { registry.add("BLEU / chrF / TER", run_bleu); }

}  // namespace conformance
