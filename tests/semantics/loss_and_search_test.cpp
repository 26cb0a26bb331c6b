// SEMANTICS 25 and 26: the loss of a translator and how its sentences are found.

#include <heed/models/generate.hpp>
#include <heed/nn/loss.hpp>

#include "attention/attention_testing.hpp"
#include "models/table_decoder.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Beam search by the letter of SEMANTICS 26, one list per step.
struct TextbookBeam {
  std::vector<Hypothesis> live{{}}, finals;
  Index steps = 0;

  TextbookBeam(Index source, Index vocab, const GenerateOptions& options)
      : source_(source), vocab_(vocab), options_(options) {
    while (!live.empty()) step();
    rank(finals);
    finals.resize(std::min(finals.size(), static_cast<std::size_t>(options.n_best)));
  }

 private:
  static void rank(std::vector<Hypothesis>& all) {  // equal scores go by the token list, ascending
    std::sort(all.begin(), all.end(), [](const Hypothesis& a, const Hypothesis& b) {
      return a.score != b.score ? a.score > b.score : a.tokens < b.tokens;
    });
  }
  double lp(Index length) const {  // the end token counts
    const auto n = double(length);
    if (options_.length_penalty == LengthPenalty::none) return 1;
    return options_.length_penalty == LengthPenalty::power ? std::pow(n, options_.alpha)
                                                           : std::pow((5 + n) / 6, options_.alpha);
  }
  Hypothesis grown(const Hypothesis& from, Index token) const {
    const auto length = static_cast<Index>(from.tokens.size());
    const Index last = length == 0 ? options_.bos : from.tokens.back();
    const Index before = length == 0 ? 0 : length == 1 ? options_.bos : from.tokens[from.tokens.size() - 2];
    std::vector<double> row;
    for (Index t = 0; t < vocab_; ++t) {
      const bool suppressed = std::count(options_.suppressed.begin(), options_.suppressed.end(), t) > 0;
      row.push_back(suppressed ? -infinite<double> : TableDecoder::logit(source_, before, last, t));
    }
    Hypothesis next = from;
    next.tokens.push_back(token);
    next.log_prob += row[std::size_t(token)] - logsumexp_row(row.data(), vocab_);
    next.score = next.log_prob;
    return next;
  }
  void finish(Hypothesis hypothesis) {
    hypothesis.score = hypothesis.log_prob / lp(static_cast<Index>(hypothesis.tokens.size()));
    finals.push_back(std::move(hypothesis));
  }
  void step() {
    ++steps;
    std::vector<Hypothesis> candidates;
    for (const Hypothesis& hypothesis : live)
      for (Index token = 0; token < vocab_; ++token) candidates.push_back(grown(hypothesis, token));
    std::erase_if(candidates, [](const Hypothesis& h) { return h.log_prob == -infinite<double>; });
    rank(candidates);
    candidates.resize(std::min(candidates.size(), static_cast<std::size_t>(2 * options_.beam)));
    live.clear();
    for (Hypothesis& candidate : candidates) {
      if (candidate.tokens.back() == options_.eos)
        finish(candidate);  // final, and out of the beam
      else if (static_cast<Index>(live.size()) < options_.beam)
        live.push_back(candidate);
    }
    if (steps == options_.max_length) {
      for (const Hypothesis& hypothesis : live) finish(hypothesis);  // live ones count at the limit
      live.clear();
    }
    rank(finals);
    if (live.empty() || finals.size() < static_cast<std::size_t>(options_.n_best)) return;
    const double most = std::max(lp(steps + 1), lp(options_.max_length));  // log-probabilities are below 0
    if (live.front().log_prob / most < finals[static_cast<std::size_t>(options_.n_best - 1)].score) live.clear();
  }

  Index source_, vocab_;
  const GenerateOptions& options_;
};

/// Loss and gradient of rows of logits by the definition; targets that are `pad` do not count.
struct TextbookLoss {
  double sum = 0;
  Index counted = 0;
  Tensor<double, 2> gradient;

  TextbookLoss(const Tensor<double, 2>& logits, const std::vector<Index>& targets, Index pad, double smoothing,
               Smoothing over)
      : gradient(zeros<double, 2>(extents(logits))) {
    const Index classes = logits.dimension(1);
    for (Index r = 0; r < logits.dimension(0); ++r) counted += targets[std::size_t(r)] != pad;
    for (Index r = 0; r < logits.dimension(0); ++r) {
      const Index target = targets[std::size_t(r)];
      if (target == pad) continue;
      double total = 0;
      for (Index c = 0; c < classes; ++c) total += std::exp(logits(r, c));
      for (Index c = 0; c < classes; ++c) {
        const double all = smoothing / double(classes), other = smoothing / double(classes - 1);
        const double wanted = over == Smoothing::all_classes ? (c == target ? 1 - smoothing : 0) + all
                              : c == target                  ? 1 - smoothing
                                                             : other;
        sum -= wanted * (logits(r, c) - std::log(total));
        gradient(r, c) = (std::exp(logits(r, c)) / total - wanted) / double(counted);
      }
    }
  }
};

}  // namespace

