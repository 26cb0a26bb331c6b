#pragma once
// Lines of a text file with their numbers, in constant memory: what the corpus, the vocabulary and a tool's standard
// input are read through.

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <heed/core/check.hpp>

namespace heed::inline HEED_ABI {

/// The longest line that a reader returns, in bytes.
inline constexpr Index max_line_bytes = Index{1} << 20;

/// Reads lines: a byte-order mark at the file's start is dropped once, CR LF ends a line as LF does (a lone CR is
/// text), and the last line needs no end. A line of more than max_line_bytes is reported and skipped, never held.
class LineReader {
 public:
  enum class Status { line, too_long, end };

  /// Opens a file. Throws std::system_error with the path.
  explicit LineReader(const std::string& path) : name_(path), file_(std::fopen(path.c_str(), "rb")) {
    if (file_ == nullptr) raise(std::system_error(errno, std::generic_category(), path));
    owned_.reset(file_);
  }
  /// Reads from an open stream, such as stdin, which stays the caller's; `name` stands for it in messages.
  LineReader(std::FILE* stream, std::string name) : name_(std::move(name)), file_(stream) {}

  /// Puts the next line, without its end, into `line`; after too_long `line` is empty and the next call reads on behind
  /// it. Throws std::system_error where reading fails (a folder, for instance).
  Status next(std::string& line) {
    line.clear();
    bool any = false, too_long = false;
    for (;;) {
      if (at_ == filled_ && !fill()) break;
      any = true;
      const std::string_view rest(buffer_.data() + at_, filled_ - at_);
      const std::size_t end = rest.find('\n');
      too_long = too_long || line.size() + rest.substr(0, end).size() > limit_with_end;
      if (too_long)
        line.clear();
      else
        line += rest.substr(0, end);
      at_ = end == rest.npos ? filled_ : at_ + end + 1;
      if (end != rest.npos) break;
    }
    if (!any) return Status::end;
    ++number_;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    too_long = too_long || static_cast<Index>(line.size()) > max_line_bytes;
    if (too_long) line.clear();
    return too_long ? Status::too_long : Status::line;
  }

  /// The number of the line that next() gave last; the first is 1.
  Index number() const { return number_; }
  const std::string& name() const { return name_; }
  /// "line 3"
  std::string place() const { return "line " + std::to_string(number_); }

 private:
  static constexpr std::size_t chunk = 1 << 16;
  static constexpr std::size_t limit_with_end = static_cast<std::size_t>(max_line_bytes) + 4;  // mark and CR

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  bool fill() {
    if (buffer_.empty()) buffer_.resize(chunk);
    errno = 0;
    at_ = filled_ = 0;
    if (std::feof(file_) != 0) return false;  // a terminal would want a second Ctrl-D
    filled_ = std::fread(buffer_.data(), 1, buffer_.size(), file_);
    if (filled_ == 0 && std::ferror(file_) != 0)
      raise(std::system_error(errno != 0 ? errno : EIO, std::generic_category(), name_));
    return filled_ > 0;
  }

  std::string name_;
  std::unique_ptr<std::FILE, Close> owned_;
  std::FILE* file_ = nullptr;
  std::vector<char> buffer_;
  std::size_t at_ = 0, filled_ = 0;
  Index number_ = 0;
};

}  // namespace heed::inline HEED_ABI
