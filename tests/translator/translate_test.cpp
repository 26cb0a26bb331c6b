// heed-translate translate, evaluate, interactive, inspect: one model file is enough, and bad files and texts are
// refused.

#include <algorithm>

#include "support/catch.hpp"
#include "translator/trained_model.hpp"

using namespace translator_testing;

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
  const std::string piped = trained() / "piped.svg";
  run_done(with_model("translate", {"--attention-svg", piped}), {.input = "The cats sleep & <eat>\n"});
  CHECK(read_all(piped) == drawing);
}

TEST_CASE("E7: a beam wider than the vocabulary is cut, with a word", "[translator]") {
  const Outcome outcome =
      run_done(with_model("translate", {"--beam", "100000", "--max-length", "3", "The cats sleep."}));
  CHECK(outcome.err.find("--beam cut") != std::string::npos);
}

TEST_CASE("E10: models that are missing, folders, no models or unreadable are refused with their path", "[translator]") {
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

TEST_CASE("D9: bytes that are no UTF-8 are replaced where that is asked for, and counted", "[translator]") {
  const Corpus& corpus = trained();
  write_all(corpus / "bad.txt", "The cats sleep.\n\xff cats sleep.\n\xff\n");
  const Outcome outcome = run_done(with_model("translate", {"--replace-bad", "--input", corpus / "bad.txt"}));
  CHECK(outcome.out.starts_with("猫睡觉。\n"));
  CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 3);
  CHECK(is_one_line(outcome.err));
  CHECK(outcome.err.find("bad bytes in 2 lines") != std::string::npos);
  write_all(corpus / "bad.tsv", "The \xff sleep.\t猫睡觉。\n");
  check_failed(with_model("evaluate", {"--data", corpus / "bad.tsv"}), {"bad.tsv: line 1", "UTF-8", "byte 4"});
  CHECK(run_done(with_model("evaluate", {"--data", corpus / "bad.tsv", "--replace-bad"})).err.find("in 1 line\n") !=
        std::string::npos);
}

TEST_CASE("binary and overlong input of translate is refused with its line", "[translator]") {  // D10, D11, D25
  const Corpus& corpus = trained();
  const auto refused = [&](const std::string& content, const std::vector<std::string>& wanted) {
    write_all(corpus / "binary", content);
    check_failed(with_model("translate", {"--replace-bad", "--input", corpus / "binary"}), wanted);
  };
  refused(std::string("fine\na\0b\n", 9), {"binary: line 2", "NUL at byte 1"});
  refused("fine\n" + std::string((1 << 20) + 1, 'x') + "\n", {"binary: line 2", "1048576 bytes"});
  check_failed(with_model("translate", {"--input", corpus.path().string()}), {corpus.path().string(), "directory"});
}

TEST_CASE("E25: a model of another format version is refused with both versions", "[translator]") {
  const Corpus& corpus = trained();
  std::string newer = read_all(corpus.model("m"));
  const std::string version = "\\\"format_version\\\":1";
  REQUIRE(newer.find(version) != std::string::npos);
  newer.replace(newer.find(version), version.size(), "\\\"format_version\\\":7");
  write_all(corpus / "newer.safetensors", newer);
  check_failed({"translate", "--model", corpus / "newer.safetensors", "x"},
               {"newer.safetensors", "format version 7", "reads version 1"});
}

TEST_CASE("a configuration that is not the tensors' is refused before memory is taken for it", "[translator]") {
  const Corpus& corpus = trained();
  const std::string whole = read_all(corpus.model("m"));
  for (const char* size : {"\\\"hidden_dim\\\":20", "\\\"embedding_dim\\\":12", "\\\"target_vocab\\\":"}) {
    for (const char* other : {"-1", "0", "21", "99999999999999", "1e300", "null"}) {
      std::string changed = whole;
      const std::size_t at = changed.find(size), colon = changed.find(':', at);
      REQUIRE(at != changed.npos);
      const std::size_t length = changed.find_first_of(",}", colon) - colon - 1;
      changed.replace(colon + 1, length, other);
      const auto grown = static_cast<std::ptrdiff_t>(changed.size()) - static_cast<std::ptrdiff_t>(whole.size());
      const auto bytes = static_cast<std::size_t>(static_cast<unsigned char>(whole[0]) +
                                                  256 * static_cast<unsigned char>(whole[1]) + grown);
      changed[0] = static_cast<char>(bytes % 256);
      changed[1] = static_cast<char>(bytes / 256);
      write_all(corpus / "odd.safetensors", changed);
      INFO(size << " -> " << other);
      check_failed({"translate", "--model", corpus / "odd.safetensors", "x"}, {"odd.safetensors"});
    }
  }
}

