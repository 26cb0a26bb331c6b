#!/usr/bin/env python3
"""Writes include/heed/text/normalization_tables.hpp from Python's unicodedata, and with --cases what
tests/text/normalize_test.cpp compares with.   usage: make_normalization_tables.py [--cases]"""
import sys
import unicodedata

HANGUL = range(0xAC00, 0xD7A4)  # by arithmetic
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def wrapped(items):
    line, out = "   ", []
    for item in items:
        if len(line) + len(item) + 2 > 119:
            out.append(line)
            line = "   "
        line += " " + item + ","
    return "\n".join(out + [line.rstrip(",")])


def decompositions():
    """Runs (first, last, place, length): neighbours whose decompositions are as long, and all of these in a row."""
    runs, pool = [], []
    for c in CODES:
        text = unicodedata.normalize("NFKD", chr(c))
        if text == chr(c) or c in HANGUL:
            continue
        if runs and runs[-1][1] == c - 1 and runs[-1][3] == len(text):
            runs[-1][1] = c
        else:
            runs.append([c, c, len(pool), len(text)])
        pool += [ord(x) for x in text]
    return runs, pool


def combining_classes():
    runs = []
    for c in CODES:
        cls = unicodedata.combining(chr(c))
        if cls and runs and runs[-1][1] == c - 1 and runs[-1][2] == cls:
            runs[-1][1] = c
        elif cls:
            runs.append([c, c, cls])
    return runs


def compositions():
    """(first, second, composed), primary composites only."""
    out = []
    for c in CODES:
        parts = unicodedata.decomposition(chr(c))
        if parts and parts[0] != "<" and len(parts.split()) == 2 and unicodedata.normalize("NFC", chr(c)) == chr(c):
            out.append([int(x, 16) for x in parts.split()] + [c])
    return sorted(out)


def fnv(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def print_cases():
    nfkc = lambda text: unicodedata.normalize("NFKC", text)
    every = fnv("".join(nfkc(chr(c)) + " " for c in CODES))
    state, value, odd = 12345, "", [ord(x) for x in
        "a\u00e9\u0301\u0323\u0327\u0345\u1100\u1161\u11a8\uac00\u0344\u1e9b\uff76\uff9e\u0f71\u0f73\u3099\u304b\u212b\u0958"]
    for _ in range(20000):
        state = (state * 1103515245 + 12345) % 2**31
        value += chr(odd[state // 65536 % len(odd)])
    print("all code points 0x%016X, mixture 0x%016X" % (every, fnv(nfkc(value))))


if "--cases" in sys.argv:
    print_cases()
    sys.exit()
runs, pool = decompositions()
classes, pairs = combining_classes(), compositions()
print("""#pragma once
// Unicode's compatibility decompositions, combining classes and compositions as tables; heed/text/normalize.hpp applies
// them. Made by tests/text/make_normalization_tables.py with Python %d.%d (Unicode %s).
// clang-format off

#include <array>
#include <cstdint>

#include <heed/core/abi.hpp>

namespace heed::inline HEED_ABI {
namespace unicode_tables {

/// Code points from first to last decompose into `length` code points each, one after the other from decomposed[place].
struct DecompositionRun {
  char32_t first, last;
  std::uint16_t place, length;
};
inline constexpr std::array<DecompositionRun, %d> decompositions{{""" % (sys.version_info[0], sys.version_info[1],
                                                                unicodedata.unidata_version, len(runs)))
print(wrapped("{0x%X, 0x%X, %d, %d}" % tuple(r) for r in runs) + "}};")
print("\ninline constexpr std::array<char32_t, %d> decomposed{" % len(pool))
print(wrapped("0x%X" % c for c in pool) + "};")
print("""
/// Code points from first to last have this canonical combining class; all others have 0.
struct CombiningRun {
  char32_t first, last;
  std::uint8_t combining_class;
};
inline constexpr std::array<CombiningRun, %d> combining{{""" % len(classes))
print(wrapped("{0x%X, 0x%X, %d}" % tuple(r) for r in classes) + "}};")
print("""
/// Two code points that become one, sorted by both; primary composites only.
struct Composition {
  char32_t first, second, composed;
};
inline constexpr std::array<Composition, %d> compositions{{""" % len(pairs))
print(wrapped("{0x%X, 0x%X, 0x%X}" % tuple(p) for p in pairs) + "}};")
print("\n}  // namespace unicode_tables\n}  // namespace heed::inline HEED_ABI")
