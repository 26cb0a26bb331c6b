// Rows of the bad-input catalogue, parts D and E, that need a trained model and stand in no other file here.

#include <algorithm>

#include "translator/trained_model.hpp"

using namespace translator_testing;

TEST_CASE("D20: a sentence of unknown words only is translated", "[translator]") {
  const Outcome outcome = run_done(with_model("translate", {"xyzzy plugh quux"}));
  CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 1);
  CHECK(outcome.err.empty());
}

TEST_CASE("D21: an empty sentence has an empty translation, at the prompt too", "[translator]") {
  CHECK(run_done(with_model("translate", {""})).out == "\n");
  CHECK(run_done(with_model("translate"), {.input = "\n \n"}).out == "\n\n");
  CHECK(run_done(with_model("interactive"), {.input = "\n\nThe cats sleep.\n"}).out == "\n\n猫睡觉。\n");
}

TEST_CASE("E11: an output that exists is replaced as a whole or not at all", "[translator]") {
  const Corpus& corpus = trained();
  const std::string out = corpus / "whole.txt";
  write_all(out, "mine\n");
  write_all(corpus / "half.txt", "The cats sleep.\n\xff\n");
  check_failed(with_model("translate", {"--input", corpus / "half.txt", "--output", out}), {"half.txt: line 2"});
  CHECK(read_all(out) == "mine\n");
  const RunOptions small{.input = {}, .environment = {}, .file_size_limit = 3};
  check_failed(with_model("translate", {"--output", out, "The cats sleep."}), {"whole.txt", "File too large"}, 1,
               small);
  CHECK(read_all(out) == "mine\n");
  run_done(with_model("translate", {"--output", out, "The cats sleep."}));
  CHECK(read_all(out) == "猫睡觉。\n");
  check_failed(with_model("translate", {"--output", out, "--no-clobber", "The dogs sleep."}),
               {"whole.txt", "exists", "--no-clobber"});
  CHECK(read_all(out) == "猫睡觉。\n");
  for (const std::string& name : corpus.names()) CHECK(name.find("tmp") == std::string::npos);
}

TEST_CASE("E19: arguments of a megabyte in all are translated", "[translator]") {
  const std::string words(100'000, 'x');
  const Outcome outcome = run(with_model("translate", std::vector<std::string>(10, words)));
  INFO(outcome.err);
  CHECK(outcome.exit_code == 0);
  CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 1);
}

TEST_CASE("E28: the end of input ends the prompt, in the middle of a line too", "[translator]") {
  CHECK(run_done(with_model("interactive"), {.input = ""}).out.empty());
  CHECK(run_done(with_model("interactive"), {.input = "The cats sleep."}).out == "猫睡觉。\n");
}

TEST_CASE("E29: a line of 10 MB or of bytes that are no text is refused, and the prompt goes on", "[translator]") {
  const std::string input =
      "The cats sleep.\n\xff\xff\n" + std::string("a\0b\n", 4) + std::string(10'000'000, 'x') + "\nThe bees sing.\n";
  const RunOptions options{.input = input, .environment = {}, .memory_limit = rlim_t{400} << 20};
  const Outcome outcome = run_done(with_model("interactive"), options);
  CHECK(outcome.out == "猫睡觉。\n蜜蜂唱歌。\n");
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 3);
  for (const char* text : {"not UTF-8", "NUL at byte 1", "more than 10000 bytes"})
    CHECK(outcome.err.find(text) != std::string::npos);
}
