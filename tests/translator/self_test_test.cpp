// The self-test that a model file carries: run at every load, shown by inspect --verify.

#include <algorithm>

#include <heed/io/checkpoint.hpp>
#include <heed/version.hpp>

#include "translator/trained_model.hpp"

using namespace translator_testing;

namespace {

/// The trained model's file with another text in the place of the first `from`, under `name`; the header's length is
/// put right.
std::string changed_model(const std::string& name, const std::string& from, const std::string& to) {
  std::string bytes = read_all(trained().model("m"));
  const std::size_t at = bytes.find(from);
  REQUIRE(at != bytes.npos);
  bytes.replace(at, from.size(), to);
  std::size_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::size_t(static_cast<unsigned char>(bytes[i])) << (8 * i);
  length += to.size() - from.size();
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> (8 * i));
  write_all(trained() / name, bytes);
  return trained() / name;
}

/// The heed block's self-test, as the file has it: JSON in a JSON string.
std::string self_test_text() {
  const std::string bytes = read_all(trained().model("m"));
  const std::size_t begin = bytes.find(",\\\"self_test\\\":{"), end = bytes.find("}", bytes.find("tolerance", begin));
  REQUIRE(begin != bytes.npos);
  REQUIRE(end != bytes.npos);
  return bytes.substr(begin, end + 1 - begin);
}

}  // namespace

TEST_CASE("a model file carries an input, its expected output with a tolerance, and who wrote it", "[translator]") {
  const heed::Checkpoint checkpoint(trained().model("m"));
  REQUIRE(checkpoint.self_test());
  CHECK(checkpoint.self_test()->input.at("source").size() == 8);
  CHECK(checkpoint.self_test()->output.at("log_probs").size() == 9);
  CHECK(checkpoint.self_test()->tolerance == heed::self_test_tolerance);
  CHECK(checkpoint.written_by() == heed::library_text());
}

TEST_CASE("inspect --verify shows the self-test's numbers and who wrote and who reads the file", "[translator]") {
  CHECK(run_done(with_model("inspect")).out.find("Self-test    passed\n") != std::string::npos);
  const std::string shown = run_done(with_model("inspect", {"--verify"})).out;
  INFO(shown);
  for (const std::string& text :
       {std::string("Self-test    passed\n"), std::string("input      \"source\", 8 numbers"),
        std::string("output     \"log_probs\", 9 numbers"), std::string("farthest   "),
        std::string("tolerated 1.0e-03"), "saved by   " + heed::library_text(), "read by    " + heed::library_text()}) {
    CHECK(shown.find(text) != std::string::npos);
  }
}

TEST_CASE("inspect --verify refuses a file without a self-test, inspect and translate take it", "[translator]") {
  const std::string path = changed_model("untested.safetensors", self_test_text(), "");
  CHECK(run_done({"inspect", "--model", path}).out.find("Self-test    none in the file") != std::string::npos);
  CHECK(run_done({"translate", "--model", path, "The cats sleep."}).out == "猫睡觉。\n");
  check_failed({"inspect", "--verify", "--model", path},
               {"untested.safetensors", "no self-test in the file", "--verify"});
}

TEST_CASE("another expected output is refused at every load, with both numbers and both libraries", "[translator]") {
  const std::string begin = "\\\"log_probs\\\":[-";
  const std::string path = changed_model("other.safetensors", begin, begin + "9");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"translate", "x"}, {"inspect"}, {"inspect", "--verify"}, {"interactive"}}) {
    std::vector<std::string> arguments = command;
    for (const char* more : {"--model", path.c_str()}) arguments.emplace_back(more);
    check_failed(arguments, {"other.safetensors", "the self-test failed: \"log_probs\"[0] is -", "expected -9",
                             "within ", "saved by " + heed::library_text(), "this " + heed::library_text()});
  }
}

TEST_CASE("the file's own tolerance is the one that counts", "[translator]") {
  const std::string begin = "\\\"log_probs\\\":[-", tolerance = "\\\"tolerance\\\":0.001";
  changed_model("wide.safetensors", tolerance, "\\\"tolerance\\\":0.999");
  const std::string wide = read_all(trained() / "wide.safetensors");
  run_done({"inspect", "--model", trained() / "wide.safetensors"});
  for (const char* wrong : {"-1", "1", "1e300", "null"}) {
    const std::string path = changed_model("odd.safetensors", tolerance, "\\\"tolerance\\\":" + std::string(wrong));
    check_failed({"inspect", "--model", path}, {"odd.safetensors", "tolerance"});
  }
  const std::string strict = changed_model("strict.safetensors", tolerance, "\\\"tolerance\\\":0");
  const Outcome outcome = run({"inspect", "--model", strict});  // the same library and threads: the same bits
  CHECK(outcome.exit_code == 0);
}

TEST_CASE("weights that are not those that were saved are refused at every load", "[translator]") {
  const Corpus& corpus = trained();
  std::string zeroed = read_all(corpus.model("m"));  // half of the weights
  const std::size_t data =
      8 + std::size_t(static_cast<unsigned char>(zeroed[0])) + 256 * std::size_t(static_cast<unsigned char>(zeroed[1]));
  std::fill_n(zeroed.begin() + static_cast<std::ptrdiff_t>(data), (zeroed.size() - data) / 2, '\0');
  write_all(corpus / "zeroed.safetensors", zeroed);
  check_failed({"translate", "--model", corpus / "zeroed.safetensors", "x"},
               {"zeroed.safetensors", "the self-test failed: \"log_probs\"[", "expected"});
}

TEST_CASE("a self-test whose input is no id of the vocabulary is refused with the id and the range", "[translator]") {
  const std::string begin = "\\\"source\\\":[";
  for (const char* wrong : {"-1,", "1000000,", "2.5,"}) {
    const std::string path = changed_model("ids.safetensors", begin, begin + wrong);
    check_failed({"inspect", "--model", path}, {"ids.safetensors", "input \"source\" holds", "wanted ids from 0 to"});
  }
}

TEST_CASE("what a file says of itself commands no terminal", "[translator]") {
  const std::string path =
      changed_model("escapes.safetensors", "\\\"library\\\":\\\"heed ", "\\\"library\\\":\\\"\\\\u001b[2J ");
  const Outcome outcome = run({"inspect", "--verify", "--model", path});
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.out.find('\x1b') == std::string::npos);
  CHECK(outcome.out.find("\\x1B[2J") != std::string::npos);
}

TEST_CASE("C50: weights that hold NaN are refused by --check-finite", "[translator]") {
  const Corpus& corpus = trained();
  std::string broken = read_all(corpus.model("m"));  // the last number is NaN
  broken.replace(broken.size() - 4, 4, "\xff\xff\xff\x7f");
  write_all(corpus / "nan.safetensors", broken);
  check_failed({"inspect", "--check-finite", "--model", corpus / "nan.safetensors"},
               {"nan.safetensors", "NaN or infinity"});
}