TEMPLATE_TEST_CASE("semantics 25: the pad id is left out, the sum is divided by the tokens that count, and reported",
                   "[semantics]", float, double) {
  using T = TestType;
  const auto logits = random_tensor<T, 2>({6, 37}, 1, 3);
  const std::vector<Index> targets{4, 0, 36, 0, 1, 4};
  const double smoothing = GENERATE(0.0, 0.1);
  const auto over = GENERATE(Smoothing::all_classes, Smoothing::other_classes);
  const Index pad = GENERATE(0, -100);
  CHECK(CrossEntropyOptions<T>{}.smoothing == Smoothing::all_classes);  // torch's convention is the default
  const TextbookLoss wanted(in_double(logits), targets, pad, smoothing, over);
  Tensor<T, 2> gradient;
  const auto found =
      cross_entropy(logits, targets, {.ignore = pad, .label_smoothing = smoothing, .smoothing = over}, &gradient);
  CHECK(error(found.sum, wanted.sum) < tolerance<T>());
  CHECK(error(found.loss, wanted.sum / double(wanted.counted)) < tolerance<T>());
  CHECK(found.counted == (pad == 0 ? 4 : 6));
  CHECK(found.counted == wanted.counted);
  CHECK(close_tensor(gradient, wanted.gradient));
  if (pad == 0)
    for (Index c = 0; c < 37; ++c) CHECK(same_bits(gradient(1, c), T(0)));
}

TEMPLATE_TEST_CASE("semantics 25: what a row that does not count holds changes no bit", "[semantics]", float, double) {
  using T = TestType;
  auto logits = random_tensor<T, 2>({3, 9}, 1, 3);
  const std::vector<Index> targets{4, 0, 8};
  Tensor<T, 2> clean, poisoned;
  const auto wanted = cross_entropy(logits, targets, {.ignore = 0}, &clean);
  logits.chip(1, 0).setConstant(not_a_number<T>);
  const auto found = cross_entropy(logits, targets, {.ignore = 0}, &poisoned);
  CHECK(same_bits(found.loss, wanted.loss));
  CHECK(same_tensor(poisoned, clean));
  CHECK(cross_entropy(logits, std::vector<Index>{0, 0, 0}, {.ignore = 0}, &poisoned).loss == 0);
}

TEST_CASE("semantics 26: beam search is its definition's: scores, ends, 2 x beam candidates, limit, stop and ties",
          "[semantics]") {
  GenerateOptions options{.bos = 1, .eos = 2, .suppressed = {0, 1}};
  options.length_penalty = GENERATE(LengthPenalty::none, LengthPenalty::power, LengthPenalty::gnmt);
  options.alpha = 0.7;
  options.beam = GENERATE(1, 2, 3, 8);
  options.n_best = GENERATE(1, 2);
  options.max_length = GENERATE(1, 4, 9);
  options.n_best = std::min(options.n_best, options.beam);
  for (Index source = 1; source <= 25; ++source) {
    TableDecoder decoder({source}, 6);
    const auto found = beam_search(decoder, options)[0];
    const TextbookBeam wanted(source, 6, options);
    INFO("source " << source << ", beam " << options.beam << ", max_length " << options.max_length);
    REQUIRE(found.size() == wanted.finals.size());
    for (std::size_t n = 0; n < found.size(); ++n) {
      CHECK(found[n].tokens == wanted.finals[n].tokens);
      CHECK(found[n].log_prob == Approx(wanted.finals[n].log_prob).epsilon(1e-12));
      CHECK(found[n].score == Approx(wanted.finals[n].score).epsilon(1e-12));
    }
    CHECK(decoder.steps == wanted.steps);
  }
}

TEST_CASE("semantics 26: batch 1 and batch 64 give the same bytes", "[semantics]") {
  const GenerateOptions options{.bos = 1, .eos = 2, .max_length = 12, .suppressed = {0, 1}, .beam = 4, .n_best = 2};
  std::vector<Index> sources;
  for (Index source = 64; source >= 1; --source) sources.push_back(source);
  TableDecoder all(sources, 7);
  const auto together = beam_search(all, options);
  for (std::size_t s = 0; s < sources.size(); ++s) {
    TableDecoder one({sources[s]}, 7);
    const auto alone = beam_search(one, options);
    REQUIRE(alone[0].size() == together[s].size());
    for (std::size_t n = 0; n < alone[0].size(); ++n) {
      CHECK(alone[0][n].tokens == together[s][n].tokens);
      CHECK(same_bits(alone[0][n].log_prob, together[s][n].log_prob));
      CHECK(same_bits(alone[0][n].score, together[s][n].score));
    }
  }
}
