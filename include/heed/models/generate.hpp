#pragma once
// Turning a model into sentences: greedy and beam search over anything that offers next-token logits row by row.
// Every source's result is independent of its neighbours: one source at a time and 64 at once give the same tokens and scores
// (SEMANTICS 26), because a row of logits does not depend on the other rows.

#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <heed/models/beam.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Feeds every unfinished row its last token, bos at first, until the end token or max_length. next(tokens, owner) steps the
/// decoder and gives one token per row; owner[r] is the source that row r belongs to.
template <StepDecoder D, class Next>
std::vector<std::vector<Index>> grow_greedily(D& decoder, const GenerateOptions& options, Next&& next) {
  check_options(options, decoder.vocab_size());
  std::vector<std::vector<Index>> results(static_cast<std::size_t>(decoder.rows()));
  std::vector<Index> owner(results.size()), tokens(results.size(), options.bos);
  std::iota(owner.begin(), owner.end(), Index{0});
  for (Index length = 0; length < options.max_length && !owner.empty(); ++length) {
    const std::vector<Index> found = next(std::span<const Index>(tokens), std::span<const Index>(owner));
    std::vector<Index> still, rows;
    tokens.clear();
    for (std::size_t r = 0; r < owner.size(); ++r) {
      results[static_cast<std::size_t>(owner[r])].push_back(found[r]);
      if (found[r] == options.eos) continue;
      still.push_back(owner[r]);
      rows.push_back(static_cast<Index>(r));
      tokens.push_back(found[r]);
    }
    if (still.size() < owner.size()) decoder.reorder(std::span<const Index>(rows));
    owner = std::move(still);
  }
  return results;
}

}  // namespace detail

/// The likeliest token at every step until the end token or max_length. One hypothesis per row the decoder starts with.
/// Cost: one decoder step per token of the longest result; finished rows leave the batch.
template <StepDecoder D>
std::vector<Hypothesis> greedy(D& decoder, const GenerateOptions& options = {}) {
  std::vector<Hypothesis> results(static_cast<std::size_t>(decoder.rows()));
  std::vector<std::vector<Index>> tokens =
      detail::grow_greedily(decoder, options, [&](std::span<const Index> fed, std::span<const Index> owner) {
        const auto logits = decoder.step(fed);
        std::vector<Index> found;
        for (std::size_t r = 0; r < owner.size(); ++r) {
          const detail::NextTokens next(logits.row(static_cast<Index>(r)), logits.cols, options);
          found.push_back(next.best());
          results[static_cast<std::size_t>(owner[r])].log_prob += next.log_prob(found.back());
        }
        return found;
      });
  for (std::size_t i = 0; i < results.size(); ++i) {
    Hypothesis& result = results[i];
    result.tokens = std::move(tokens[i]);
    result.score = result.log_prob / length_penalty(options, static_cast<Index>(result.tokens.size()));
  }
  return results;
}

/// The tokens of greedy() without their log-probabilities, which a decoder may find faster (ArgmaxDecoder).
template <StepDecoder D>
std::vector<std::vector<Index>> greedy_tokens(D& decoder, const GenerateOptions& options = {}) {
  return detail::grow_greedily(decoder, options, [&](std::span<const Index> fed, std::span<const Index>) {
    if constexpr (ArgmaxDecoder<D>) {
      return decoder.step_argmax(fed, std::span<const Index>(options.suppressed));
    } else {
      return detail::likeliest(decoder.step(fed), options.suppressed);
    }
  });
}

/// Beam search as SEMANTICS 26: a hypothesis that takes the end token is final and leaves the beam; each step considers the
/// 2 * beam best continuations; at max_length the live ones are final too; the search stops when no live one can still be
/// among the n best. Returns, per row the decoder starts with, n_best hypotheses, best first; fewer if there are no more, none
/// where a row's logits are NaN before anything ended.
/// Cost: one decoder step of at most rows * beam rows per token of the longest result.
template <StepDecoder D>
std::vector<std::vector<Hypothesis>> beam_search(D& decoder, const GenerateOptions& options = {}) {
  detail::check_options(options, decoder.vocab_size());
  std::vector<detail::Beam> beams(static_cast<std::size_t>(decoder.rows()), detail::Beam(options));
  std::vector<Index> tokens(beams.size(), options.bos), parents;
  while (!tokens.empty()) {
    const auto logits = decoder.step(std::span<const Index>(tokens));
    parents.clear();
    tokens.clear();
    Index row = 0;
    for (detail::Beam& beam : beams) {
      const Index fed = beam.live();
      if (fed == 0) continue;
      beam.advance(logits, row, parents);
      for (Index i = 0; i < beam.live(); ++i) tokens.push_back(beam.last_token(i));
      row += fed;
    }
    decoder.reorder(std::span<const Index>(parents));
  }
  std::vector<std::vector<Hypothesis>> results;
  for (detail::Beam& beam : beams) results.push_back(std::move(beam).results());
  return results;
}

}  // namespace heed::inline HEED_ABI
