#!/usr/bin/env python3
"""Writes include/heed/text/unicode_tables.hpp.   usage: make_unicode_tables.py > unicode_tables.hpp

Needs the `regex` package, whose \\p{P}, \\p{S} and \\p{N} are the ones that sacreBLEU's `intl` tokenizer means; everything
else comes from Python's own str and unicodedata."""
import sys
import unicodedata

import regex

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def boundaries(member):
    """Sorted code points at which membership changes: an inversion list."""
    inside, out = False, []
    for c in CODES + [0x110000]:
        now = c < 0x110000 and member(chr(c))
        if now != inside:
            out.append(c)
            inside = now
    return out


def lower_runs():
    """(first, last, step, delta): every step-th code point from first to last has lower case code + delta."""
    runs = []
    for c in CODES:
        low = chr(c).lower()
        if low == chr(c) or len(low) != 1:
            continue
        delta = ord(low) - c
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            if c - last in (1, 2) and (first == last or step == c - last):
                runs[-1] = (first, c, c - last, delta)
                continue
        runs.append((c, c, 1, delta))
    return runs


def wrapped(items):
    line, out = "   ", []
    for item in items:
        if len(line) + len(item) + 2 > 119:
            out.append(line)
            line = "   "
        line += " " + item + ","
    return "\n".join(out + [line.rstrip(",")])


def table(name, comment, member):
    b = boundaries(member)
    print("// %s\ninline constexpr std::array<char32_t, %d> %s{" % (comment, len(b), name))
    print(wrapped("0x%X" % c for c in b) + "};\n")


def ends_in_final_sigma(text):
    return (text + "\u03a3").lower().endswith("\u03c2")


def cased(ch):
    return ends_in_final_sigma(ch)


def case_ignorable(ch):
    return ends_in_final_sigma("A" + ch) and not ends_in_final_sigma(ch)


print("""#pragma once
// Character classes of Unicode as tables; heed/text/unicode.hpp asks them. Made by tests/text/make_unicode_tables.py
// with Python %d.%d (Unicode %s); punctuation, symbols and numbers by its regex package %s, which knows
// the characters of Unicode 17 too and gives those of Unicode 14 the same classes.
// clang-format off
//
// Classes are inversion lists: sorted code points at which membership changes, the first one a member.

#include <array>

#include <heed/core/abi.hpp>

namespace heed::inline HEED_ABI {
namespace unicode_tables {
""" % (sys.version_info[0], sys.version_info[1], unicodedata.unidata_version, regex.__version__))
table("word", r"\w of Python's re: letters (L), numbers (N) and the underscore.", lambda c: c.isalnum() or c == "_")
table("space", r"\s of Python's re, what str.split() cuts at.", str.isspace)
table("punctuation", r"\p{P}", lambda c: regex.match(r"\p{P}", c) is not None)
table("symbol", r"\p{S}", lambda c: regex.match(r"\p{S}", c) is not None)
table("number", r"\p{N}", lambda c: regex.match(r"\p{N}", c) is not None)
table("cased", "Cased and not case-ignorable: decides which lower case a capital sigma has.", cased)
table("case_ignorable", "Case_Ignorable: skipped when that is decided.", case_ignorable)
runs = lower_runs()
print("""/// Every step-th code point from first to last has the lower case code + delta.
struct LowerRun {
  char32_t first, last;
  int step, delta;
};
inline constexpr std::array<LowerRun, %d> lower{{""" % len(runs))
print(wrapped("{0x%X, 0x%X, %d, %d}" % r for r in runs) + "}};\n")
print("}  // namespace unicode_tables\n}  // namespace heed::inline HEED_ABI")
