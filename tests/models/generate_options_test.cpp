#include <heed/models/generate_options.hpp>

#include <cmath>
#include <string>

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

TEST_CASE("wrong options are refused by name before a step is made", "[models]") {
  Untouched decoder;
  const auto message = [&](heed::GenerateOptions options) {
    try {
      heed::generate(decoder, options);
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
  const double nan = std::nan("");
  CHECK(message({.coverage_penalty = heed::CoveragePenalty::gnmt}) ==
        "generate: sources.lengths is empty, wanted for length ratios and coverage");
  CHECK(message({.coverage_penalty = heed::CoveragePenalty::gnmt, .sources = {.lengths = {4}}}) ==
        "generate: a coverage penalty wants a decoder with weights()");
  CHECK(message({.beta = nan}) == "generate: beta is nan, wanted a finite number from 0");
  const auto of_rules = [&](heed::TokenRules rules) { return message({.rules = std::move(rules)}); };
  CHECK(of_rules({.min_length = -1}) == "generate: min_length is -1, wanted at least 0");
  CHECK(of_rules({.min_length = 51}) == "generate: min_length is 51, wanted at most max_length 50");
  CHECK(of_rules({.min_length_ratio = nan}) == "generate: min_length_ratio is nan, wanted a finite number from 0");
  CHECK(of_rules({.max_length_ratio = -1}) == "generate: max_length_ratio is -1.000000, wanted a finite number from 0");
  CHECK(of_rules({.min_length_ratio = 2, .max_length_ratio = 1}) ==
        "generate: min_length_ratio is 2.000000, wanted at most max_length_ratio");
  CHECK(of_rules({.no_repeat_ngram = -1}) == "generate: no_repeat_ngram is -1, wanted at least 0");
  CHECK(of_rules({.repetition_penalty = 0}) ==
        "generate: repetition_penalty is 0.000000, wanted a finite number above 0");
  CHECK(of_rules({.banned = {{}}}) == "generate: a banned sequence is empty, wanted at least one token");
  CHECK(of_rules({.banned = {{1, 6}}}) == "generate: a banned token is 6, wanted one of 0 to 5");
  CHECK(of_rules({.forced = {{-1, 1}}}) == "generate: a forced position is -1, wanted at least 0");
  CHECK(of_rules({.forced = {{0, 6}}}) == "generate: a forced token is 6, wanted one of 0 to 5");
  CHECK(message({.sources = {.lengths = {1, 2}}}) ==
        "generate: sources.lengths has 2 entries, wanted none or one per source, 1");
  CHECK(message({.sources = {.prefixes = {{7}}}}) == "generate: a prefix's token is 7, wanted one of 0 to 5");
  CHECK(message({.sources = {.keys = {1, 2}}}) ==
        "generate: sources.keys has 2 entries, wanted none or one per source, 1");
  CHECK(decoder.steps == 0);
}

TEST_CASE("sampling refuses temperatures, ranks and masses that make no distribution", "[models]") {
  Untouched decoder;
  const auto message = [&](heed::SamplingOptions sampling) {
    try {
      heed::generate(decoder, {.search = heed::Search::sampling, .sampling = sampling});
    } catch (const heed::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const double nan = std::nan("");
  CHECK(message({.temperature = 0}) == "generate: temperature is 0.000000, wanted a finite number above 0");
  CHECK(message({.temperature = -1}) == "generate: temperature is -1.000000, wanted a finite number above 0");
  CHECK(message({.temperature = nan}) == "generate: temperature is nan, wanted a finite number above 0");
  CHECK(message({.top_k = -1}) == "generate: top_k is -1, wanted at least 0");
  CHECK(message({.top_p = 0}) == "generate: top_p is 0.000000, wanted a number above 0 and at most 1");
  CHECK(message({.top_p = 1.5}) == "generate: top_p is 1.500000, wanted a number above 0 and at most 1");
  CHECK(message({.top_p = nan}) == "generate: top_p is nan, wanted a number above 0 and at most 1");
  CHECK(decoder.steps == 0);
}
