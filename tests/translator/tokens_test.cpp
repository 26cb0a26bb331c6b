// heed-translate train --tokens: what sentences are cut into is chosen once and stored in the model file.

#include "support/catch.hpp"
#include "translator/corpus.hpp"

using namespace translator_testing;

namespace {

Outcome done(const std::vector<std::string>& arguments) {
  Outcome outcome = run(arguments);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  return outcome;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The line of a report that begins so.
std::string line_of(const std::string& report, const std::string& begin) {
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(begin)) return line;
  return {};
}

/// What the program says of a model file in which the first `found` became `put`, which is as long.
std::string refusal(const Corpus& corpus, const std::string& found, const std::string& put) {
  std::string bytes = read_all(corpus.model("bpe"));
  const std::size_t at = bytes.find(found);
  REQUIRE(at != std::string::npos);
  REQUIRE(found.size() == put.size());
  write_all(corpus / "damaged.safetensors", bytes.replace(at, put.size(), put));
  const Outcome outcome = run({"translate", "--model", corpus / "damaged.safetensors", "The cats."});
  CHECK(outcome.exit_code == 1);
  CHECK(is_one_line(outcome.err));
  CHECK(outcome.out.empty());
  return outcome.err;
}

}  // namespace

TEST_CASE("a model of every unit is one file that is enough to translate", "[translator]") {
  const Corpus corpus;
  const std::vector<std::vector<std::string>> units{
      {"words"}, {"characters"}, {"bytes"}, {"bpe", "--merges", "30", "--joint"}};
  for (const std::vector<std::string>& unit : units) {
    INFO(unit.front());
    std::vector<std::string> more{"--epochs", "1", "--max-length", "60", "--tokens"};
    more.insert(more.end(), unit.begin(), unit.end());
    const std::string report = done(corpus.train("one", more)).out;
    CHECK(contains(report, "96 pairs to train on"));
    const TempFolder alone;
    std::filesystem::rename(corpus.model("one"), alone / "m.safetensors");
    const std::string model = alone / "m.safetensors";
    CHECK(!done({"translate", "--model", model, "--max-length", "60", "The cats sleep."}).out.empty());
    CHECK(done({"translate", "--model", model, ""}).out == "\n");
    CHECK(contains(line_of(done({"inspect", "--model", model}).out, "Tokens"), " " + unit.front()));
  }
}

TEST_CASE("byte pairs are learned of each side or jointly, and inspect says how many", "[translator]") {
  const Corpus corpus;
  const auto tokens = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--epochs", "1", "--tokens", "bpe", "--merges"});
    more.push_back("500");  // more than there are
    done(corpus.train("pieces", more));
    return line_of(done({"inspect", "--model", corpus.model("pieces")}).out, "Tokens");
  };
  CHECK(contains(tokens({}), "bpe with 55 merges; bpe with 13 merges"));
  CHECK(contains(tokens({"--joint"}), "bpe with 68 merges; bpe with 68 merges"));
}

TEST_CASE("NFKC is applied at training and at use, and said by inspect", "[translator]") {  // D13
  const Corpus corpus;
  const std::string plain = "The cats sleep.\t猫睡觉。\n", wide = "Ｔｈｅ　ｃａｔｓ　ｓｌｅｅｐ．\t猫睡觉。\n";
  write_all(corpus / "plain.tsv", plain);
  write_all(corpus / "wide.tsv", wide);
  const auto losses_agree = [&](const char* unit, const char* form) {
    done(corpus.train("form", {"--epochs", "1", "--tokens", unit, "--merges", "30", "--normalize", form}));
    CHECK(contains(line_of(done({"inspect", "--model", corpus.model("form")}).out, "Tokens"), "NFKC") ==
          (std::string(form) == "nfkc"));
    const auto loss = [&](const std::string& data) {
      return line_of(done({"evaluate", "--model", corpus.model("form"), "--data", data}).out, "loss");
    };
    return loss(corpus / "plain.tsv") == loss(corpus / "wide.tsv");
  };
  CHECK(losses_agree("bpe", "nfkc"));
  CHECK(losses_agree("words", "nfkc"));
  CHECK(!losses_agree("words", "none"));
}

TEST_CASE("with dropout of byte pairs a run that was cut and resumed gives the same bits", "[translator]") {
  const Corpus corpus;
  const auto train = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.end(), {"--tokens", "bpe", "--merges", "40", "--threads", "1"});
    done(corpus.train(name, more));
    return read_all(corpus.model(name));
  };
  const std::string whole = train("whole", {"--epochs", "2", "--bpe-dropout", "0.2"});
  train("cut", {"--epochs", "1", "--bpe-dropout", "0.2"});
  CHECK(train("cut", {"--epochs", "2", "--bpe-dropout", "0.2", "--resume"}) == whole);
  CHECK(train("other", {"--epochs", "2", "--bpe-dropout", "0.1"}) != whole);
}

TEST_CASE("merges that are missing, damaged or of another vocabulary are refused", "[translator]") {  // D26
  const Corpus corpus;
  done(corpus.train("bpe", {"--epochs", "1", "--tokens", "bpe", "--merges", "20"}));
  CHECK(contains(refusal(corpus, "source_merges", "source_murges"), "source_merges"));
  CHECK(contains(refusal(corpus, "#version: 0.2", "#version: 0.9"), "line 1: found \"#version: 0.9\""));
  CHECK(contains(refusal(corpus, "h e</w>", "h_e</w>"), "wanted a merge: two symbols with a space between"));
  CHECK(contains(refusal(corpus, "h e</w>", "h q</w>"), "the merges are of another vocabulary"));
  CHECK(contains(refusal(corpus, "en bpe", "en bpm"), "wanted \"words\", \"characters\", \"bytes\" or \"bpe\""));
}

TEST_CASE("wrong options of tokens are refused before anything is read", "[translator]") {
  const Corpus corpus;
  const auto message = [&](std::vector<std::string> more) {
    const Outcome outcome = run(corpus.train("wrong", std::move(more)));
    CHECK(outcome.exit_code == 2);
    CHECK(is_one_line(outcome.err));
    return outcome.err;
  };
  CHECK(contains(message({"--tokens", "syllables"}), "wanted words, characters, bytes or bpe"));
  CHECK(contains(message({"--normalize", "nfd"}), "wanted none or nfkc"));
  CHECK(contains(message({"--tokens", "bpe", "--merges", "-1"}), "wanted a whole number from 0"));
  CHECK(contains(message({"--tokens", "bpe", "--bpe-dropout", "1"}), "wanted a number from 0 to below 1"));
  CHECK(contains(message({"--joint"}), "--joint wants --tokens bpe"));
  CHECK(contains(message({"--tokens", "words", "--bpe-dropout", "0.1"}), "--bpe-dropout wants --tokens bpe"));
}