TEST_CASE("E13: outputs are never inputs or each other, and --no-clobber keeps what is there", "[translator]") {
  const Corpus& corpus = trained();
  write_all(corpus / "test.tsv", tiny_corpus(1));
  const std::string model = read_all(corpus.model("m"));
  check_failed(with_model("evaluate", {"--data", corpus / "test.tsv", "--output", corpus / "test.tsv"}), {"same file"},
               2);
  check_failed(with_model("translate", {"--attention-svg", corpus.model("m"), "x"}), {"same file"}, 2);
  check_failed(with_model("translate", {"--attention-svg", corpus / "o", "--output", corpus / "o", "x"}), {"same file"},
               2);
  check_failed(with_model("evaluate", {"--data", corpus / "test.tsv", "--output", corpus.model("m"), "--no-clobber"}),
               {"same file"}, 2);
  write_all(corpus / "kept.txt", "mine");
  check_failed(with_model("evaluate", {"--data", corpus / "test.tsv", "--output", corpus / "kept.txt", "--no-clobber"}),
               {"exists"});
  check_failed({"demo", "--no-clobber", "--model", corpus / "kept.txt"}, {"exists"});
  CHECK(read_all(corpus / "kept.txt") == "mine");
  CHECK(read_all(corpus.model("m")) == model);
}

TEST_CASE("an attention map is of one sentence", "[translator]") {
  const std::string svg = trained() / "two.svg";
  check_failed(with_model("translate", {"--attention-svg", svg}), {"one sentence", "2 lines"}, 2, {.input = "a\nb\n"});
  CHECK_FALSE(fs::exists(svg));
}

TEST_CASE("E31: an attention map that is too large to draw is refused", "[translator]") {
  std::string text;
  for (int i = 0; i < 50000; ++i) text += "a ";
  check_failed(with_model("translate", {"--attention-svg", trained() / "big.svg", text}), {"50001", "40000"});
  CHECK_FALSE(fs::exists(trained() / "big.svg"));
}

TEST_CASE("E16: a thread count of the environment that is no number is ignored with one warning", "[translator]") {
  for (const char* wrong : {"HEED_NUM_THREADS=abc", "HEED_NUM_THREADS=-3"}) {
    const RunOptions options{.input = {}, .environment = {wrong}};
    const Outcome ignored = run_done(with_model("translate", {"The cats sleep."}), options);
    CHECK(ignored.out == "猫睡觉。\n");
    CHECK(is_one_line(ignored.err));
    CHECK(run_done(with_model("translate", {"--threads", "1", "The cats sleep."}), options).out == "猫睡觉。\n");
  }
}

TEST_CASE("E32: too little memory for a model is an error with a reason", "[translator]") {
  const Corpus& corpus = trained();
  const std::string header = R"({"x":{"dtype":"F32","shape":[250000000],"data_offsets":[0,1000000000]}})";
  write_all(corpus / "vast.safetensors",
            std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header);
  fs::resize_file(corpus / "vast.safetensors", 8 + header.size() + 1'000'000'000);  // takes no room on the disk
  const RunOptions small{.input = {}, .memory_limit = rlim_t{160} << 20};
  const Outcome outcome = run({"translate", "--threads", "1", "--model", corpus / "vast.safetensors", "x"}, small);
  INFO(outcome.err);
  CHECK(outcome.exit_code == 1);
  CHECK(is_one_line(outcome.err));
  CHECK(outcome.err.find("not enough memory") != std::string::npos);
  CHECK(outcome.err.find("954 MiB") != std::string::npos);
  fs::remove(corpus / "vast.safetensors");
}

TEST_CASE("E18: file names with spaces, line ends, Chinese and a leading dash work", "[translator]") {
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

TEST_CASE("inspect shows languages, sizes, parameters and how the model was trained", "[translator]") {
  const Outcome outcome = run_done(with_model("inspect", {"--tensors", "--check-finite"}));
  for (const char* text : {"English to Chinese", "embedding 12", "hidden 20", "Parameters", "epoch"}) {
    INFO(outcome.out);
    CHECK(outcome.out.find(text) != std::string::npos);
  }
}

TEST_CASE("E20: a reader that goes away ends the tool quietly", "[translator]") {
  std::string input;
  for (int i = 0; i < 300; ++i) input += "The cats sleep.\n";
  Process process(with_model("translate", {"--max-length", "5"}), {.input = input});
  process.close_output();
  const Outcome outcome = process.wait();
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.empty());
}

TEST_CASE("E17: a locale with a decimal comma changes nothing", "[translator]") {
  const RunOptions german{.input = {}, .environment = {"LC_ALL=de_DE.UTF-8"}};
  CHECK(run_done(with_model("inspect"), german).out == run_done(with_model("inspect")).out);
}
