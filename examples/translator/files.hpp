#pragma once
// Text files of lines, and checks on paths before long work.

#include <string>
#include <vector>

#include "options.hpp"

namespace translator {

/// The lines of a file, or of standard input for "-"; CR LF and a byte-order mark are dropped. Throws heed::FormatError
/// with file and line for lines that are too long, binary or not UTF-8; std::system_error.
std::vector<std::string> read_lines(const std::string& path);

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
