// heed-translate train: the same bits however a run is cut, and nothing lost when it is killed, interrupted or out of
// disk.

#include <algorithm>
#include <sstream>

#include "support/catch.hpp"
#include "translator/corpus.hpp"

using namespace translator_testing;

namespace {

void check_done(const Outcome& outcome) {
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
}

void check_failed(const Outcome& outcome, const std::vector<std::string>& wanted) {
  INFO("standard error: " << outcome.err);
  CHECK(outcome.exit_code == 1);
  CHECK(is_one_line(outcome.err));
  for (const std::string& text : wanted) CHECK(outcome.err.find(text) != std::string::npos);
}

bool has_leftovers(const TempFolder& folder) {
  const auto names = folder.names();
  return std::any_of(names.begin(), names.end(), [](const std::string& name) { return name.find("tmp") != name.npos; });
}

std::vector<std::string> rows(const std::string& path) {
  std::istringstream text(read_all(path));
  std::vector<std::string> found;
  for (std::string row; std::getline(text, row);) found.push_back(row);
  return found;
}

}  // namespace

TEST_CASE("two epochs, one and a resumed one, and a killed and resumed run give the same bits", "[translator]") {
  const Corpus corpus;
  check_done(run(corpus.train("whole", {"--epochs", "2", "--threads", "1"})));
  const std::string whole = read_all(corpus.model("whole")), state = read_all(corpus / "whole.checkpoint");
  REQUIRE(!whole.empty());

  for (const char* threads : {"1", "2"}) {
    INFO("threads " << threads);
    check_done(run(corpus.train("cut", {"--epochs", "1", "--threads", threads})));
    CHECK(read_all(corpus / "cut.checkpoint") != state);
    check_done(run(corpus.train("cut", {"--epochs", "2", "--threads", threads, "--resume"})));
    CHECK(read_all(corpus.model("cut")) == whole);
    CHECK(read_all(corpus / "cut.checkpoint") == state);
  }
  check_done(run(corpus.train("other", {"--epochs", "2", "--seed", "2"})));
  CHECK(read_all(corpus.model("other")) != whole);
  check_done(run(corpus.train("dry", {"--epochs", "2", "--dropout", "0"})));
  CHECK(read_all(corpus.model("dry")) != whole);
}

TEST_CASE("a Transformer's positions are in its file, and a resumed run keeps them", "[translator]") {
  const Corpus corpus;
  std::string last;
  for (const char* const positions : {"sinusoidal", "learned", "rotary", "alibi", "t5"}) {
    INFO(positions);
    const auto options = [&](const char* epochs) {
      return std::vector<std::string>{"--arch", "transformer", "--model-dim", "8",      "--heads",  "2",
                                      "--layers", "1",         "--feed-forward", "8",   "--positions", positions,
                                      "--epochs", epochs};
    };
    check_done(run(corpus.train("whole", options("2"))));
    check_done(run(corpus.train("cut", options("1"))));
    auto again = options("2");
    again.emplace_back("--resume");
    check_done(run(corpus.train("cut", again)));
    CHECK(read_all(corpus.model("cut")) == read_all(corpus.model("whole")));
    const Outcome translated = run({"translate", "--model", corpus.model("cut"), "--beam", "2", "The cats sleep."});
    check_done(translated);
    CHECK(read_all(corpus.model("cut")) != last);
    last = read_all(corpus.model("cut"));
    again[11] = positions == std::string_view("t5") ? "alibi" : "t5";
    check_failed(run(corpus.train("cut", again)), {"--positions"});
  }
}

TEST_CASE("E22: a run killed in the middle of an epoch and resumed gives the same bits", "[translator]") {
  const Corpus corpus;
  const std::vector<std::string> options{"--epochs", "40", "--checkpoint-steps", "11", "--threads", "2"};
  check_done(run(corpus.train("whole", options)));
  for (const char* moment : {"epoch  1/40", "epoch  5/40"}) {
    Process first(corpus.train("killed", options));
    REQUIRE(first.wait_for_output(moment));
    first.signal(SIGKILL);
    CHECK(first.wait().exit_code == 128 + SIGKILL);
    std::vector<std::string> again = options;
    again.emplace_back("--resume");
    check_done(run(corpus.train("killed", again)));
    CHECK(read_all(corpus.model("killed")) == read_all(corpus.model("whole")));
    CHECK(read_all(corpus / "killed.checkpoint") == read_all(corpus / "whole.checkpoint"));
  }
  CHECK_FALSE(has_leftovers(corpus));
}

