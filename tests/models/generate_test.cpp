#include <heed/models/generate.hpp>

#include <cmath>
#include <vector>

#include "models/search_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

TEST_CASE("a beam as wide as the tree finds the best of all sequences", "[models]") {
  const auto penalty = GENERATE(heed::LengthPenalty::none, heed::LengthPenalty::power, heed::LengthPenalty::gnmt,
                                heed::LengthPenalty::word_reward);
  const Index source = GENERATE(1, 2, 3, 4, 5);
  heed::GenerateOptions options = small_options();
  options.length_penalty = penalty;
  options.alpha = 0.8;
  options.beam = 400;
  TableDecoder decoder({source}, 6);
  const auto found = heed::beam_search(decoder, options);
  const heed::Hypothesis best = Exhaustive(source, 6, options).best();
  REQUIRE(found.size() == 1);
  CHECK(found[0][0].tokens == best.tokens);
  CHECK(found[0][0].log_prob == Approx(best.log_prob).epsilon(1e-12));
  CHECK(found[0][0].score == Approx(best.score).epsilon(1e-12));
}

TEST_CASE("greedy tokens are greedy search's, whether or not the decoder finds them itself", "[models]") {
  struct Finder : TableDecoder {
    using TableDecoder::TableDecoder;
    std::vector<Index> step_argmax(std::span<const Index> tokens, std::span<const Index> suppressed) {
      ++calls;
      return heed::detail::likeliest(step(tokens), suppressed);
    }
    Index calls = 0;
  };
  const heed::GenerateOptions options = small_options();
  TableDecoder scored({1, 2, 3, 4, 5, 6}, 6), plain({1, 2, 3, 4, 5, 6}, 6);
  Finder finder({1, 2, 3, 4, 5, 6}, 6);
  const auto wanted = heed::greedy(scored, options);
  const auto tokens = heed::greedy_tokens(plain, options), found = heed::greedy_tokens(finder, options);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(tokens[i] == wanted[i].tokens);
    CHECK(found[i] == wanted[i].tokens);
  }
  CHECK(plain.steps == scored.steps);
  CHECK(finder.calls == finder.steps);
  CHECK_THROWS_AS(heed::greedy_tokens(plain, {.bos = 7}), heed::Error);
}

TEST_CASE("a beam of one without length penalty is greedy search up to its first end token", "[models]") {
  heed::GenerateOptions options = small_options();
  options.beam = 1;
  options.length_penalty = heed::LengthPenalty::none;
  for (Index source = 1; source < 20; ++source) {
    TableDecoder one({source}, 6), two({source}, 6);
    const auto greedy = heed::greedy(one, options);
    const auto beam = heed::beam_search(two, options);
    CHECK(beam[0][0].score >= greedy[0].score);
    if (beam[0][0].tokens.size() >= greedy[0].tokens.size()) CHECK(beam[0][0].tokens == greedy[0].tokens);
  }
}

TEST_CASE("a source's result does not depend on its neighbours", "[models]") {
  heed::GenerateOptions options = small_options();
  options.beam = 3;
  options.n_best = 3;
  options.max_length = 12;
  std::vector<Index> sources;
  for (Index source = 1; source <= 17; ++source) sources.push_back(source);
  TableDecoder all(sources, 7), all_greedy(sources, 7);
  const auto together = heed::beam_search(all, options);
  const auto greedy_together = heed::greedy(all_greedy, options);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    TableDecoder one({sources[i]}, 7), one_greedy({sources[i]}, 7);
    const auto alone = heed::beam_search(one, options);
    const auto greedy_alone = heed::greedy(one_greedy, options);
    REQUIRE(alone[0].size() == together[i].size());
    for (std::size_t k = 0; k < alone[0].size(); ++k) {
      CHECK(alone[0][k].tokens == together[i][k].tokens);
      CHECK(alone[0][k].log_prob == together[i][k].log_prob);
    }
    CHECK(greedy_alone[0].tokens == greedy_together[i].tokens);
    CHECK(greedy_alone[0].log_prob == greedy_together[i].log_prob);
  }
}

