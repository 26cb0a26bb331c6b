// How heed-translate searches: sampling, n-best lists, lengths, repetition, banned and forced words, unknown words.

#include <algorithm>
#include <set>
#include <sstream>

#include "support/catch.hpp"
#include "translator/corpus.hpp"

using namespace translator_testing;

namespace {

/// A model of the tiny corpus and of sentences about things that have no word: trained once for all tests here.
struct Trained : Corpus {
  Trained() {
    std::string text = tiny_corpus(8);
    for (int i = 0; i < 16; ++i) {  // each once, so with --min-count 2 neither side has a word for it
      const std::string name = "zork" + std::to_string(i);
      text += "The " + name + " sleep.\t" + name + "睡觉。\nThe " + name + "x eat.\t" + name + "x吃饭。\n";
    }
    write_all(*this / "train.tsv", text);
    write_all(*this / "valid.tsv", tiny_corpus(2));
    std::vector<std::string> arguments = train("m", {"--epochs", "40", "--learning-rate", "0.01"});
    *(std::find(arguments.begin(), arguments.end(), "--min-count") + 1) = "2";
    const Outcome outcome = run(arguments);
    INFO(outcome.err);
    REQUIRE(outcome.exit_code == 0);
  }
};

const Trained& trained() {
  static const Trained model;
  return model;
}

std::vector<std::string> with_model(const std::string& command, std::vector<std::string> more = {}) {
  std::vector<std::string> all{command, "--model", trained().model("m")};
  for (std::string& argument : more) all.push_back(std::move(argument));
  return all;
}

Outcome run_done(const std::vector<std::string>& arguments, const RunOptions& options = {}) {
  Outcome outcome = run(arguments, options);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  return outcome;
}

std::string translated(std::vector<std::string> more, const std::string& input) {
  return run_done(with_model("translate", std::move(more)), {.input = input}).out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Seventy sentences of several lengths.
std::string many_sentences() {
  std::string text;
  const std::vector<std::string> lines = lines_of(tiny_corpus(5));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string source = lines[i].substr(0, lines[i].find('\t'));
    text += i % 7 == 3 ? source + " " + source + "\n" : i % 11 == 5 ? "\n" : source + "\n";
  }
  return text;
}

void check_refused(std::vector<std::string> more, const std::vector<std::string>& wanted) {
  const Outcome outcome = run(with_model("translate", std::move(more)), {.input = "The cats sleep.\n"});
  INFO("standard error: " << outcome.err);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out.empty());
  CHECK(is_one_line(outcome.err));
  for (const std::string& text : wanted) CHECK(outcome.err.find(text) != std::string::npos);
}

}  // namespace

TEST_CASE("whatever the search, batches of 1 and of 64 give the same bytes", "[translator]") {
  const std::string input = many_sentences();
  const std::vector<std::vector<std::string>> searches = {
      {"--sample", "--temperature", "2", "--seed", "9"},
      {"--sample", "--temperature", "1.5", "--top-k", "8", "--top-p", "0.9", "--n-best", "3"},
      {"--beam", "4", "--n-best", "4", "--coverage-penalty", "gnmt:0.3", "--length-penalty", "gnmt:1"},
      {"--min-length-ratio", "1.2", "--no-repeat-ngram", "2", "--repetition-penalty", "1.3"}};
  for (std::vector<std::string> more : searches) {
    more.insert(more.end(), {"--batch", "64"});
    const std::string together = translated(more, input);
    more.back() = "1";
    CHECK(translated(more, input) == together);
    more.back() = "7";
    CHECK(translated(more, input) == together);
  }
}

TEST_CASE("samples follow the seed and the line's place, at the prompt as in a file", "[translator]") {
  const std::string input = many_sentences();
  const auto sampled = [&](const std::string& seed) {
    return translated({"--sample", "--temperature", "3", "--seed", seed}, input);
  };
  const std::string one = sampled("1");
  CHECK(sampled("1") == one);
  CHECK(sampled("2") != one);
  CHECK(translated({"--sample", "--temperature", "3"}, input) == one);
  CHECK(run_done(with_model("interactive", {"--sample", "--temperature", "3"}), {.input = input}).out == one);
  std::string same;
  for (int i = 0; i < 20; ++i) same += "The cats sleep.\n";
  const std::vector<std::string> lines = lines_of(translated({"--sample", "--temperature", "3"}, same));
  CHECK(std::set<std::string>(lines.begin(), lines.end()).size() > 5);  // equal lines are drawn on their own
}

TEST_CASE("sampling the likeliest token alone is greedy search", "[translator]") {
  const std::string input = many_sentences();
  CHECK(translated({"--sample", "--top-k", "1"}, input) == translated({}, input));
  CHECK(translated({"--sample", "--temperature", "1e-9"}, input) == translated({}, input));
}

TEST_CASE("an n-best list has a line's number, its translations and their scores, best first", "[translator]") {
  const std::string input = "The cats sleep.\n\nThe bees sing.\n";
  const std::vector<std::string> lines = lines_of(translated({"--beam", "4", "--n-best", "3"}, input));
  REQUIRE(lines.size() == 7);
  CHECK(lines[0].starts_with("0 ||| 猫睡觉。 ||| -"));
  CHECK(lines[3].starts_with("1 |||  ||| "));
  CHECK(lines[4].starts_with("2 ||| 蜜蜂唱歌。 ||| -"));
  const auto score = [](const std::string& line) { return std::stod(line.substr(line.rfind("||| ") + 4)); };
  for (const std::size_t first : {0, 4}) {
    CHECK(score(lines[first]) >= score(lines[first + 1]));
    CHECK(score(lines[first + 1]) >= score(lines[first + 2]));
  }
  CHECK(lines_of(translated({"--sample", "--n-best", "5"}, "The cats sleep.\n")).size() == 5);
}

