// SEMANTICS 29: what the command-line tools' exit codes mean, and that no good file is ever replaced by a half one.

#include "support/catch.hpp"
#include "translator/corpus.hpp"

using namespace translator_testing;

namespace {

void check_exit(const Outcome& outcome, int code, const std::vector<std::string>& wanted) {
  INFO(outcome.out << outcome.err);
  CHECK(outcome.exit_code == code);
  for (const std::string& text : wanted) CHECK(outcome.err.find(text) != std::string::npos);
}

}  // namespace

TEST_CASE("semantics 29: 0 on success, 1 on bad data with file and line, 2 on bad usage", "[semantics]") {
  const Corpus corpus;
  check_exit(run(corpus.train("m", {"--epochs", "1"})), 0, {});
  check_exit(run({"translate", "--model", corpus.model("m"), "The cats sleep."}), 0, {});
  check_exit(run({"translate", "--model", corpus / "none.safetensors", "The"}), 1, {"none.safetensors"});
  write_all(corpus / "train.tsv", tiny_corpus(2) + "no tab in this line\n");
  check_exit(run(corpus.train("m", {"--epochs", "1"})), 1, {corpus / "train.tsv", "line 25"});
  check_exit(run(corpus.train("m", {"--epochs", "many"})), 2, {"--epochs", "\"many\""});
  check_exit(run({"trian"}), 2, {"trian"});
  check_exit(run({"train", "--no-such-option", "3"}), 2, {"--no-such-option"});
}

TEST_CASE("semantics 29: 130 when interrupted, and what was there stays whole", "[semantics]") {
  const Corpus corpus;
  Process run_(corpus.train("m", {"--epochs", "4000"}));
  REQUIRE(run_.wait_for_output(" 2/4000"));
  run_.signal(SIGINT);
  check_exit(run_.wait(), 130, {});
  check_exit(run(corpus.train("m", {"--epochs", "2", "--resume"})), 0, {});  // the checkpoint it left is whole
}

TEST_CASE("semantics 29: a file that cannot be written whole leaves the one before", "[semantics]") {
  const Corpus corpus;
  check_exit(run(corpus.train("m", {"--epochs", "1"})), 0, {});
  const std::string model = read_all(corpus.model("m")), state = read_all(corpus / "m.checkpoint");
  const auto names = corpus.names().size();
  check_exit(run(corpus.train("m", {"--epochs", "2", "--resume"}), {.file_size_limit = 4096}), 1, {"m."});
  CHECK(read_all(corpus.model("m")) == model);
  CHECK(read_all(corpus / "m.checkpoint") == state);
  CHECK(corpus.names().size() == names);  // no temporary file either
}
