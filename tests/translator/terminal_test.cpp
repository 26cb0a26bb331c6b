// What heed-translate shows on a terminal: a line that redraws itself, unless the terminal cannot do it or must not.

#include <pty.h>

#include "support/catch.hpp"
#include "translator/corpus.hpp"

using namespace translator_testing;

namespace {

struct Terminal {
  unsigned short columns = 100;
  std::vector<std::string> environment;
};

/// All that a one-epoch training run writes to a terminal.
std::string shown_on(const Terminal& terminal) {
  const Corpus corpus;
  std::vector<std::string> arguments = corpus.train("m", {"--epochs", "3"});
  winsize size{24, terminal.columns, 0, 0};
  int master = -1;
  const pid_t id = forkpty(&master, nullptr, nullptr, &size);
  if (id == 0) {
    unsetenv("NO_COLOR");
    for (const std::string& entry : terminal.environment) putenv(const_cast<char*>(entry.c_str()));
    std::vector<char*> argv{const_cast<char*>(HEED_TRANSLATE_BINARY)};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    execv(HEED_TRANSLATE_BINARY, argv.data());
    _exit(127);
  }
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(master, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  close(master);
  int status = 0;
  waitpid(id, &status, 0);
  CHECK(status == 0);
  return text;
}

}  // namespace

TEST_CASE("a terminal gets a bar that redraws itself and one lasting line per epoch", "[translator]") {
  const std::string text = shown_on({.environment = {"TERM=xterm"}});
  CHECK(text.find("\033[K") != std::string::npos);
  CHECK(text.find("epoch 3/3") != std::string::npos);
}

TEST_CASE("E27: a dumb or narrow terminal, or NO_COLOR, gets plain lines", "[translator]") {
  for (const Terminal& terminal : {Terminal{.environment = {"TERM=dumb"}}, Terminal{.environment = {"TERM="}},
                                   Terminal{.environment = {"TERM=xterm", "NO_COLOR=1"}},
                                   Terminal{.columns = 20, .environment = {"TERM=xterm"}}}) {
    const std::string text = shown_on(terminal);
    CHECK(text.find('\033') == std::string::npos);
    CHECK(text.find("epoch 3/3") != std::string::npos);
  }
}