TEST_CASE("stopping early changes no result", "[models]") {
  heed::GenerateOptions options = small_options();
  options.beam = 4;
  options.max_length = 9;
  for (Index source = 1; source < 40; ++source) {
    options.n_best = 1;
    TableDecoder early({source}, 8);
    const auto best = heed::beam_search(early, options);
    options.n_best = 4;  // has to look further
    TableDecoder late({source}, 8);
    const auto four = heed::beam_search(late, options);
    CHECK(best[0][0].tokens == four[0][0].tokens);
    CHECK(early.steps <= late.steps);
    for (std::size_t k = 1; k < four[0].size(); ++k) CHECK(four[0][k - 1].score >= four[0][k].score);
  }
}

TEST_CASE("a source whose logits are NaN gives nothing and disturbs no other", "[models]") {
  class Broken : public TableDecoder {  // source 1: NaN throughout, source 3: one NaN in every row
   public:
    Broken() : TableDecoder({1, 2, 3}, 6), sources_{1, 2, 3} {}
    void reorder(std::span<const Index> parents) {
      std::vector<Index> next;
      for (const Index parent : parents) next.push_back(sources_[static_cast<std::size_t>(parent)]);
      sources_ = next;
      TableDecoder::reorder(parents);
    }
    heed::MatrixView<double> step(std::span<const Index> tokens) {
      const auto logits = TableDecoder::step(tokens);
      for (Index r = 0; r < logits.rows; ++r) {
        if (sources_[static_cast<std::size_t>(r)] == 1) std::fill_n(logits.row(r), logits.cols, std::nan(""));
        if (sources_[static_cast<std::size_t>(r)] == 3) logits(r, 4) = std::nan("");
      }
      return logits;
    }

   private:
    std::vector<Index> sources_;
  } broken;
  const heed::GenerateOptions options{.max_length = 5, .beam = 4, .n_best = 2};
  const auto found = heed::beam_search(broken, options);
  TableDecoder alone({2}, 6);
  const auto wanted = heed::beam_search(alone, options);
  REQUIRE(found.size() == 3);
  CHECK(found[0].empty());
  CHECK(found[2].empty());
  REQUIRE(found[1].size() == wanted[0].size());
  for (std::size_t i = 0; i < wanted[0].size(); ++i) CHECK(found[1][i].tokens == wanted[0][i].tokens);
}

TEST_CASE("suppressed tokens are never produced and take no probability", "[models]") {
  TableDecoder decoder({3}, 6);
  heed::GenerateOptions options = small_options();
  options.suppressed = {0, 1, 3, 4, 5};  // only the end token is left
  const auto found = heed::greedy(decoder, options);
  CHECK(found[0].tokens == std::vector<Index>{2});
  CHECK(found[0].log_prob == 0.0);
}

namespace {

std::vector<Index> numbers(Index first, Index last) {
  std::vector<Index> all;
  for (Index i = first; i <= last; ++i) all.push_back(i);
  return all;
}

bool has(const std::vector<Index>& tokens, const std::vector<Index>& part) {
  return std::search(tokens.begin(), tokens.end(), part.begin(), part.end()) != tokens.end();
}

/// A wide beam must give the n best of all sentences that a predicate allows.
void check_n_best(const heed::GenerateOptions& options, Index source, const Exhaustive::Allowed& allowed) {
  heed::GenerateOptions wide = options;
  wide.beam = 1500;
  wide.n_best = 6;
  TableDecoder decoder({source}, 6);
  const auto found = heed::beam_search(decoder, wide)[0];
  const Exhaustive every(source, 6, options, allowed);
  REQUIRE(found.size() == std::min<std::size_t>(6, every.all().size()));
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].score == Approx(every.all()[i].score).epsilon(1e-12));
    CHECK(allowed(found[i].tokens));
  }
}

}  // namespace

