#pragma once
// Forced decoding: how likely a model holds sentences that are given, token by token.

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <heed/models/generate.hpp>

namespace heed::inline HEED_ABI {

/// A given sentence as a search would have rated it.
struct ForcedScore {
  Hypothesis hypothesis;
  std::vector<double> token_log_probs;  // in nats, one per token
};

namespace detail {

/// The rows of `live`, which name targets, that have a token at place t; the others leave the decoder.
template <StepDecoder D>
std::vector<std::size_t> keep_longer(D& decoder, std::span<const std::vector<Index>> targets, std::size_t t,
                                     const std::vector<std::size_t>& live) {
  std::vector<std::size_t> still;
  std::vector<Index> rows;
  for (std::size_t r = 0; r < live.size(); ++r) {
    if (t == targets[live[r]].size()) continue;
    still.push_back(live[r]);
    rows.push_back(static_cast<Index>(r));
  }
  if (still.size() < live.size()) decoder.reorder(std::span<const Index>(rows));
  return still;
}

}  // namespace detail

/// Feeds every row its target (tokens without bos, with eos where its end counts) -> its scores. What a search returns
/// gets the log_prob and the score that it was returned with, for the same options; suppressed tokens that a target has
/// are rated as if they alone were possible. Of options.rules only the repetition penalty counts. Throws heed::Error
/// where options are wrong or there is not one target per row. Cost: one decoder step per token of the longest target.
template <StepDecoder D>
std::vector<ForcedScore> score_forced(D& decoder, std::span<const std::vector<Index>> targets,
                                      const GenerateOptions& options = {}) {
  check(static_cast<Index>(targets.size()) == decoder.rows(), [&] {
    return "score_forced: targets has " + std::to_string(targets.size()) + " entries, wanted one per row, " +
           std::to_string(decoder.rows());
  });
  GenerateOptions own = options;
  own.rules = {.repetition_penalty = options.rules.repetition_penalty};
  own.sources.prefixes.assign(targets.begin(), targets.end());
  detail::check_options(own, decoder.vocab_size(), decoder.rows());
  detail::prepare_attention(decoder, own);
  const auto attention = detail::attention_of(decoder);

  std::vector<ForcedScore> results(targets.size());
  std::vector<detail::Growing> growing;
  std::vector<std::size_t> live;  // whose target each of the decoder's rows is
  for (std::size_t i = 0; i < targets.size(); ++i) {
    growing.emplace_back(own, static_cast<Index>(i));
    live.push_back(i);
  }
  for (std::size_t t = 0;; ++t) {
    live = detail::keep_longer(decoder, targets, t, live);
    if (live.empty()) break;
    std::vector<Index> fed;
    for (const std::size_t i : live) fed.push_back(growing[i].last_token(own));
    const auto logits = decoder.step(std::span<const Index>(fed));
    for (std::size_t r = 0; r < live.size(); ++r) {
      detail::Growing& each = growing[live[r]];
      const ScoreRules rules(own, static_cast<Index>(live[r]));
      const detail::NextTokens next(logits.row(static_cast<Index>(r)), logits.cols, own, rules, each.so_far.tokens);
      const Index token = targets[live[r]][t];
      results[live[r]].token_log_probs.push_back(next.log_prob(token));
      each.take(token, next.log_prob(token), static_cast<Index>(r), attention);
    }
  }
  for (std::size_t i = 0; i < targets.size(); ++i) results[i].hypothesis = std::move(growing[i]).finished(own);
  return results;
}

}  // namespace heed::inline HEED_ABI
