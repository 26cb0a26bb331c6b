#pragma once
// How a backward is cut into tasks: key/value heads of samples; where those are too few for the threads, keys are cut
// as well. Gradients of keys and values belong to their keys, and what each block of keys adds to a query's gradient is
// kept and summed in the blocks' order afterwards, so no cut changes a bit (SEMANTICS 27).

#include <heed/attention/run_forward.hpp>
#include <heed/kernels/flash_backward.hpp>
#include <heed/kernels/flash_decode_backward.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// How a backward is cut for some number of threads.
template <class T>
struct BackwardPlan {
  static constexpr Index key_block = flash_detail::flash_keys, query_block = flash_query_block<T>;
  /// What is kept of queries' gradients at a time, unless one block of queries of every unit takes more.
  static constexpr std::size_t most_parts = std::size_t{4} << 20;

  AttentionShape shape;
  Index units, blocks;                 // key/value heads of samples; blocks of keys
  Index chunks = 1, chunk_blocks = 0;  // ranges of keys that are tasks of their own, and blocks in all but the last
  Index wave = 1;                      // blocks of queries between two sums of their parts
  Index workers;

  BackwardPlan(const AttentionShape& of, Index threads)
      : shape(of), units(of.batch * of.kv_heads), blocks((of.key_length + key_block - 1) / key_block) {
    chunk_blocks = std::max<Index>(1, blocks);
    if (too_few_tasks(units, threads)) cut((4 * threads + units - 1) / units);
    workers = std::min(units * chunks, threads);
  }

  /// Takes the cut through keys back; what bytes() was before is enough.
  void keep_whole() {
    chunks = 1, chunk_blocks = std::max<Index>(1, blocks);
    workers = std::min(units, workers);
  }
  Range chunk(Index index) const {
    return {index * chunk_blocks * key_block, std::min((index + 1) * chunk_blocks * key_block, shape.key_length)};
  }
  /// Elements of all parts that are kept at a time.
  Index parts() const {
    if (chunks == 1) return 0;
    return is_decode(shape) ? shape.batch * shape.heads * head_parts() : units * wave * row_parts();
  }
  /// Of one query, and of one block of queries.
  Index head_parts() const { return blocks * shape.head_dim; }
  Index row_parts() const { return blocks * FlashBackward<T>::part_size(shape.head_dim); }
  std::size_t scratch() const {
    const Index width = shape.head_dim, value_dim = shape.value_dim;
    const auto decode = [&](auto&& take) { FlashDecodeBackwardScratch<T>::make(width, value_dim, take); };
    const auto block = [&](auto&& take) { FlashBackwardScratch<T>::make(width, value_dim, take); };
    return is_decode(shape) ? scratch_size(decode) : scratch_size(block);
  }
  std::size_t bytes() const { return static_cast<std::size_t>(workers) * scratch() + Workspace::rounded<T>(parts()); }

 private:
  /// Into about `pieces` ranges of keys, none of them less work than waking a thread is worth.
  void cut(Index pieces) {
    const Index query_blocks = (shape.query_length + query_block - 1) / query_block;
    const Index least = is_decode(shape) ? 8 : std::max<Index>(1, 8 / std::max<Index>(1, query_blocks));
    chunk_blocks = std::max(least, (blocks + pieces - 1) / pieces);
    chunks = std::max<Index>(1, (blocks + chunk_blocks - 1) / chunk_blocks);
    const auto row_bytes = static_cast<std::size_t>(units * row_parts()) * sizeof(T);
    const auto fit = static_cast<Index>(most_parts / std::max<std::size_t>(1, row_bytes));
    wave = std::clamp<Index>(fit, 1, std::max<Index>(1, query_blocks));
  }
};

}  // namespace detail

}  // namespace heed::inline HEED_ABI
