#pragma once
// Turning a model into sentences: greedy and beam search over anything that offers next-token logits row by row.
// Every source's result is independent of its neighbours: one source at a time and 64 at once give the same tokens and scores
// (SEMANTICS 26), because a row of logits does not depend on the other rows.

#include <span>
#include <utility>
#include <vector>

#include <heed/models/beam.hpp>

namespace heed::inline HEED_ABI {

/// The likeliest token at every step until the end token or max_length. One hypothesis per row the decoder starts with.
/// Cost: one decoder step per token of the longest result; finished rows leave the batch.
template <StepDecoder D>
std::vector<Hypothesis> greedy(D& decoder, const GenerateOptions& options = {}) {
  detail::check_options(options, decoder.vocab_size());
  std::vector<Hypothesis> results(static_cast<std::size_t>(decoder.rows()));
  std::vector<Index> owner(results.size()), tokens(results.size(), options.bos), rows;
  for (std::size_t r = 0; r < owner.size(); ++r) owner[r] = static_cast<Index>(r);
  for (Index length = 0; length < options.max_length && !owner.empty(); ++length) {
    const auto logits = decoder.step(std::span<const Index>(tokens));
    std::vector<Index> still;
    rows.clear();
    tokens.clear();
    for (std::size_t r = 0; r < owner.size(); ++r) {
      const detail::NextTokens next(logits.row(static_cast<Index>(r)), logits.cols, options);
      const Index token = next.best();
      Hypothesis& result = results[static_cast<std::size_t>(owner[r])];
      result.tokens.push_back(token);
      result.log_prob += next.log_prob(token);
      if (token == options.eos) continue;
      still.push_back(owner[r]);
      rows.push_back(static_cast<Index>(r));
      tokens.push_back(token);
    }
    if (still.size() < owner.size()) decoder.reorder(std::span<const Index>(rows));
    owner = std::move(still);
  }
  for (Hypothesis& result : results) {
    result.score = result.log_prob / length_penalty(options, static_cast<Index>(result.tokens.size()));
  }
  return results;
}

/// Beam search as SEMANTICS 26: a hypothesis that takes the end token is final and leaves the beam; each step considers the
/// 2 * beam best continuations; at max_length the live ones are final too; the search stops when no live one can still be
/// among the n best. Returns, per row the decoder starts with, n_best hypotheses, best first (fewer if there are no more).
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
