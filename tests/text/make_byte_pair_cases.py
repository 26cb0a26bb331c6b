#!/usr/bin/env python3
"""Writes tests/text/byte_pair_cases.hpp: texts of our own, and what subword-nmt 0.3.8 learns from them and makes of them.

usage: make_byte_pair_cases.py > byte_pair_cases.hpp     (needs the subword-nmt package)"""
import io
import json
import sys
from importlib.metadata import version

from subword_nmt import apply_bpe, learn_bpe

assert version("subword-nmt") == "0.3.8"

TEXTS = {
    "english": (30, ["the slower the river the lower the boats", "she lowered the newest boat and the newer boats",
                     "lowest and slowest of the three rivers", "newly lower rivers slow the showers",
                     "a banana and a bandana in the savanna"]),
    "french": (25, ["l'été où l'eau était tiède", "où étais-tu hier été comme hiver", "la tiédeur de l'hiver était là",
                    "déjà là où était l'été"]),
    "chinese": (12, ["我们喝茶 我们喝水", "他们喝热水 你们喝茶", "喝茶的我们和喝水的他们", "热水热茶 热热的水"]),
    "overlaps": (12, ["aaaa aaaaa aaa aaaaaaa", "abababab ababa babab", "xxx xxxx @@ a@@ @ @@@@"]),
    "marks of others": (15, ["</w> a</w> b</w>b </w></w>", "#version: 0.2 </w>", "a</w>a a</w> a</w>"]),
}
UNSEEN = {
    "english": ["the slowest savannas lowered newer boats x", "thermal  rowers"],
    "french": ["où était-elle l'hiver déjà", "œuvre"],
    "chinese": ["我喝热茶 喝水的你们", "龙"],
    "overlaps": ["aaaaaaaaaaa ababababab xxxxxxx aab", "@@@"],
    "marks of others": ["a</w>b </w> w> </", "#version:"],
}
THRESHOLDS = (0, 2, 3)


def generated_lines():
    """Words over four letters: symbols that are made in several ways, and pairs that wait and return."""
    state, lines = 12345, []
    for _ in range(1500):
        words = []
        for _ in range(8):
            state = (state * 1103515245 + 12345) % 2**31
            length, letters = 1 + state // 65536 % 9, ""
            for _ in range(length):
                state = (state * 1103515245 + 12345) % 2**31
                letters += "aaabbcd"[state // 65536 % 7]
            words.append(letters)
        lines.append(" ".join(words))
    return lines


def learned(lines, merges):
    out, log = io.StringIO(), sys.stderr
    sys.stderr = io.StringIO()
    learn_bpe.learn_bpe(io.StringIO("".join(line + "\n" for line in lines)), out, merges)
    sys.stderr = log
    return out.getvalue()


def segmented(codes, lines, vocabulary=None):
    bpe = apply_bpe.BPE(io.StringIO(codes), vocab=vocabulary)
    return [bpe.segment(line) for line in lines]


def pieces_seen(lines, threshold):
    counts = {}
    for line in lines:
        for piece in line.split():
            counts[piece] = counts.get(piece, 0) + 1
    return {piece for piece in counts if counts[piece] >= threshold}


def fnv(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def texts(lines):
    return "{" + ", ".join(json.dumps(line, ensure_ascii=False) for line in lines) + "}"


print("""#pragma once
// Texts of our own, with what subword-nmt 0.3.8 learns from them and makes of them. Made by make_byte_pair_cases.py.
// clang-format off

#include <cstdint>
#include <string>
#include <vector>

namespace heed_test {

struct SegmentedExpected {
  std::int64_t threshold;  // 0: no vocabulary; else pieces of the training text seen so often
  std::vector<std::string> training, unseen;
};
struct BytePairCase {
  std::string name;
  std::int64_t merges;
  std::vector<std::string> training, unseen;
  std::string file;
  std::vector<SegmentedExpected> segmented;
};

inline const std::vector<BytePairCase>& byte_pair_cases() {
  static const std::vector<BytePairCase> cases = {""")
for name, (merges, lines) in TEXTS.items():
    codes = learned(lines, merges)
    plain = segmented(codes, lines)
    print("  {%s, %d,\n   %s,\n   %s,\n   %s,\n   {" % (json.dumps(name), merges, texts(lines), texts(UNSEEN[name]),
                                                        json.dumps(codes, ensure_ascii=False)))
    for threshold in THRESHOLDS:
        vocabulary = pieces_seen(plain, threshold) if threshold else None
        if threshold and not vocabulary:  # subword-nmt takes an empty vocabulary for none
            continue
        print("    {%d, %s,\n     %s}," % (threshold, texts(segmented(codes, lines, vocabulary)),
                                           texts(segmented(codes, UNSEEN[name], vocabulary))))
    print("   }},")
print("  };\n  return cases;\n}\n")
lines = generated_lines()
codes = learned(lines, 3000)
print("// Of the words that generated_lines() makes: merges asked for, lines of the file, FNV-1a of the file and of the text.")
print("inline constexpr std::int64_t generated_merges = 3000, generated_file_lines = %d;" % codes.count("\n"))
print("inline constexpr std::uint64_t generated_file_hash = 0x%016X, generated_text_hash = 0x%016X;"
      % (fnv(codes), fnv("".join(line + "\n" for line in segmented(codes, lines)))))
print("\n}  // namespace heed_test")
