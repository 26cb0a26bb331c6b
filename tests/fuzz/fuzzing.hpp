#pragma once
// What the fuzz targets share: a check that ends the run, a file in memory, and what every message must be.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <heed/text/utf8.hpp>

namespace heed_fuzz {

/// Ends the run, so that libFuzzer keeps the input.
inline void require(bool ok, std::string_view what) {
  if (ok) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A message of a refusal: one line of UTF-8 that obeys no terminal, and no longer than foreign text cut to 80 bytes
/// (shown with up to 8 bytes each) lets it be.
inline void require_message(std::string_view message) {
  require(!message.empty() && message.size() < 2000, "a message is short");
  require(!heed::find_invalid_utf8(message), "a message is UTF-8");
  for (const char c : message) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F, "a message is one line");
}

/// A regular file without a disk, for readers that take a path.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("fuzz", 0)), path_("/proc/self/fd/" + std::to_string(descriptor_)) {
    require(descriptor_ >= 0, "memfd_create works");
  }
  const std::string& holding(std::string_view bytes) {
    require(ftruncate(descriptor_, 0) == 0, "ftruncate works");
    require(pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()), "pwrite works");
    return path_;
  }

 private:
  int descriptor_;
  std::string path_;
};

}  // namespace heed_fuzz
