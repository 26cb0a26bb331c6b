#include "files.hpp"

#include <cstdio>
#include <filesystem>
#include <system_error>

#include <heed/core/quote.hpp>
#include <heed/io/atomic_file.hpp>
#include <heed/text/line_reader.hpp>
#include <heed/text/utf8.hpp>

namespace translator {

std::vector<std::string> read_lines(const std::string& path) {
  heed::LineReader reader = path == "-" ? heed::LineReader(stdin, "standard input") : heed::LineReader(path);
  std::vector<std::string> lines;
  std::string line;
  using Status = heed::LineReader::Status;
  for (Status status = reader.next(line); status != Status::end; status = reader.next(line)) {
    if (status == Status::too_long) {
      throw heed::FormatError(reader.name(), reader.place(),
                              "more than " + std::to_string(heed::max_line_bytes) + " bytes");
    }
    if (const auto invalid = heed::find_invalid_utf8(line)) {
      throw heed::FormatError(
          reader.name(), reader.place(),
          "not UTF-8: " + std::string(invalid->reason) + " at byte " + std::to_string(invalid->byte));
    }
    lines.push_back(line);
  }
  return lines;
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
