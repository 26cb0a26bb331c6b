#pragma once
// Turning a model into sentences: greedy search, beam search and sampling over anything that offers next-token logits
// row by row, behind one generate(). Every source's result is independent of its neighbours: one source at a time and
// 64 at once give the same tokens and scores (SEMANTICS 26), because a row of logits does not depend on the other rows.

#include <span>
#include <utility>
#include <vector>

#include <heed/models/beam.hpp>
#include <heed/models/sampling.hpp>
#include <heed/models/step_decoder.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// A row of a search that keeps one hypothesis: whose it is, which of its samples, and what it may take.
struct GrowingRow {
  Index source, sample;
  ScoreRules rules;
  Growing growing;
  std::span<const Index> tokens() const { return growing.so_far.tokens; }
};

/// What `decoder` tells of attention, to add to coverage; nothing where none is asked for.
template <StepDecoder D>
auto attention_of([[maybe_unused]] D& decoder) {
  if constexpr (AttendingDecoder<D>) {
    return [&decoder](Index row, Index position) { return attention_at(decoder.weights(), row, position); };
  } else {
    return NoAttention{};
  }
}

/// To be called before the first step.
template <StepDecoder D>
void prepare_attention([[maybe_unused]] D& decoder, const GenerateOptions& options) {
  if (options.coverage_penalty == CoveragePenalty::none) return;
  check(AttendingDecoder<D>, [] { return std::string("generate: a coverage penalty wants a decoder with weights()"); });
  if constexpr (requires { decoder.keep_weights(); }) decoder.keep_weights();
}

/// `per_source` rows for every source, side by side.
template <StepDecoder D>
std::vector<GrowingRow> start_rows(D& decoder, const GenerateOptions& options, Index per_source) {
  std::vector<GrowingRow> rows;
  std::vector<Index> parents;
  const Index sources = decoder.rows();
  for (Index source = 0; source < sources; ++source) {
    for (Index sample = 0; sample < per_source; ++sample) {
      rows.push_back({source, sample, ScoreRules(options, source), Growing(options, source)});
      parents.push_back(source);
    }
  }
  if (per_source > 1) decoder.reorder(std::span<const Index>(parents));
  return rows;
}

constexpr Index no_token = -1;

/// Feeds every unfinished row its last token, bos at first, until the end token or its longest length. next(tokens,
/// rows) steps the decoder and gives one token per row; no_token ends a row that then counts for nothing: it is left
/// without tokens.
template <StepDecoder D, class Next>
std::vector<GrowingRow> grow(D& decoder, const GenerateOptions& options, Index per_source, Next&& next) {
  check_options(options, decoder.vocab_size(), decoder.rows());
  prepare_attention(decoder, options);
  std::vector<GrowingRow> all = start_rows(decoder, options, per_source);
  std::vector<GrowingRow*> live;
  for (GrowingRow& row : all) live.push_back(&row);
  std::vector<Index> tokens(live.size(), options.bos);
  while (!live.empty()) {
    const std::vector<Index> found = next(std::span<const Index>(tokens), std::span<GrowingRow* const>(live));
    std::vector<GrowingRow*> still;
    std::vector<Index> rows;
    tokens.clear();
    for (std::size_t r = 0; r < live.size(); ++r) {
      std::vector<Index>& so_far = live[r]->growing.so_far.tokens;
      if (found[r] == no_token) so_far.clear();
      if (found[r] == no_token) continue;
      so_far.push_back(found[r]);
      if (found[r] == options.eos || live[r]->growing.length() >= live[r]->rules.max_length()) continue;
      still.push_back(live[r]);
      rows.push_back(static_cast<Index>(r));
      tokens.push_back(found[r]);
    }
    if (still.size() < live.size()) decoder.reorder(std::span<const Index>(rows));
    live = std::move(still);
  }
  return all;
}

/// grow() whose tokens choose(next, row) picks from every row's next tokens; adds up log-probabilities and coverage.
template <StepDecoder D, class Choose>
std::vector<GrowingRow> grow_by_scores(D& decoder, const GenerateOptions& options, Index per_source, Choose&& choose) {
  const auto attention = attention_of(decoder);
  return grow(decoder, options, per_source, [&](std::span<const Index> fed, std::span<GrowingRow* const> rows) {
    const auto logits = decoder.step(fed);
    std::vector<Index> found;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      GrowingRow& row = *rows[r];
      const auto place = static_cast<Index>(r);
      const NextTokens next(logits.row(place), logits.cols, options, row.rules, row.tokens());
      found.push_back(choose(next, row));
      if (found.back() != no_token) row.growing.so_far.log_prob += next.log_prob(found.back());
      row.growing.look(place, attention);
    }
    return found;
  });
}

}  // namespace detail

