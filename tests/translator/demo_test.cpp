// heed-translate demo, shortened: what it prints and writes. (Its quality is measured by the demo preset itself.)

#include "support/catch.hpp"
#include "translator/process.hpp"

using namespace translator_testing;

TEST_CASE("the demo trains, translates, draws, scores, saves and says what to type next", "[translator]") {
  const TempFolder folder;
  const std::string model = folder / "p.safetensors", svg = folder / "a.svg";
  const Outcome outcome = run({"demo", "--epochs", "1", "--model", model, "--attention-svg", svg});
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  CHECK(outcome.err.empty());
  for (const char* text : {"978 English-Chinese pairs", "tokens/s", "Hello, how are you?", "Held-out sentences",
                           "percent", "BLEU", "translated exactly", " translate --model "}) {
    CHECK(outcome.out.find(text) != std::string::npos);
  }
  CHECK(outcome.out.find('\x1b') == std::string::npos);
  CHECK(read_all(svg).find("<svg") != std::string::npos);
  const Outcome after = run({"translate", "--model", model, "Where is the bank?"});
  CHECK(after.exit_code == 0);
}

TEST_CASE("the demo checks where its files go before it trains", "[translator]") {
  const TempFolder folder;
  const Outcome outcome = run({"demo", "--model", folder / "missing/p.safetensors"});
  CHECK(outcome.exit_code == 1);
  CHECK(outcome.out.empty());
  CHECK(is_one_line(outcome.err));
}
