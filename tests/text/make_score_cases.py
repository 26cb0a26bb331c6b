#!/usr/bin/env python3
"""Writes tests/text/score_cases.hpp: sentences of our own and what sacreBLEU 2.6.0 gives them.

usage: make_score_cases.py > score_cases.hpp     (needs the sacrebleu package)"""
import json
import logging

import sacrebleu
from sacrebleu.metrics import BLEU, CHRF, TER

logging.disable(logging.CRITICAL)
assert sacrebleu.__version__ == "2.6.0"

CASES = {
    "english": (
        ["The kettle is boiling on the stove.", "We paid $3,450.75 (about 12% more) in 2019-2020.",
         "\"Don't wait,\" she said; nobody's coming.", "Rain fell all night long and all night long fell rain."],
        [["The kettle boils on the stove.", "We paid $3,450.75, some 12% more, in 2019-20.",
          "\"Do not wait\", she said. Nobody is coming.", "All night long rain fell and rain fell all night long."]]),
    "french, two references": (
        ["L'été, la mer est tiède.", "Où est-ce que vous allez ?", "ÉCOUTEZ LA PLUIE tomber"],
        [["En été, la mer est tiède.", "Où allez-vous ?", "Écoutez la pluie tomber."],
         ["L'eau de mer est tiède l'été.", "Vous allez où ?", "Entends-tu tomber la pluie ?"]]),
    "chinese": (
        ["水在炉子上烧开了。", "我们付了3450.75元，多了12%。", "“别等了，”她说。", "下了一整夜的雨"],
        [["炉子上的水烧开了。", "我们付了 3,450.75 元（约多 12%）。", "她说：“别等了。”", "雨下了一整夜。"]]),
    "odd lines": (
        ["", "Go", "a b", "same same same same same", "  spaced   out\u3000words ", "", "Tom &amp; Ann &lt;3 .5 ..7"],
        [["Nothing was said.", "Go", "b a", "same", "spaced out words", "", "Tom & Ann <3 .5 . . 7"]]),
    "scripts": (
        ["ΟΔΟΣ και Σοφία", "Straße – 10 €/kg", "日本語テスト・（仮）", "naïve cafe\u0301 ½ → ¾", "I❤️NY 😀!"],
        [["Οδός και σοφία", "Strasse - 10€ / kg", "日本語のテスト（仮）。", "naïve café ½ → 3/4", "I ❤️ NY 😀."]]),
}


def text(s):
    """A C++ literal; code points beyond ASCII stay as they are."""
    return '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'


def texts(items):
    return "{" + ", ".join(text(i) for i in items) + "}"


def numbers(items):
    return "{" + ", ".join(repr(float(i)) for i in items) + "}"


def flag(value):
    return "true" if value else "false"


def sentences(metric, hyp, refs):
    return numbers(metric.sentence_score(h, [r[i] for r in refs]).score for i, h in enumerate(hyp))


print("""#pragma once
// Sentences of our own with their scores by sacreBLEU 2.6.0. Made by make_score_cases.py.
// clang-format off

#include <string>
#include <vector>

namespace heed_test {

struct BleuExpected {
  std::string tokenizer, smoothing;
  bool lowercase, effective_order;
  double score, brevity_penalty;
  std::vector<double> counts, totals, precisions, sentence_scores;
  std::string signature;
};
struct ChrfExpected {
  int char_order, word_order, beta;
  bool lowercase, whitespace, eps_smoothing;
  double score;
  std::vector<double> sentence_scores;
  std::string signature;
};
struct TerExpected {
  bool normalized, no_punct, asian_support, case_sensitive;
  double score;
  std::vector<double> sentence_scores;
  std::string signature;
};
struct TokenizedExpected {
  std::string tokenizer;
  std::vector<std::string> lines;  // of the hypotheses
};
struct ScoreCase {
  std::string name;
  std::vector<std::string> hypotheses;
  std::vector<std::vector<std::string>> references;
  std::vector<TokenizedExpected> tokenized;
  std::vector<BleuExpected> bleu;
  std::vector<ChrfExpected> chrf;
  std::vector<TerExpected> ter;
};

inline const std::vector<ScoreCase>& score_cases() {
  static const std::vector<ScoreCase> cases = {""")
for name, (hyp, refs) in CASES.items():
    print("  {%s,\n   %s,\n   {%s},\n   {" % (text(name), texts(hyp), ",\n    ".join(texts(r) for r in refs)))
    for tok in ("13a", "intl", "zh", "char", "none"):
        tokenizer = BLEU(tokenize=tok).tokenizer
        print("    {%s, %s}," % (text(tok), texts(tokenizer(h.rstrip()) for h in hyp)))
    print("   },\n   {")
    choices = [(t, "exp", False, True) for t in ("13a", "intl", "zh", "char", "none")]
    choices += [("13a", s, False, False) for s in ("none", "floor", "add-k", "exp")] + [("intl", "exp", True, False)]
    for tok, smooth, lower, eff in choices:
        m = BLEU(tokenize=tok, smooth_method=smooth, lowercase=lower, effective_order=eff)
        r = m.corpus_score(hyp, refs)
        print("    {%s, %s, %s, %s, %r, %r, %s, %s, %s, %s, %s}," % (
            text(tok), text(smooth), flag(lower), flag(eff), r.score, r.bp, numbers(r.counts), numbers(r.totals),
            numbers(r.precisions), sentences(m, hyp, refs), text(str(m.get_signature()))))
    print("   },\n   {")
    for kw in ({}, {"word_order": 2}, {"beta": 1, "char_order": 4}, {"whitespace": True}, {"lowercase": True},
               {"word_order": 1, "eps_smoothing": True}):
        m = CHRF(**kw)
        r = m.corpus_score(hyp, refs)
        print("    {%d, %d, %d, %s, %s, %s, %r, %s, %s}," % (
            m.char_order, m.word_order, m.beta, flag(m.lowercase), flag(m.whitespace), flag(m.eps_smoothing), r.score,
            sentences(m, hyp, refs), text(str(m.get_signature()))))
    print("   },\n   {")
    for kw in ({}, {"normalized": True}, {"normalized": True, "asian_support": True},
               {"no_punct": True, "asian_support": True, "case_sensitive": True}):
        m = TER(**kw)
        r = m.corpus_score(hyp, refs)
        print("    {%s, %s, %s, %s, %r, %s, %s}," % (
            flag(m.normalized), flag(m.no_punct), flag(m.asian_support), flag(m.case_sensitive), float(r.score),
            sentences(m, hyp, refs), text(str(m.get_signature()))))
    print("   }},")
print("  };\n  return cases;\n}\n\n}  // namespace heed_test")