/// The likeliest token at every step until the end token or the longest length. One hypothesis per row the decoder
/// starts with. Cost: one decoder step per token of the longest result; finished rows leave the batch.
template <StepDecoder D>
std::vector<Hypothesis> greedy(D& decoder, const GenerateOptions& options = {}) {
  std::vector<Hypothesis> results;
  for (detail::GrowingRow& row :
       detail::grow_by_scores(decoder, options, 1, [](const auto&next, const auto&) { return next.best(); }))
    results.push_back(std::move(row.growing).finished(options));
  return results;
}

/// The tokens of greedy() without their log-probabilities, which a decoder may find faster (ArgmaxDecoder).
template <StepDecoder D>
std::vector<std::vector<Index>> greedy_tokens(D& decoder, const GenerateOptions& options = {}) {
  std::vector<std::vector<Index>> results;
  if (ScoreRules::any(options)) {
    for (Hypothesis& hypothesis : greedy(decoder, options)) results.push_back(std::move(hypothesis.tokens));
    return results;
  }
  for (detail::GrowingRow& row :
       detail::grow(decoder, options, 1, [&](std::span<const Index> fed, std::span<detail::GrowingRow*const>) {
         if constexpr (ArgmaxDecoder<D>) {
           return decoder.step_argmax(fed, std::span<const Index>(options.suppressed));
         } else {
           return detail::likeliest(decoder.step(fed), options.suppressed);
         }
       }))
    results.push_back(std::move(row.growing.so_far.tokens));
  return results;
}

/// n_best independent draws per row the decoder starts with, in the order of their numbers: every token is drawn as
/// options.sampling says. Sample s of a source is a function of its logits, (seed, key, s) and nothing else: the key is
/// options.sources.keys', for instance the sentence's place in the whole input, or the row's number. log_prob is the
/// model's, without temperature and cuts. A sample whose logits are NaN is left out. Throws heed::Error where options
/// are wrong. Cost: one decoder step of rows * n_best rows per token of the longest result.
template <StepDecoder D>
std::vector<std::vector<Hypothesis>> sample(D& decoder, const GenerateOptions& options = {}) {
  detail::check_sampling(options.sampling);
  const std::vector<std::uint64_t>& keys = options.sources.keys;
  std::vector<std::vector<Hypothesis>> results(static_cast<std::size_t>(decoder.rows()));
  auto rows =
      detail::grow_by_scores(decoder, options, options.n_best, [&](const auto& next, const detail::GrowingRow& row) {
        const auto source = static_cast<std::size_t>(row.source);
        const std::uint64_t key = keys.empty() ? source : keys[source];
        const double uniform = detail::sampling_uniform(options.sampling.seed, key, row.sample, row.growing.length());
        return detail::SampledRow(next, options.sampling).draw(uniform).value_or(detail::no_token);
      });
  for (detail::GrowingRow& row : rows) {
    if (row.tokens().empty()) continue;
    results[static_cast<std::size_t>(row.source)].push_back(std::move(row.growing).finished(options));
  }
  return results;
}

/// Beam search as SEMANTICS 26: a hypothesis that takes the end token is final and leaves the beam; each step considers
/// the 2 * beam best continuations; at the longest length the live ones are final too; the search stops when no live
/// one can still be among the n best. Returns, per row the decoder starts with, n_best hypotheses, best first; fewer if
/// there are no more, none where a row's logits are NaN before anything ended. Cost: one decoder step of at most rows *
/// beam rows per token of the longest result.
template <StepDecoder D>
std::vector<std::vector<Hypothesis>> beam_search(D& decoder, const GenerateOptions& options = {}) {
  detail::check_options(options, decoder.vocab_size(), decoder.rows());
  detail::check_beam(options);
  detail::prepare_attention(decoder, options);
  std::vector<detail::Beam> beams;
  for (Index source = 0; source < decoder.rows(); ++source) beams.emplace_back(options, source);
  std::vector<Index> tokens(beams.size(), options.bos), parents;
  while (!tokens.empty()) {
    const auto logits = decoder.step(std::span<const Index>(tokens));
    parents.clear();
    tokens.clear();
    Index row = 0;
    for (detail::Beam& beam : beams) {
      const Index fed = beam.live();
      if (fed == 0) continue;
      beam.advance(logits, row, parents, detail::attention_of(decoder));
      for (Index i = 0; i < beam.live(); ++i) tokens.push_back(beam.last_token(i));
      row += fed;
    }
    decoder.reorder(std::span<const Index>(parents));
  }
  std::vector<std::vector<Hypothesis>> results;
  for (detail::Beam& beam : beams) results.push_back(std::move(beam).results());
  return results;
}

/// What options.search names: per row the decoder starts with, its hypotheses: one of greedy search, the n_best of the
/// others.
template <StepDecoder D>
std::vector<std::vector<Hypothesis>> generate(D& decoder, const GenerateOptions& options = {}) {
  if (options.search == Search::beam) return beam_search(decoder, options);
  if (options.search == Search::sampling) return sample(decoder, options);
  std::vector<std::vector<Hypothesis>> results;
  for (Hypothesis& hypothesis : greedy(decoder, options)) results.push_back({std::move(hypothesis)});
  return results;
}

}  // namespace heed::inline HEED_ABI
