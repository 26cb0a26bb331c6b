#pragma once
// A small model that translates the tiny corpus, and calls of heed-translate that use it.

#include "support/catch.hpp"
#include "translator/corpus.hpp"

namespace translator_testing {

/// A model that is trained once for all tests here.
inline const Corpus& trained() {
  static const Corpus corpus;
  static const Outcome outcome = run(corpus.train("m", {"--epochs", "40", "--learning-rate", "0.01"}));
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  return corpus;
}

inline std::vector<std::string> with_model(const std::string& command, std::vector<std::string> more = {}) {
  std::vector<std::string> all{command, "--model", trained().model("m")};
  for (std::string& argument : more) all.push_back(std::move(argument));
  return all;
}

inline Outcome run_done(const std::vector<std::string>& arguments, const RunOptions& options = {}) {
  Outcome outcome = run(arguments, options);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  return outcome;
}

inline void check_failed(const std::vector<std::string>& arguments, const std::vector<std::string>& wanted,
                         int code = 1, const RunOptions& options = {}) {
  const Outcome outcome = run(arguments, options);
  INFO("standard error: " << outcome.err);
  CHECK(outcome.exit_code == code);
  CHECK(is_one_line(outcome.err));
  for (const std::string& text : wanted) CHECK(outcome.err.find(text) != std::string::npos);
}

}  // namespace translator_testing