TEST_CASE("under every rule a wide beam finds the best of the sentences that the rule allows", "[models]") {
  const Index source = GENERATE(1, 2, 3);
  heed::GenerateOptions options = small_options();
  options.sources.lengths = {3};
  const auto all = [](const std::vector<Index>&) { return true; };
  SECTION("a minimum length") {
    options.rules.min_length = 4;
    check_n_best(options, source, [](const auto& tokens) { return tokens.size() >= 4; });
  }
  SECTION("a ratio of the source's length") {
    options.rules.min_length_ratio = 1.1;  // 3.3 tokens, so 4
    check_n_best(options, source, [](const auto& tokens) { return tokens.size() >= 4; });
  }
  SECTION("no bigram twice") {
    options.rules.no_repeat_ngram = 2;
    check_n_best(options, source, [](const auto& tokens) {
      for (std::size_t i = 0; i + 1 < tokens.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
          if (tokens[i] == tokens[j] && tokens[i + 1] == tokens[j + 1]) return false;
      return true;
    });
  }
  SECTION("banned tokens and sequences") {
    options.rules.banned = {{3}, {4, 5}, {5, 5, 4}};
    check_n_best(options, source, [](const auto& tokens) {
      return !has(tokens, {3}) && !has(tokens, {4, 5}) && !has(tokens, {5, 5, 4});
    });
  }
  SECTION("a prefix and a forced token behind it") {
    options.sources.prefixes = {{5, 3}};
    options.rules.forced = {{1, 4}, {2, 5}};  // the prefix has position 1
    check_n_best(options, source, [](const auto& tokens) {
      return tokens.size() > 2 && tokens[0] == 5 && tokens[1] == 3 && tokens[2] == 5;
    });
  }
  SECTION("a repetition penalty") {
    options.rules.repetition_penalty = 1.7;
    check_n_best(options, source, all);
  }
  SECTION("coverage") {
    options.coverage_penalty = GENERATE(heed::CoveragePenalty::gnmt, heed::CoveragePenalty::summary);
    options.beta = 0.7;
    check_n_best(options, source, all);
  }
}

TEST_CASE("a longest length that goes by the source's ends its hypotheses alone", "[models]") {
  heed::GenerateOptions options = small_options();
  options.max_length = 8;
  options.sources.lengths = {1, 2, 6};
  options.rules = {.min_length = 8, .max_length_ratio = 1.5};
  const std::vector<std::size_t> wanted = {2, 3, 8};  // 1.5 -> 2, 3, 9 -> 8; the end token is forbidden before
  TableDecoder one({1, 2, 3}, 6), two({1, 2, 3}, 6), three({1, 2, 3}, 6);
  const auto greedy = heed::greedy(one, options);
  const auto beam = heed::beam_search(two, options);
  const auto sampled = heed::sample(three, options);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(greedy[i].tokens.size() == wanted[i]);
    CHECK(beam[i][0].tokens.size() == wanted[i]);
    CHECK(sampled[i][0].tokens.size() == wanted[i]);
  }
}

TEST_CASE("greedy search obeys the rules, scored or not", "[models]") {
  heed::GenerateOptions options = small_options();
  options.max_length = 12;
  options.rules = {.min_length = 4, .no_repeat_ngram = 1, .banned = {{3}}};
  options.sources.prefixes = {{5}, {}};
  TableDecoder one({1, 2}, 9), two({1, 2}, 9);
  const auto found = heed::greedy(one, options);
  for (std::size_t i = 0; i < 2; ++i) {
    std::vector<Index> tokens = found[i].tokens;
    CHECK(tokens.size() >= 4);
    CHECK(!has(tokens, {3}));
    std::sort(tokens.begin(), tokens.end());
    CHECK(std::adjacent_find(tokens.begin(), tokens.end()) == tokens.end());
  }
  CHECK(found[0].tokens[0] == 5);
  CHECK(heed::greedy_tokens(two, options) == std::vector<std::vector<Index>>{found[0].tokens, found[1].tokens});
}

TEST_CASE("sampled sentences have the model's probabilities", "[models]") {
  heed::GenerateOptions options = small_options();
  options.max_length = 2;
  options.n_best = 20000;
  options.sampling = {.temperature = 1, .seed = 5};
  const Exhaustive every(3, 6, options);
  std::map<std::vector<Index>, double> probability;
  for (const heed::Hypothesis& h : every.all()) probability[h.tokens] = std::exp(h.log_prob);
  TableDecoder decoder({3}, 6);
  std::map<std::vector<Index>, Index> counts;
  const auto sampled = heed::sample(decoder, options);
  for (const heed::Hypothesis& h : sampled[0]) {
    ++counts[h.tokens];
    CHECK(std::exp(h.log_prob) == Approx(probability[h.tokens]).epsilon(1e-12));
  }
  REQUIRE(probability.size() == 13);
  CHECK(chi_square(probability, counts, 20000) < 32.9);  // 12 degrees of freedom: one run in a thousand is above
}

