#include <heed/models/generate_options.hpp>

#include <cmath>
#include <vector>

#include <heed/models/generate.hpp>
#include "support/catch.hpp"

using heed::Index;

namespace {

/// A decoder that counts its steps.
struct Untouched {
  Index steps = 0;
  double logits[6] = {};
  Index vocab_size() const { return 6; }
  Index rows() const { return 1; }
  void reorder(std::span<const Index>) {}
  heed::MatrixView<double> step(std::span<const Index>) {
    ++steps;
    return {logits, 1, 6};
  }
};

}  // namespace

TEST_CASE("length penalties are those of their formulas", "[models]") {
  heed::GenerateOptions options{.alpha = 0.7};
  options.length_penalty = heed::LengthPenalty::none;
  CHECK(heed::length_penalty(options, 9) == 1);
  options.length_penalty = heed::LengthPenalty::power;
  CHECK(heed::length_penalty(options, 9) == Approx(std::pow(9.0, 0.7)));
  options.length_penalty = heed::LengthPenalty::gnmt;
  CHECK(heed::length_penalty(options, 9) == Approx(std::pow(14.0 / 6, 0.7)));
}

TEST_CASE("the best next tokens come in order, lower ids first among equals, impossible ones never", "[models]") {
  std::vector<float> logits = {3, 1, 3, 9, 2, 3};
  const heed::detail::NextTokens<float> next(logits.data(), 6, heed::GenerateOptions{.suppressed = {3}});
  CHECK(next.best() == 0);
  CHECK(next.best(3) == std::vector<Index>{0, 2, 5});
  CHECK(next.best(10) == std::vector<Index>{0, 2, 5, 4, 1});
  double total = 0;
  for (const Index token : next.best(10)) total += std::exp(next.log_prob(token));
  CHECK(total == Approx(1).epsilon(1e-6));
}

TEST_CASE("wrong options are refused by name before a step is made", "[models]") {
  Untouched decoder;
  const auto message = [&](heed::GenerateOptions options) {
    try {
      heed::beam_search(decoder, options);
    } catch (const heed::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(message({.bos = 6}) == "generate: bos is 6, wanted one of 0 to 5");
  CHECK(message({.eos = -1}) == "generate: eos is -1, wanted one of 0 to 5");
  CHECK(message({.max_length = 0}) == "generate: max_length is 0, wanted at least 1");
  CHECK(message({.beam = 0}) == "generate: beam is 0, wanted at least 1");
  CHECK(message({.beam = 2, .n_best = 3}) == "generate: n_best is 3, wanted at most beam 2");
  CHECK(message({.suppressed = {2}}) == "generate: eos is suppressed, wanted it possible");
  CHECK(decoder.steps == 0);
}
