#pragma once
// Batches of sentences of like length, padded into tensors; the order of an epoch is a function of (seed, epoch), so a
// resumed run repeats it.

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <heed/core/random.hpp>
#include <heed/core/token_batch.hpp>
#include <heed/text/corpus.hpp>
#include <heed/text/vocabulary.hpp>

namespace heed::inline HEED_ABI {

/// The pairs at these places as one batch, filled up with <pad>: sources end in </s>, lengths count it. Throws Error
/// where `places` is empty or a place is outside `pairs`.
inline TokenBatch make_batch(std::span<const EncodedPair> pairs, std::span<const Index> places) {
  const auto count = static_cast<Index>(pairs.size());
  check(!places.empty(), [] { return std::string("make_batch: places is empty, wanted at least one pair"); });
  TokenBatch batch;
  Index source_steps = 0, target_steps = 0;
  for (const Index place : places) {
    check(place >= 0 && place < count, [&] {
      return "make_batch: place is " + std::to_string(place) + ", wanted 0 to " + std::to_string(count - 1);
    });
    const EncodedPair& pair = pairs[static_cast<std::size_t>(place)];
    batch.source_lengths.push_back(static_cast<Index>(pair.source.size()) + 1);
    batch.target_lengths.push_back(static_cast<Index>(pair.target.size()) + 1);
    source_steps = std::max(source_steps, batch.source_lengths.back());
    target_steps = std::max(target_steps, batch.target_lengths.back());
  }
  const auto rows = static_cast<Index>(places.size());
  batch.source = Tensor<Index, 2>(rows, source_steps).setConstant(pad_id);
  batch.target_input = Tensor<Index, 2>(rows, target_steps).setConstant(pad_id);
  batch.target_output = batch.target_input;
  for (Index b = 0; b < rows; ++b) {
    const EncodedPair& pair = pairs[static_cast<std::size_t>(places[static_cast<std::size_t>(b)])];
    Index step = 0;
    for (const Index id : pair.source) batch.source(b, step++) = id;
    batch.source(b, step) = end_id;
    step = 0;
    batch.target_input(b, step) = start_id;
    for (const Index id : pair.target) {
      batch.target_output(b, step) = id;
      batch.target_input(b, ++step) = id;
    }
    batch.target_output(b, step) = end_id;
  }
  return batch;
}

/// What a step reads and predicts: all lengths' sum.
inline Index token_count(const TokenBatch& batch) {
  return std::accumulate(batch.source_lengths.begin(), batch.source_lengths.end(), Index{0}) +
         std::accumulate(batch.target_lengths.begin(), batch.target_lengths.end(), Index{0});
}

/// Which batches an epoch has, each a list of places in `pairs`.
using BatchPlan = std::vector<std::vector<Index>>;

namespace detail {

/// Sorts places by (target length, source length), equals in the order given, and cuts the list.
inline BatchPlan cut_by_length(std::span<const EncodedPair> pairs, Index batch_size, std::vector<Index> places) {
  check(batch_size >= 1,
        [&] { return "batch_plan: batch_size is " + std::to_string(batch_size) + ", wanted at least 1"; });
  std::stable_sort(places.begin(), places.end(), [&](Index a, Index b) {
    const EncodedPair& left = pairs[static_cast<std::size_t>(a)];
    const EncodedPair& right = pairs[static_cast<std::size_t>(b)];
    return std::tuple(left.target.size(), left.source.size()) < std::tuple(right.target.size(), right.source.size());
  });
  const auto count = static_cast<Index>(places.size());
  BatchPlan plan;
  for (Index first = 0; first < count;) {
    const Index size = std::min(batch_size, count - first);
    plan.emplace_back(places.begin() + first, places.begin() + first + size);
    first += size;
  }
  return plan;
}

inline std::vector<Index> all_places(std::size_t count) {
  std::vector<Index> places(count);
  std::iota(places.begin(), places.end(), Index{0});
  return places;
}

}  // namespace detail

/// Batches in order of length: for validation. Throws Error for batch_size < 1.
inline BatchPlan batch_plan(std::span<const EncodedPair> pairs, Index batch_size) {
  return detail::cut_by_length(pairs, batch_size, detail::all_places(pairs.size()));
}

/// What an epoch's order is a function of.
struct EpochKey {
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
};

/// Batches for training: pairs shuffled, sorted by length (equal lengths stay shuffled), cut, and the batches shuffled.
/// Throws Error for batch_size < 1.
inline BatchPlan batch_plan(std::span<const EncodedPair> pairs, Index batch_size, EpochKey key) {
  // A stream of its own for each epoch: counters whose last word is 2 are no other user's (Rng has 0, CoordinateBits
  // 1).
  const auto word = Philox::block({Philox::low(key.epoch), Philox::high(key.epoch), 0, 2},
                                  {Philox::low(key.seed), Philox::high(key.seed)});
  Rng rng{.seed = (std::uint64_t{word[1]} << 32) | word[0], .offset = 0};
  std::vector<Index> places = detail::all_places(pairs.size());
  rng.shuffle(places);
  BatchPlan plan = detail::cut_by_length(pairs, batch_size, std::move(places));
  rng.shuffle(plan);
  return plan;
}

}  // namespace heed::inline HEED_ABI
