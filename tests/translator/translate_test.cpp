// heed-translate translate, evaluate, interactive, inspect: one model file is enough, and bad files and texts are
// refused.

#include "support/catch.hpp"
#include "translator/corpus.hpp"

using namespace translator_testing;

namespace {

/// A model that is trained once for all tests here.
const Corpus& trained() {
  static const Corpus corpus;
  static const Outcome outcome = run(corpus.train("m", {"--epochs", "40", "--learning-rate", "0.01"}));
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  return corpus;
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

void check_failed(const std::vector<std::string>& arguments, const std::vector<std::string>& wanted, int code = 1) {
  const Outcome outcome = run(arguments);
  INFO("standard error: " << outcome.err);
  CHECK(outcome.exit_code == code);
  CHECK(is_one_line(outcome.err));
  for (const std::string& text : wanted) CHECK(outcome.err.find(text) != std::string::npos);
}

}  // namespace

TEST_CASE("argument, words, file and standard input give the same translation", "[translator]") {
  const std::string wanted = "猫睡觉。\n";
  CHECK(run_done(with_model("translate", {"The cats sleep."})).out == wanted);
  CHECK(run_done(with_model("translate", {"The", "cats", "sleep."})).out == wanted);
  CHECK(run_done(with_model("translate"), {.input = "The cats sleep.\n"}).out == wanted);
  CHECK(run_done(with_model("translate", {"--beam", "5", "The cats sleep."})).out == wanted);
  const Corpus& corpus = trained();
  write_all(corpus / "in.txt", "\xEF\xBB\xBFThe cats sleep.\r\n\nThe bees sing.");
  run_done(with_model("translate", {"--input", corpus / "in.txt", "--output", corpus / "out.txt"}));
  CHECK(read_all(corpus / "out.txt") == wanted + "\n蜜蜂唱歌。\n");
}

TEST_CASE("a sentence's translation does not depend on its neighbours", "[translator]") {
  std::string all, one_by_one;
  for (const char* sentence :
       {"The cats sleep.", "Cows.", "The bees sing and the kings go.", "xyzzy", "Fish eat fish."}) {
    all += std::string(sentence) + '\n';
    one_by_one += run_done(with_model("translate", {"--beam", "3", sentence})).out;
  }
  CHECK(run_done(with_model("translate", {"--beam", "3"}), {.input = all}).out == one_by_one);
}

TEST_CASE("texts of unknown words, special symbols, spaces and dashes are translated", "[translator]") {
  run_done(with_model("translate", {"xyzzy plugh"}));
  run_done(with_model("translate", {"<pad> <s> </s> <unk>"}));
  run_done(with_model("translate", {"--", "-sleep"}));
  CHECK(run_done(with_model("translate", {"   "})).out == "\n");
  CHECK(run_done(with_model("translate"), {.input = ""}).out.empty());
}

TEST_CASE("attention is drawn in the terminal and as SVG", "[translator]") {
  const std::string svg = trained() / "a.svg";
  const Outcome outcome =
      run_done(with_model("translate", {"--show-attention", "--attention-svg", svg, "The cats sleep & <eat>"}));
  CHECK(outcome.out.find("cats") != std::string::npos);
  CHECK(outcome.out.find('\x1b') == std::string::npos);
  const std::string drawing = read_all(svg);
  CHECK(drawing.find("<svg") != std::string::npos);
  CHECK(drawing.find("cats") != std::string::npos);
  CHECK(drawing.find("<eat>") == std::string::npos);
  CHECK(drawing.find("&#38;") != std::string::npos);
}

TEST_CASE("a beam wider than the vocabulary is cut, with a word", "[translator]") {
  const Outcome outcome = run_done(with_model("translate", {"--beam", "1000", "--max-length", "3", "The cats sleep."}));
  CHECK(outcome.err.find("--beam cut") != std::string::npos);
}

TEST_CASE("models that are missing, folders, no models or unreadable are refused with their path", "[translator]") {
  const Corpus& corpus = trained();
  check_failed({"translate", "--model", corpus / "none", "x"}, {"none", "No such file"});
  check_failed({"translate", "--model", corpus.path().string(), "x"}, {corpus.path().string()});
  check_failed({"inspect", "--model", corpus / "train.tsv"}, {"train.tsv"});
  const std::string whole = read_all(corpus.model("m"));
  write_all(corpus / "cut.safetensors", whole.substr(0, whole.size() - 7));
  check_failed({"translate", "--model", corpus / "cut.safetensors", "x"}, {"cut.safetensors"});
}

TEST_CASE("bad input of translate is refused", "[translator]") {
  const Corpus& corpus = trained();
  write_all(corpus / "bad.txt", "fine\n\xff\xfe\n");
  check_failed(with_model("translate", {"--input", corpus / "bad.txt"}), {"bad.txt: line 2", "UTF-8"});
  check_failed(with_model("translate", {"--input", corpus / "none.txt"}), {"none.txt"});
  check_failed(with_model("translate", {"--input", corpus / "bad.txt", "text"}), {"--input"}, 2);
  check_failed(with_model("translate", {"--input", corpus / "bad.txt", "--output", corpus / "bad.txt"}), {"same file"},
               2);
  write_all(corpus / "kept.txt", "mine");
  check_failed(with_model("translate", {"--output", corpus / "kept.txt", "--no-clobber", "The cats sleep."}),
               {"exists"});
  CHECK(read_all(corpus / "kept.txt") == "mine");
}

TEST_CASE("file names with spaces, line ends, Chinese and a leading dash work", "[translator]") {
  const Corpus& corpus = trained();
  const std::string model = read_all(corpus.model("m"));
  for (const char* name : {"a model", "line\nend", "模型", "-dash"}) {
    write_all(corpus / name, model);
    CHECK(run_done({"translate", "--model", corpus / name, "The cats sleep."}).out == "猫睡觉。\n");
  }
}

TEST_CASE("evaluate prints the scores with sacreBLEU's signatures", "[translator]") {
  const Corpus& corpus = trained();
  write_all(corpus / "test.tsv", tiny_corpus(2));
  const Outcome outcome =
      run_done(with_model("evaluate", {"--data", corpus / "test.tsv", "--output", corpus / "hyp.txt"}));
  for (const char* text :
       {"BLEU   ", "nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp|version:", "chrF   ", "loss   ", "sentences/s"}) {
    INFO(outcome.out);
    CHECK(outcome.out.find(text) != std::string::npos);
  }
  CHECK(outcome.out.find("exact  24 of 24") != std::string::npos);
  CHECK(read_all(corpus / "hyp.txt").starts_with("猫睡觉。\n"));
  check_failed(with_model("evaluate", {"--data", corpus / "none.tsv"}), {"none.tsv"});
}

TEST_CASE("the prompt answers line by line and survives bad lines", "[translator]") {
  const std::string input = "The cats sleep.\n\n\xff\xff\n" + std::string(2'000'000, 'x') + "\nThe bees sing.\n";
  const Outcome outcome = run_done(with_model("interactive"), {.input = input});
  CHECK(outcome.out == "猫睡觉。\n\n蜜蜂唱歌。\n");
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 2);
}

TEST_CASE("inspect shows languages, sizes, parameters and how the model was trained", "[translator]") {
  const Outcome outcome = run_done(with_model("inspect", {"--tensors", "--check-finite"}));
  for (const char* text : {"English to Chinese", "embedding 12", "hidden 20", "Parameters", "epoch"}) {
    INFO(outcome.out);
    CHECK(outcome.out.find(text) != std::string::npos);
  }
}

TEST_CASE("a reader that goes away ends the tool quietly", "[translator]") {
  std::string input;
  for (int i = 0; i < 300; ++i) input += "The cats sleep.\n";
  Process process(with_model("translate", {"--max-length", "5"}), {.input = input});
  process.close_output();
  const Outcome outcome = process.wait();
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.empty());
}

TEST_CASE("a locale with a decimal comma changes nothing", "[translator]") {
  const RunOptions german{.input = {}, .environment = {"LC_ALL=de_DE.UTF-8"}};
  CHECK(run_done(with_model("inspect"), german).out == run_done(with_model("inspect")).out);
}