TEST_CASE("a run killed before its first periodic checkpoint is resumed from its start", "[translator]") {
  const Corpus corpus;
  std::string text;
  for (const char* first : {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J"}) text += tiny_corpus(8, first);
  write_all(corpus / "train.tsv", text);  // 240 steps
  const std::vector<std::string> options{"--epochs", "1", "--threads", "1"};
  check_done(run(corpus.train("whole", options)));
  Process first(corpus.train("killed", options));
  while (rows(corpus / "killed.csv").size() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  first.signal(SIGKILL);
  REQUIRE(first.wait().exit_code == 128 + SIGKILL);
  REQUIRE_FALSE(fs::exists(corpus.model("killed")));  // the first epoch was not over
  std::vector<std::string> again = options;
  again.emplace_back("--resume");
  check_done(run(corpus.train("killed", again)));
  CHECK(read_all(corpus.model("killed")) == read_all(corpus.model("whole")));
  CHECK(rows(corpus / "killed.csv").size() == rows(corpus / "whole.csv").size());
}

TEST_CASE("E23: an interrupted run saves itself, exits with 130 and goes on with the same bits", "[translator]") {
  const Corpus corpus;
  const std::vector<std::string> options{"--epochs", "40"};
  check_done(run(corpus.train("whole", options)));
  Process first(corpus.train("stopped", options));
  REQUIRE(first.wait_for_output("epoch  2/40"));
  first.signal(SIGINT);
  const Outcome outcome = first.wait();
  CHECK(outcome.exit_code == 130);
  CHECK(outcome.err.find("--resume") != std::string::npos);
  CHECK(is_one_line(outcome.err));
  check_done(run(corpus.train("stopped", {"--epochs", "40", "--resume"})));
  CHECK(read_all(corpus.model("stopped")) == read_all(corpus.model("whole")));
  CHECK(rows(corpus / "stopped.csv").size() == rows(corpus / "whole.csv").size());
}

TEST_CASE("E23: a second Ctrl-C ends the run at once, in the middle of its step", "[translator]") {
  const Corpus corpus;
  std::string text;
  for (const char* first : {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J"}) text += tiny_corpus(8, first);
  write_all(corpus / "train.tsv", text);
  Process slow({"train", "--data", corpus / "train.tsv", "--valid", corpus / "valid.tsv", "--model", corpus.model("m"),
                "--hidden", "800", "--batch", "320", "--threads", "1"});  // three steps of about a second
  while (rows(corpus / "m.csv").size() < 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const std::string state = read_all(corpus / "m.checkpoint");
  slow.signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  slow.signal(SIGINT);
  const Outcome outcome = slow.wait();
  CHECK(outcome.exit_code == 130);
  CHECK(outcome.err.empty());
  CHECK(read_all(corpus / "m.checkpoint") == state);
  CHECK_FALSE(has_leftovers(corpus));
}

TEST_CASE("E24: two runs that write the same files leave whole ones", "[translator]") {
  const Corpus corpus;
  const std::vector<std::string> options{"--epochs", "15", "--checkpoint-steps", "1", "--threads", "1"};
  check_done(run(corpus.train("alone", options)));
  Process first(corpus.train("m", options)), second(corpus.train("m", options));
  check_done(first.wait());
  check_done(second.wait());
  CHECK(read_all(corpus.model("m")) == read_all(corpus.model("alone")));
  CHECK(read_all(corpus / "m.checkpoint") == read_all(corpus / "alone.checkpoint"));
  CHECK_FALSE(has_leftovers(corpus));
}

TEST_CASE("a damaged checkpoint is not resumed from", "[translator]") {
  const Corpus corpus;
  check_done(run(corpus.train("m", {"--epochs", "1"})));
  const std::string model = read_all(corpus.model("m")), state = read_all(corpus / "m.checkpoint");
  const auto refused = [&](const std::string& content, const std::vector<std::string>& wanted) {
    write_all(corpus / "m.checkpoint", content);
    check_failed(run(corpus.train("m", {"--epochs", "2", "--resume"})), wanted);
    CHECK(read_all(corpus / "m.checkpoint") == content);
  };
  refused(state.substr(0, state.size() / 2), {"m.checkpoint"});
  refused("", {"m.checkpoint", "shorter than 8 bytes"});
  refused(model, {"m.checkpoint", "no checkpoint of a training run"});
  CHECK(read_all(corpus.model("m")) == model);
}

TEST_CASE("the log has a row per step and the validation loss in each epoch's last", "[translator]") {
  const Corpus corpus;
  check_done(run(corpus.train("m", {"--epochs", "2"})));
  const auto log = rows(corpus / "m.csv");
  REQUIRE(log.size() == 1 + 2 * 24);
  CHECK(log[0] == "epoch,step,loss,learning_rate,tokens_per_second,valid_loss");
  CHECK(log[1].starts_with("1,1,"));
  CHECK(log[1].back() == ',');
  CHECK(log[24].starts_with("1,24,"));
  CHECK(log[24].back() != ',');
}

TEST_CASE("E26: resuming with other options is refused and they are listed", "[translator]") {
  const Corpus corpus;
  check_done(run(corpus.train("m", {"--epochs", "1"})));
  const std::string before = read_all(corpus.model("m"));
  check_failed(run(corpus.train("m", {"--epochs", "2", "--resume", "--dropout", "0.1", "--clip", "2"})),
               {"--dropout", "--clip"});
  write_all(corpus / "train.tsv", tiny_corpus(7));
  check_failed(run(corpus.train("m", {"--epochs", "2", "--resume"})), {"--data is", "84 pairs", "96 pairs"});
  const Outcome none = run(corpus.train("none", {"--resume"}));
  check_failed(none, {"--resume", "none.checkpoint"});
  CHECK(none.out.empty());
  CHECK(read_all(corpus.model("m")) == before);
}

TEST_CASE("E12: files are checked before training", "[translator]") {
  const Corpus corpus;
  check_failed(run(corpus.train("missing/m", {})), {"missing/m.safetensors", "No such file"});
  check_failed(run(corpus.train("m", {"--log", corpus / "missing/l.csv"})), {"missing/l.csv"});
  CHECK_FALSE(fs::exists(corpus.model("m")));
  CHECK_FALSE(fs::exists(corpus / "m.checkpoint"));
  fs::create_directory(corpus / "folder.safetensors");
  check_failed(run(corpus.train("folder", {})), {"folder.safetensors", "directory"});
  const Outcome same =
      run({"train", "--data", corpus / "train.tsv", "--valid", corpus / "valid.tsv", "--model", corpus / "train.tsv"});
  CHECK(same.exit_code == 2);
  CHECK(read_all(corpus / "train.tsv") == tiny_corpus(8));
  write_all(corpus / "kept.safetensors", "mine");
  check_failed(run(corpus.train("kept", {"--no-clobber"})), {"exists"});
  CHECK(read_all(corpus / "kept.safetensors") == "mine");
}

TEST_CASE("bad corpora are refused with file and line", "[translator]") {
  const Corpus corpus;
  const auto refused = [&](const std::string& content, const std::vector<std::string>& wanted) {
    write_all(corpus / "train.tsv", content);
    check_failed(run(corpus.train("m", {"--epochs", "1"})), wanted);
  };
  refused("", {"train.tsv", "no pairs"});
  refused("a\tb\nno tab\n", {"train.tsv: line 2"});
  refused("a\tb\n\xff\tb\n", {"train.tsv: line 2", "UTF-8"});
  write_all(corpus / "train.tsv", tiny_corpus(2) + "no tab\n");
  const Outcome skipped = run(corpus.train("m", {"--epochs", "1", "--skip-bad"}));
  check_done(skipped);
  CHECK(skipped.err.find("1 bad line left out") != std::string::npos);
  write_all(corpus / "train.tsv", tiny_corpus(2) + "\xff\tb\n");
  const Outcome replaced = run(corpus.train("m", {"--epochs", "1", "--replace-bad"}));  // D9
  check_done(replaced);
  CHECK(replaced.err.find("bad bytes in 1 line") != std::string::npos);
  CHECK(replaced.out.find("25 pairs to train on") != std::string::npos);
}

TEST_CASE("pairs in both training and validation data are counted aloud", "[translator]") {
  const Corpus corpus;
  write_all(corpus / "valid.tsv", tiny_corpus(2));
  const Outcome outcome = run(corpus.train("m", {"--epochs", "1"}));
  check_done(outcome);
  CHECK(outcome.err.find("24 pairs of the training data") != std::string::npos);
}

TEST_CASE("pairs that are too long or the same on both sides are counted aloud, each file once", "[translator]") {
  const Corpus corpus;  // D12, D24
  std::string longest = "The";
  for (int i = 0; i < 60; ++i) longest += " cats";
  write_all(corpus / "train.tsv", tiny_corpus(2) + longest + "\t猫。\nOK\tOK\n");
  const Outcome outcome = run(corpus.train("m", {"--epochs", "1"}));
  check_done(outcome);
  CHECK(outcome.err.find("train.tsv\": 1 pair of --max-length 50 tokens or more left out\n") != std::string::npos);
  CHECK(outcome.err.find("train.tsv\": same text on both sides of 1 pair\n") != std::string::npos);
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 2);
  write_all(corpus / "train.tsv", longest + "\t猫。\n");
  check_failed(run(corpus.train("m", {"--epochs", "1"})), {"train.tsv", "no pair is shorter than --max-length 50"});
}

TEST_CASE("E3: no epochs: the validation loss is measured and nothing is trained", "[translator]") {
  const Corpus corpus;
  const Outcome outcome = run(corpus.train("m", {"--epochs", "0"}));
  check_done(outcome);
  CHECK(outcome.out.find("Validation loss") != std::string::npos);
  CHECK_FALSE(fs::exists(corpus.model("m")));
}

TEST_CASE("E21: a full disk fails the run and leaves the checkpoint before it intact", "[translator]") {
  const Corpus corpus;
  check_done(run(corpus.train("m", {"--epochs", "1"})));
  const std::string model = read_all(corpus.model("m")), state = read_all(corpus / "m.checkpoint");
  const RunOptions small{.input = {}, .environment = {}, .file_size_limit = model.size() - 100};
  const Outcome outcome = Process(corpus.train("m", {"--epochs", "2", "--resume"}), small).wait();
  check_failed(outcome, {"File too large"});
  CHECK(read_all(corpus.model("m")) == model);
  CHECK(read_all(corpus / "m.checkpoint") == state);
  CHECK_FALSE(has_leftovers(corpus));
}

TEST_CASE("E32: too little memory fails the run with the size wanted", "[translator]") {
  const Corpus corpus;
  const RunOptions small{.input = {}, .memory_limit = rlim_t{160} << 20};
  for (const char* hidden : {"20000", "1200"}) {  // the weights alone, or with the moments, are too many
    const Outcome outcome = run({"train", "--data", corpus / "train.tsv", "--valid", corpus / "valid.tsv", "--model",
                                 corpus.model("m"), "--hidden", hidden, "--min-count", "1", "--threads", "1"},
                                small);
    check_failed(outcome, {"not enough memory", "MiB"});
  }
}

TEST_CASE("E27: without a terminal there are plain lines, one per report, and no control sequences", "[translator]") {
  const Corpus corpus;
  const Outcome outcome = run(corpus.train("m", {"--epochs", "3"}));
  check_done(outcome);
  CHECK(outcome.out.find('\x1b') == std::string::npos);
  CHECK(outcome.out.find('\r') == std::string::npos);
  CHECK(outcome.out.find("epoch 3/3") != std::string::npos);
  CHECK(outcome.out.find("tokens/s") != std::string::npos);
}