TEST_CASE("a source's samples depend on seed and key, not on its neighbours, its place or their number", "[models]") {
  heed::GenerateOptions options = small_options();
  options.max_length = 9;
  options.n_best = 3;
  options.sampling = {.temperature = 1.3, .top_k = 5, .top_p = 0.95, .seed = 11};
  const std::vector<Index> sources = numbers(1, 9);
  for (const Index source : sources) options.sources.keys.push_back(static_cast<std::uint64_t>(source) << 40);
  TableDecoder all(sources, 8), again(sources, 8);
  const auto together = heed::sample(all, options);
  const auto same = heed::sample(again, options);
  std::map<std::vector<Index>, int> kinds;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    heed::GenerateOptions own = options;
    own.sources.keys = {options.sources.keys[i]};
    own.n_best = 2;
    TableDecoder one({sources[i]}, 8);
    const auto alone = heed::sample(one, own)[0];
    REQUIRE(together[i].size() == 3);
    for (std::size_t s = 0; s < 2; ++s) {
      CHECK(alone[s].tokens == together[i][s].tokens);
      CHECK(alone[s].log_prob == together[i][s].log_prob);
    }
    for (std::size_t s = 0; s < 3; ++s) {
      CHECK(same[i][s].tokens == together[i][s].tokens);
      ++kinds[together[i][s].tokens];
    }
  }
  CHECK(kinds.size() > 20);  // of 27: samples are no copies of each other
  options.sampling.seed = 12;
  TableDecoder other(sources, 8);
  const auto differs = heed::sample(other, options);
  bool any = false;
  for (std::size_t i = 0; i < sources.size(); ++i) any = any || differs[i][0].tokens != together[i][0].tokens;
  CHECK(any);
}

TEST_CASE("without keys a source's place is its key", "[models]") {
  heed::GenerateOptions options = small_options();
  options.search = heed::Search::sampling;
  TableDecoder unnamed({1, 2, 3}, 8), named({1, 2, 3}, 8);
  const auto found = heed::generate(unnamed, options);
  options.sources.keys = {0, 1, 2};
  const auto wanted = heed::generate(named, options);
  for (std::size_t i = 0; i < 3; ++i) CHECK(found[i][0].tokens == wanted[i][0].tokens);
}

TEST_CASE("sampling of the likeliest token alone is greedy search", "[models]") {
  heed::GenerateOptions options = small_options();
  options.sampling.top_k = 1;
  TableDecoder one(numbers(1, 20), 7), two(numbers(1, 20), 7), three(numbers(1, 20), 7);
  const auto wanted = heed::greedy(one, options);
  const auto found = heed::sample(two, options);
  options.search = heed::Search::greedy;
  const auto generated = heed::generate(three, options);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(found[i][0].tokens == wanted[i].tokens);
    CHECK(found[i][0].log_prob == wanted[i].log_prob);
    CHECK(found[i][0].score == wanted[i].score);
    CHECK(generated[i][0].tokens == wanted[i].tokens);
  }
}

TEST_CASE("a sample whose logits are NaN is left out and disturbs no other", "[models]") {
  struct Broken : TableDecoder {
    Broken() : TableDecoder({1, 2}, 6) {}
    heed::MatrixView<double> step(std::span<const Index> tokens) {
      const auto logits = TableDecoder::step(tokens);
      if (steps == 1) logits(0, 4) = std::nan("");
      return logits;
    }
  } broken;
  TableDecoder whole({1, 2}, 6);
  const auto found = heed::sample(broken, small_options()), wanted = heed::sample(whole, small_options());
  CHECK(found[0].empty());
  CHECK(found[1][0].tokens == wanted[1][0].tokens);
}
