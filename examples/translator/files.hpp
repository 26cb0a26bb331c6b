#pragma once
// Text files of lines, and checks on paths before long work.

#include <string>
#include <string_view>
#include <vector>

#include "options.hpp"

namespace translator {

/// The lines of a file, or of standard input for "-"; CR LF and a byte-order mark are dropped. Bytes that are no UTF-8
/// are replaced where `bad_bytes` says so, with a warning that counts the lines. Throws heed::FormatError with file and
/// line for lines that are too long, binary or not UTF-8; std::system_error.
std::vector<std::string> read_lines(const std::string& path, heed::InvalidUtf8 bad_bytes);

/// What keeps a line from being a sentence (a NUL, bytes that are no UTF-8); empty for a good one.
std::string line_problem(std::string_view line);

/// heed::read_pairs, and a warning for everything that a user should know about the file.
heed::ParallelText read_corpus(const std::string& path, const BadText& bad);

/// Refuses (UsageError) when an output is one of the inputs; (std::system_error) when its folder is missing or
/// read-only; (std::runtime_error) when it exists and may not be replaced.
struct OutputCheck {
  const char* option;
  const std::string& path;
  ExistingFile existing = ExistingFile::replace;
};
struct InputFile {
  const char* option;
  const std::string& path;
};
void check_output(const OutputCheck& output, const std::vector<InputFile>& inputs);

}  // namespace translator
