#include "console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace translator {
namespace {

constexpr int narrowest = 40;  // a redrawn line needs this many columns to say anything

void check_output(bool ok) {
  if (ok) return;
  if (errno == EPIPE) throw OutputClosed("standard output was closed");
  throw std::system_error(errno, std::generic_category(), "standard output");
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += "; ";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      line += '?';
    } else {
      line += c;
    }
  }
  while (line.ends_with("; ")) line.erase(line.size() - 2);
  return line;
}

/// In quotes where a shell would cut or read it otherwise.
std::string shell_word(const std::string& text) {
  const bool plain = text.find_first_of(" \t\n'\"\\$&;|<>()*?[]#~`!") == text.npos && !text.empty();
  return plain ? text : '"' + text + '"';
}

bool environment_has(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

void print(std::string_view text) { check_output(std::fwrite(text.data(), 1, text.size(), stdout) == text.size()); }

void print_line(std::string_view text) {
  print(text);
  print("\n");
}

void flush_output() { check_output(std::fflush(stdout) == 0); }

void print_error(std::string_view message) {
  std::fflush(stdout);
  std::fprintf(stderr, "heed-translate: %s\n", one_line(message).c_str());
}

void print_warning(std::string_view message) { print_error("warning: " + std::string(message)); }

bool output_is_rich() {
  if (isatty(STDOUT_FILENO) == 0 || environment_has("NO_COLOR")) return false;
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || *term == '\0' || std::string_view(term) == "dumb";
  return !dumb && output_columns() >= narrowest;
}

int output_columns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string program_text() { return shell_word(program_invocation_name); }

std::string file_text(const std::string& path) {
  const bool whole = std::string_view(program_invocation_name).starts_with('/');
  return shell_word(whole ? std::filesystem::absolute(path).string() : path);
}

std::string grouped(long long number) {
  std::string digits = std::to_string(number < 0 ? -number : number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return number < 0 ? "-" + digits : digits;
}

std::string counted(long long number, std::string_view thing) {
  return grouped(number) + ' ' + std::string(thing) + (number == 1 ? "" : "s");
}

std::string fixed(double number, int decimals) {
  std::array<char, 400> buffer{};
  const auto result =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed, decimals);
  return {buffer.data(), result.ptr};
}

}  // namespace translator
