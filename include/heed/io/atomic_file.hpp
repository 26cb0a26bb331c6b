#pragma once
// Files that are replaced as a whole or not at all: temp file in the same folder, full write, fsync, rename, fsync of
// the folder. Whoever reads the path finds the old file or the new one, whatever is killed and whenever the disk is
// full.

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

inline constexpr std::string_view temp_prefix = ".heed-tmp-";  // then <pid>-<count>-<name>
inline constexpr std::time_t fresh_seconds = 60;               // a temp this young may not be locked yet

/// The process that wrote a temp file, from its name; 0 for any other file.
inline pid_t temp_owner(std::string_view name) {
  if (!name.starts_with(temp_prefix)) return 0;
  name.remove_prefix(temp_prefix.size());
  pid_t owner = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), owner);
  const bool complete = error == std::errc{} && end < name.data() + name.size() && *end == '-';
  return complete && owner > 0 ? owner : 0;
}

/// Removes a temp file whose writer is gone. A writer holds a lock from its first to its last byte, so a free lock and
/// a dead process (or, as process numbers come back and differ between containers, an old file) mean that nobody
/// writes it.
inline void remove_if_abandoned(const std::filesystem::path& path, pid_t owner) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return;
  struct stat status {};
  const bool unlocked = ::flock(file, LOCK_EX | LOCK_NB) == 0 && ::fstat(file, &status) == 0;
  const bool dead = ::kill(owner, 0) != 0 && errno == ESRCH;
  if (unlocked && (dead || std::time(nullptr) - status.st_mtime > fresh_seconds)) ::unlink(path.c_str());
  ::close(file);
}

/// Removes the temp files that killed processes left in a folder.
inline void remove_abandoned_temps(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (std::filesystem::directory_iterator at(folder, ignored), end; !ignored && at != end; at.increment(ignored)) {
    if (const pid_t owner = temp_owner(at->path().filename().string()); owner != 0)
      remove_if_abandoned(at->path(), owner);
  }
}

}  // namespace detail

/// A file being written beside `path`, which commit() puts in its place. Without a commit nothing remains of it.
/// Any number of processes may write one path at once: each file is whole, the last commit wins.
class AtomicFile {
 public:
  /// Creates the temp file; removes those of killed processes. Throws std::system_error with the path: the folder is
  /// missing or not writable, or the path is a folder, pipe or device.
  explicit AtomicFile(const std::filesystem::path& path) : target_(path) {
    std::error_code error;
    if (std::filesystem::is_symlink(path, error)) target_ = std::filesystem::weakly_canonical(path);
    struct stat status {};
    const bool exists = ::stat(target_.c_str(), &status) == 0;
    if (exists && !S_ISREG(status.st_mode)) {
      if (S_ISDIR(status.st_mode)) fail_with(EISDIR);
      fail_with(EINVAL, "not a regular file: ");
    }
    folder_ = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    detail::remove_abandoned_temps(folder_);
    create();
    if (exists) static_cast<void>(::fchmod(descriptor_, status.st_mode & 07777U));
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() { discard(); }

  /// Appends bytes. Throws std::system_error (disk full, file size limit); the temp file goes with this object.
  void write(const void* bytes, std::size_t count) {
    const char* at = static_cast<const char*>(bytes);
    while (count > 0) {
      const ssize_t written = ::write(descriptor_, at, count);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail_with(written < 0 ? errno : EIO);
      at += written;
      count -= static_cast<std::size_t>(written);
    }
  }
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Makes the file durable and puts it at its path, over what was there.
  void commit() {
    if (::fsync(descriptor_) != 0) fail_with(errno);
    if (::rename(temp_.c_str(), target_.c_str()) != 0) fail_with(errno);
    temp_.clear();
    if (::close(std::exchange(descriptor_, -1)) != 0) fail_with(errno);
    const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;  // a folder may be writable and not readable: the file is in place all the same
    const int code = ::fsync(folder) == 0 ? 0 : errno;
    ::close(folder);
    if (code != 0 && code != EINVAL && code != ENOTSUP) fail_with(code);
  }

 private:
  void create() {
    static std::atomic<std::uint64_t> counter{0};
    const std::string name = target_.filename().string().substr(0, 180);  // file names end at 255 bytes
    do {
      temp_ = folder_ / (std::string(detail::temp_prefix) + std::to_string(::getpid()) + '-' +
                         std::to_string(counter++) + '-' + name);
      descriptor_ = ::open(temp_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
    if (descriptor_ < 0) {
      temp_.clear();
      fail_with(errno);
    }
    static_cast<void>(::flock(descriptor_, LOCK_EX));  // best effort: some file systems have no locks
  }
  void discard() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    if (!temp_.empty()) ::unlink(temp_.c_str());
    temp_.clear();
  }
  [[noreturn]] void fail_with(int code, const char* reason = "cannot write ") {
    discard();
    raise(std::system_error(code, std::generic_category(), reason + quote(target_.string())));
  }

  std::filesystem::path target_, folder_, temp_;
  int descriptor_ = -1;
};

/// Replaces the content of `path` as a whole.
inline void write_file(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

/// Finds out before long work whether `path` can be written at its end: creates and removes a temp file in its folder.
/// Throws std::system_error with the path and the reason. The path itself is not touched.
inline void check_writable(const std::filesystem::path& path) { AtomicFile probe(path); }

}  // namespace heed::inline HEED_ABI
