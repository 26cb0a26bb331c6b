#include "files.hpp"

#include <cstdio>
#include <filesystem>
#include <system_error>

#include <heed/core/quote.hpp>
#include <heed/io/atomic_file.hpp>
#include <heed/text/line_reader.hpp>
#include <heed/text/utf8.hpp>

#include "console.hpp"

namespace translator {

std::string line_problem(std::string_view line) {
  if (const std::size_t nul = line.find('\0'); nul != line.npos) {
    return "NUL at byte " + std::to_string(nul) + "; is this a binary file?";
  }
  const auto invalid = heed::find_invalid_utf8(line);
  if (!invalid) return {};
  return "not UTF-8: " + std::string(invalid->reason) + " at byte " + std::to_string(invalid->byte);
}

std::vector<std::string> read_lines(const std::string& path, heed::InvalidUtf8 bad_bytes) {
  heed::LineReader reader = path == "-" ? heed::LineReader(stdin, "standard input") : heed::LineReader(path);
  std::vector<std::string> lines;
  std::string line;
  long long replaced = 0;
  using Status = heed::LineReader::Status;
  for (Status status = reader.next(line); status != Status::end; status = reader.next(line)) {
    if (status == Status::too_long) {
      throw heed::FormatError(reader.name(), reader.place(),
                              "more than " + std::to_string(heed::max_line_bytes) + " bytes");
    }
    if (bad_bytes == heed::InvalidUtf8::replace && heed::find_invalid_utf8(line)) {
      line = heed::replace_invalid_utf8(line);
      ++replaced;
    }
    if (const std::string problem = line_problem(line); !problem.empty()) {
      throw heed::FormatError(reader.name(), reader.place(), problem);
    }
    lines.push_back(line);
  }
  if (replaced > 0) print_warning(reader.name() + ": U+FFFD put for bad bytes in " + counted(replaced, "line"));
  return lines;
}

heed::ParallelText read_corpus(const std::string& path, const BadText& bad) {
  heed::ParallelText text = heed::read_pairs(path, {.bad_line = bad.lines, .invalid_utf8 = bad.bytes});
  const std::string file = heed::quote(path) + ": ";
  if (text.skipped > 0) print_warning(file + counted(text.skipped, "bad line") + " left out");
  if (text.replaced > 0) print_warning(file + "U+FFFD put for bad bytes in " + counted(text.replaced, "line"));
  if (text.identical > 0) print_warning(file + "same text on both sides of " + counted(text.identical, "pair"));
  return text;
}

void check_output(const OutputCheck& output, const std::vector<InputFile>& inputs) {
  if (output.path.empty()) return;
  std::error_code ignored;
  for (const InputFile& input : inputs) {
    const bool same = output.path == input.path || std::filesystem::equivalent(output.path, input.path, ignored);
    if (!input.path.empty() && same) {
      throw UsageError(std::string(output.option) + " and " + input.option + " are the same file, " +
                       heed::quote(output.path));
    }
  }
  if (output.existing == ExistingFile::refuse && std::filesystem::exists(output.path, ignored)) {
    throw std::runtime_error(heed::quote(output.path) + " exists and --no-clobber keeps it");
  }
  heed::check_writable(output.path);
}

}  // namespace translator
