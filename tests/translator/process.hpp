#pragma once
// Runs heed-translate as a user does: arguments, standard input, an environment, and what comes back.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace translator_testing {

namespace fs = std::filesystem;

/// A folder that goes with the test.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (fs::temp_directory_path() / "heed-translator-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    fs::permissions(path_, fs::perms::owner_all, ignored);
    fs::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const fs::path& path() const { return path_; }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(path_)) found.push_back(entry.path().filename().string());
    return found;
  }

 private:
  fs::path path_;
};

inline std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write_all(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

struct Outcome {
  int exit_code = -1;  ///< 128 + signal for a killed process
  std::string out, err;
};

struct RunOptions {
  std::string input = {};
  std::vector<std::string> environment = {};  ///< "NAME=value"
  rlim_t file_size_limit = RLIM_INFINITY, memory_limit = RLIM_INFINITY;
};

/// A started process. Its output is read by wait(), so it must not write more than a pipe holds before that.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments, const RunOptions& options = {}) {
    std::array<int, 2> in{}, out{}, err{};
    if (pipe(in.data()) != 0 || pipe(out.data()) != 0 || pipe(err.data()) != 0) std::abort();
    id_ = fork();
    if (id_ == 0) {
      dup2(in[0], 0), dup2(out[1], 1), dup2(err[1], 2);
      for (const int end : {in[0], in[1], out[0], out[1], err[0], err[1]}) close(end);
      execute(arguments, options);
    }
    close(in[0]), close(out[1]), close(err[1]);
    in_ = in[1], out_ = out[0], err_ = err[0];
    input_ = options.input;
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (id_ > 0) kill(id_, SIGKILL), waitpid(id_, nullptr, 0);
    for (const int end : {in_, out_, err_}) {
      if (end >= 0) close(end);
    }
  }

  void signal(int number) const { kill(id_, number); }
  void close_output() { close(std::exchange(out_, -1)); }

  /// Waits until standard output holds `text`, at most this long.
  bool wait_for_output(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (result_.out.find(text) == std::string::npos && std::chrono::steady_clock::now() < end) {
      if (!read_some(100)) break;
    }
    return result_.out.find(text) != std::string::npos;
  }

  Outcome wait() {
    while (read_some(1000)) {
    }
    int status = 0;
    waitpid(std::exchange(id_, -1), &status, 0);
    result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result_;
  }

 private:
  [[noreturn]] static void execute(const std::vector<std::string>& arguments, const RunOptions& options) {
    ::signal(SIGPIPE, SIG_DFL);
    for (const std::string& entry : options.environment) {
      setenv(entry.substr(0, entry.find('=')).c_str(), entry.substr(entry.find('=') + 1).c_str(), 1);
    }
    const rlimit limit{options.file_size_limit, options.file_size_limit};
    if (options.file_size_limit != RLIM_INFINITY) setrlimit(RLIMIT_FSIZE, &limit);
    const rlimit memory{options.memory_limit, options.memory_limit};
    if (options.memory_limit != RLIM_INFINITY) setrlimit(RLIMIT_AS, &memory);
    std::vector<char*> argv{const_cast<char*>(HEED_TRANSLATE_BINARY)};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv(HEED_TRANSLATE_BINARY, argv.data());
    _exit(127);
  }

  /// Feeds and drains the pipes once; false when both outputs are at their end.
  bool read_some(int milliseconds) {
    if (in_ >= 0 && input_.empty()) close(std::exchange(in_, -1));
    std::array<pollfd, 3> ends{{{out_, POLLIN, 0}, {err_, POLLIN, 0}, {in_, POLLOUT, 0}}};
    poll(ends.data(), ends.size(), milliseconds);
    drain(ends[0], out_, result_.out);
    drain(ends[1], err_, result_.err);
    if ((ends[2].revents & POLLERR) != 0) {
      input_.clear();
    } else if ((ends[2].revents & POLLOUT) != 0) {
      const ssize_t count = write(in_, input_.data(), std::min<std::size_t>(input_.size(), 4096));
      input_.erase(0, count > 0 ? static_cast<std::size_t>(count) : input_.size());
    }
    return out_ >= 0 || err_ >= 0;
  }
  static void drain(const pollfd& end, int& descriptor, std::string& text) {
    if ((end.revents & (POLLIN | POLLHUP)) == 0) return;
    std::array<char, 4096> buffer{};
    const ssize_t count = read(descriptor, buffer.data(), buffer.size());
    if (count > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    } else {
      close(std::exchange(descriptor, -1));
    }
  }

  pid_t id_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  std::string input_;
  Outcome result_;
};

inline Outcome run(const std::vector<std::string>& arguments, const RunOptions& options = {}) {
  return Process(arguments, options).wait();
}

/// Exit code and one line on standard error that holds all of these texts.
inline bool is_one_line(const std::string& text) { return !text.empty() && text.find('\n') == text.size() - 1; }

}  // namespace translator_testing
