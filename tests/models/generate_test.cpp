#include <heed/models/generate.hpp>

#include <cmath>
#include <vector>

#include "models/table_decoder.hpp"
#include "support/catch.hpp"

namespace {

using heed::Index;
using heed_test::TableDecoder;

constexpr double inf = std::numeric_limits<double>::infinity();

/// Every finished sequence of at most max_length tokens, scored by the textbook sum.
class Exhaustive {
 public:
  Exhaustive(Index source, Index vocab, const heed::GenerateOptions& options) : source_(source), vocab_(vocab), options_(options) {
    grow({}, 0);
  }
  heed::Hypothesis best() const {
    heed::Hypothesis best{{}, 0, -inf};
    for (const auto& h : all_) {
      if (h.score > best.score || (h.score == best.score && h.tokens < best.tokens)) best = h;
    }
    return best;
  }

 private:
  void grow(std::vector<Index> tokens, double log_prob) {
    const auto length = static_cast<Index>(tokens.size());
    if (length > 0 && (tokens.back() == options_.eos || length == options_.max_length)) {
      all_.push_back({tokens, log_prob, log_prob / heed::length_penalty(options_, length)});
      return;
    }
    const Index last = tokens.empty() ? options_.bos : tokens.back();
    const Index before = length == 0 ? 0 : length == 1 ? options_.bos : tokens[static_cast<std::size_t>(length - 2)];
    double sum = 0;
    for (Index t = 0; t < vocab_; ++t) sum += suppressed(t) ? 0 : std::exp(TableDecoder::logit(source_, before, last, t));
    for (Index t = 0; t < vocab_; ++t) {
      if (suppressed(t)) continue;
      auto longer = tokens;
      longer.push_back(t);
      grow(longer, log_prob + TableDecoder::logit(source_, before, last, t) - std::log(sum));
    }
  }
  bool suppressed(Index t) const {
    return std::find(options_.suppressed.begin(), options_.suppressed.end(), t) != options_.suppressed.end();
  }
  Index source_, vocab_;
  heed::GenerateOptions options_;
  std::vector<heed::Hypothesis> all_;
};

heed::GenerateOptions small_options() { return {.bos = 1, .eos = 2, .max_length = 5, .suppressed = {0, 1}}; }

}  // namespace

TEST_CASE("a beam as wide as the tree finds the best of all sequences", "[models]") {
  const auto penalty = GENERATE(heed::LengthPenalty::none, heed::LengthPenalty::power, heed::LengthPenalty::gnmt);
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