TEST_CASE("lengths, repeats, banned words and prefixes are as asked for", "[translator]") {
  const std::string input = "The cats sleep.\n";
  CHECK(translated({"--max-length-ratio", "0.2"}, input) == "猫\n");  // 5 tokens with the end: 1
  CHECK(translated({"--prefix", "狗"}, input).starts_with("狗"));
  CHECK(translated({"--prefix", "狗", "--beam", "3"}, input).starts_with("狗"));
  CHECK(translated({"--ban", "猫"}, input).find("猫") == std::string::npos);
  const std::string banned = translated({"--ban", "睡觉", "--ban", "。", "--beam", "3"}, input);
  CHECK(banned.find("睡觉") == std::string::npos);
  CHECK(banned.find("。") == std::string::npos);
  CHECK(translated({"--min-length", "12"}, input).size() > std::string("猫睡觉。\n").size());
  const std::string unrepeated = translated({"--min-length", "12", "--no-repeat-ngram", "1"}, input);
  CHECK(std::count(unrepeated.begin(), unrepeated.end(), '\n') == 1);
  CHECK(unrepeated.find("。") == unrepeated.rfind("。"));
  const std::string long_one = translated({"--beam", "4", "--length-penalty", "reward:100"}, input);
  CHECK(long_one.size() > translated({"--beam", "4", "--length-penalty", "none"}, input).size());
}

TEST_CASE("where the model has no word the source's is copied", "[translator]") {
  const std::string input = "The zork3 sleep.\nThe quux eat.\nThe cats sleep.\n";
  const std::vector<std::string> lines = lines_of(translated({"--replace-unknown"}, input));
  REQUIRE(lines.size() == 3);
  const auto is_copy = [](const std::string& line, const std::vector<std::string>& words, const std::string& rest) {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return line == word + rest; });
  };
  INFO(lines[0] << ' ' << lines[1]);
  CHECK(is_copy(lines[0], {"the", "zork3", "sleep", "."}, "睡觉。"));  // which one is the attention's to say
  CHECK(is_copy(lines[1], {"the", "quux", "eat", "."}, "吃饭。"));
  CHECK(lines[2] == "猫睡觉。");
  CHECK(translated({"--replace-unknown", "--batch", "1"}, input) ==
        lines[0] + "\n" + lines[1] + "\n" + lines[2] + "\n");
  const std::vector<std::string> without = lines_of(translated({}, input));
  CHECK(without[0] != lines[0]);
  CHECK(without[2] == lines[2]);
}

TEST_CASE("phrases that the model never writes are named", "[translator]") {
  const Outcome outcome = run_done(with_model("translate", {"--ban", "冰淇淋", "The cats sleep."}));
  CHECK(outcome.out == "猫睡觉。\n");
  CHECK(outcome.err.find("--ban") != std::string::npos);
  check_refused({"--prefix", "冰淇淋"}, {"--prefix", "冰淇淋", "wanted words that the model knows"});
}

TEST_CASE("search options out of their range, or that do not fit together, are refused", "[translator]") {
  for (const char* found : {"0", "-1", "nan", "inf", "abc", ""}) {
    check_refused({"--sample", "--temperature", found},
                  {"--temperature: found \"" + std::string(found) + "\"", "above 0"});
  }
  for (const char* found : {"0", "-0.1", "1.5", "nan"}) {
    check_refused({"--sample", "--top-p", found}, {"--top-p: found", "above 0 to 1"});
  }
  for (const char* found : {"-1", "2.5", "99999999999999999999"}) {
    check_refused({"--sample", "--top-k", found}, {"--top-k: found", "from 0"});
  }
  check_refused({"--sample", "--seed", "-1"}, {"--seed", "18446744073709551615"});
  for (const char* needy : {"--temperature", "--top-k", "--top-p", "--seed"})
    check_refused({needy, "1"}, {needy, "--sample"});
  check_refused({"--sample", "--beam", "4"}, {"--sample", "--beam"});
  check_refused({"--beam", "2", "--n-best", "3"}, {"--n-best: found \"3\"", "at most --beam 2"});
  check_refused({"--n-best", "0"}, {"--n-best", "from 1"});
  check_refused({"--min-length", "60"}, {"--min-length: found \"60\"", "at most --max-length 50"});
  check_refused({"--min-length-ratio", "2", "--max-length-ratio", "1"}, {"--min-length-ratio", "--max-length-ratio"});
  check_refused({"--min-length-ratio", "-1"}, {"--min-length-ratio: found \"-1\"", "from 0"});
  check_refused({"--no-repeat-ngram", "-1"}, {"--no-repeat-ngram: found \"-1\"", "from 0"});
  check_refused({"--repetition-penalty", "0"}, {"--repetition-penalty: found \"0\"", "above 0"});
  for (const char* found : {"gnmt:", "gnmt:x", "gnmt:-1", "gnmt:nan", "none:1", "length", "", "power:1e9"}) {
    check_refused({"--length-penalty", found},
                  {"--length-penalty: found \"" + std::string(found) + "\"", "none, power:A, gnmt:A or reward:A"});
  }
  check_refused({"--coverage-penalty", "power:1"},
                {"--coverage-penalty: found \"power:1\"", "none, gnmt:B or summary:B"});
  check_refused({"--ban", ""}, {"--ban"});
  check_refused({"--batch", "0"}, {"--batch", "from 1 to 4096"});
}
