#pragma once
// What the translation models' tests share: small random batches of token ids.

#include <vector>

#include <heed/core/random.hpp>
#include <heed/core/token_batch.hpp>

namespace heed_test {

using heed::Index;

/// Pairs with these lengths (end tokens counted): ids 4 to vocab - 1, pad 0, <s> 1, </s> 2, padded to the longest.
inline heed::TokenBatch random_batch(const std::vector<Index>& source_lengths, const std::vector<Index>& target_lengths,
                                     Index vocab, std::uint64_t seed) {
  heed::Rng rng{seed, 0};
  const auto batch = static_cast<Index>(source_lengths.size());
  heed::TokenBatch made{heed::zeros<Index, 2>({batch, *std::max_element(source_lengths.begin(), source_lengths.end())}),
                        source_lengths,
                        heed::zeros<Index, 2>({batch, *std::max_element(target_lengths.begin(), target_lengths.end())}),
                        {},
                        target_lengths};
  made.target_output = made.target_input;
  for (Index b = 0; b < batch; ++b) {
    const Index source = source_lengths[static_cast<std::size_t>(b)], target = target_lengths[static_cast<std::size_t>(b)];
    for (Index j = 0; j < source; ++j) made.source(b, j) = j + 1 == source ? 2 : 4 + rng.below(vocab - 4);
    for (Index t = 0; t < target; ++t) {
      made.target_output(b, t) = t + 1 == target ? 2 : 4 + rng.below(vocab - 4);
      made.target_input(b, t) = t == 0 ? 1 : made.target_output(b, t - 1);
    }
  }
  return made;
}

/// Pair b of a batch alone, padded to other lengths.
inline heed::TokenBatch pair_of(const heed::TokenBatch& batch, Index b, Index source_steps, Index target_steps) {
  heed::TokenBatch one{heed::zeros<Index, 2>({1, source_steps}),
                       {batch.source_lengths[static_cast<std::size_t>(b)]},
                       heed::zeros<Index, 2>({1, target_steps}),
                       heed::zeros<Index, 2>({1, target_steps}),
                       {batch.target_lengths[static_cast<std::size_t>(b)]}};
  for (Index j = 0; j < one.source_lengths[0]; ++j) one.source(0, j) = batch.source(b, j);
  for (Index t = 0; t < one.target_lengths[0]; ++t) {
    one.target_input(0, t) = batch.target_input(b, t);
    one.target_output(0, t) = batch.target_output(b, t);
  }
  return one;
}

}  // namespace heed_test
