// Wrong usage of heed-translate: exit code 2 and one line that names the option, what was found and what is wanted.

#include "support/catch.hpp"
#include "translator/process.hpp"

using namespace translator_testing;

namespace {

std::vector<std::string> train(std::vector<std::string> more) {
  std::vector<std::string> all{"train", "--data", "none.tsv", "--valid", "none.tsv", "--model", "none.safetensors"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

void check_refused(const std::vector<std::string>& arguments, const std::vector<std::string>& wanted) {
  const Outcome outcome = run(arguments);
  INFO("standard error: " << outcome.err);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out.empty());
  CHECK(is_one_line(outcome.err));
  for (const std::string& text : wanted) CHECK(outcome.err.find(text) != std::string::npos);
}

}  // namespace

TEST_CASE("E1: a misspelt option or command is refused with the nearest name", "[translator]") {
  check_refused(train({"--epoch", "3"}), {"\"--epoch\"", "did you mean --epochs?"});
  check_refused(train({"--learnin-rate=1"}), {"did you mean --learning-rate?"});
  check_refused({"trian"}, {"\"trian\"", "did you mean train?"});
  check_refused({}, {"wanted a command"});
  check_refused(train({"extra"}), {"\"extra\"", "see heed-translate train --help"});
  check_refused({"translate", "--model", "m", "-tea"}, {"\"-tea\"", "goes after --"});
}

TEST_CASE("E2: an option without its value is refused", "[translator]") {
  check_refused(train({"--hidden"}), {"--hidden has no value"});
  check_refused(train({"--hidden", "--batch", "3"}), {"--hidden: found \"--batch\"", "wanted a whole number"});
  check_refused({"translate", "--model"}, {"--model has no value"});
  check_refused({"train", "--data", "x"}, {"--valid is required"});
}

TEST_CASE("E3: --epochs is a whole number from 0", "[translator]") {
  for (const char* found : {"-1", "1.5", "abc", "1e3", " 5", "5 ", "0x5", ""}) {
    check_refused(train({"--epochs", found}),
                  {"--epochs: found \"" + std::string(found) + "\"", "wanted a whole number from 0 to"});
  }
}

TEST_CASE("E4: --batch of 0 or 10^12 is refused", "[translator]") {
  for (const std::string found : {"0", "1000000000000"}) {
    check_refused(train({"--batch", found}), {"--batch: found \"" + found + "\"", "wanted a whole number from 1 to"});
  }
}

TEST_CASE("E5: rates must be finite and above 0", "[translator]") {
  for (const std::string found : {"nan", "inf", "-1", "0", "1,5", "1e999", "-inf", "0.1x"}) {
    check_refused(train({"--learning-rate", found}),
                  {"--learning-rate: found \"" + found + "\"", "wanted a number above 0"});
  }
  for (const std::string found : {"1", "-0.1", "nan"}) {
    check_refused(train({"--dropout", found}), {"--dropout: found \"" + found + "\"", "wanted a number from 0"});
  }
}

TEST_CASE("E6: a number beyond 64 bits is out of range, not wrapped", "[translator]") {
  for (const std::string found : {"99999999999999999999", "18446744073709551620"}) {
    check_refused(train({"--hidden", found}),
                  {"--hidden: found \"" + found + "\"", "wanted a whole number from 1 to 65536"});
  }
}

TEST_CASE("E7: a beam of 0 is refused", "[translator]") {
  check_refused({"translate", "--model", "m", "--beam", "0", "x"},
                {"--beam: found \"0\"", "wanted a whole number from 1 to"});
}

TEST_CASE("E8: a length of 0 is refused", "[translator]") {
  check_refused(train({"--max-length", "0"}), {"--max-length: found \"0\"", "wanted a whole number from"});
  check_refused({"translate", "--model", "m", "--max-length", "0", "x"}, {"--max-length: found \"0\"", "from 1 to"});
}

TEST_CASE("E9: an option that is given twice is refused", "[translator]") {
  check_refused(train({"--hidden", "3", "--hidden", "4"}), {"--hidden is given more than once"});
  check_refused(train({"--hidden=3", "--hidden=3"}), {"--hidden is given more than once"});
}

TEST_CASE("A31: threads below 0 are refused", "[translator]") {
  check_refused(train({"--threads", "-1"}), {"--threads: found \"-1\"", "from 0 to"});
}

TEST_CASE("languages are en, fr or zh", "[translator]") {
  check_refused(train({"--positions", "sines"}), {"--positions: found \"sines\"", "alibi or t5"});
  check_refused(train({"--arch", "transformer", "--model-dim", "12", "--heads", "4", "--positions", "rotary"}),
                {"--positions is rotary", "an even multiple of --heads 4"});
  check_refused(train({"--source-lang", "de"}), {"--source-lang: found \"de\", wanted en, fr or zh"});
}

TEST_CASE("E15: seeds are unsigned 64-bit numbers", "[translator]") {
  for (const std::string found : {"-1", "18446744073709551616"}) {
    check_refused(train({"--seed", found}), {"--seed: found \"" + found + "\"", "from 0 to 18446744073709551615"});
  }
}

TEST_CASE("E19: arguments of a megabyte are refused and shown cut", "[translator]") {
  const std::string longest(100'000, 'x');  // of one argument Linux takes 131,072 bytes
  const Outcome value = run(train({"--epochs", longest}));
  CHECK(value.exit_code == 2);
  CHECK(value.err.size() < 400);
  const std::vector<std::string> all = train(std::vector<std::string>(10, longest));
  const Outcome names = run(all), options = run(train(std::vector<std::string>(10, "--" + longest)));
  for (const Outcome& outcome : {names, options}) {
    CHECK(outcome.exit_code == 2);
    CHECK(is_one_line(outcome.err));
    CHECK(outcome.err.size() < 400);
  }
}

TEST_CASE("control bytes of an argument do not reach the terminal", "[translator]") {
  const Outcome outcome = run(train({"--epochs", "\x1b[31m\n5"}));
  CHECK(outcome.exit_code == 2);
  CHECK(is_one_line(outcome.err));
  CHECK(outcome.err.find('\x1b') == std::string::npos);
}

TEST_CASE("help is printed on standard output with examples, for the tool and every command", "[translator]") {
  const Outcome tool = run({"--help"});
  CHECK(tool.exit_code == 0);
  CHECK(tool.out.find("heed-translate demo") != std::string::npos);
  for (const char* command : {"demo", "train", "translate", "evaluate", "interactive", "inspect"}) {
    const Outcome help = run({command, "--help"});
    INFO(command);
    CHECK(help.exit_code == 0);
    CHECK(help.err.empty());
    CHECK(help.out.find("Example") != std::string::npos);
    CHECK(tool.out.find(command) != std::string::npos);
  }
}

TEST_CASE("the version names the instruction set", "[translator]") {
  const Outcome outcome = run({"--version"});
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.out.find("heed") != std::string::npos);
}

TEST_CASE("an output that cannot be written is an error, a reader that goes away is none", "[translator]") {
  Process closed({"train", "--help"});
  closed.close_output();
  const Outcome outcome = closed.wait();
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.empty());
}
