#pragma once
// One query per head on any number of threads: a task takes the heads that share keys, some of them where they are
// many; where tasks are too few for the threads, each is cut into chunks of keys, whose parts are joined afterwards as
// a single task joins them, so no cut changes a bit (SEMANTICS 27).

#include <heed/attention/flash_head.hpp>
#include <heed/core/executor.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// One query against many keys is bound by memory: its own kernel, with heads of a group side by side.
inline bool is_decode(const AttentionShape& shape) {
  return shape.query_length == 1 && shape.path == QueryPath::by_length;
}
inline Index decode_groups(const AttentionShape& shape) {
  return (shape.heads_per_kv_head() + flash_detail::decode_heads - 1) / flash_detail::decode_heads;
}

/// Query heads that one decode task computes side by side: some of those with the same keys.
struct DecodeTask {
  Index batch, kv_head;
  Range heads;

  DecodeTask(const AttentionShape& shape, Index task) {
    const Index groups = decode_groups(shape), per_kv_head = shape.heads_per_kv_head();
    batch = task / groups / shape.kv_heads;
    kv_head = task / groups % shape.kv_heads;
    heads.first = kv_head * per_kv_head + task % groups * flash_detail::decode_heads;
    heads.end = std::min(heads.first + flash_detail::decode_heads, (kv_head + 1) * per_kv_head);
  }
};

/// How the queries of a shape are cut for some number of threads; every query of it takes the one-query path.
struct DecodePlan {
  Index tasks;       // DecodeTasks, each for every query
  Index chunks = 1;  // of keys, tasks of their own where they are more than 1
  Index part_size;   // numbers that one chunk of a task leaves

  DecodePlan(const AttentionShape& shape, Index threads)
      : tasks(shape.batch * shape.kv_heads * decode_groups(shape) * shape.query_length),
        part_size(flash_detail::decode_heads * flash_detail::decode_part_size(shape.value_dim)) {
    if (too_few_tasks(tasks, threads)) chunks = std::max<Index>(1, flash_detail::decode_chunks(shape.key_length));
  }
  /// Takes the cut through keys back.
  void keep_whole() { chunks = 1; }
  Index most_tasks() const { return tasks * chunks; }
  /// Numbers to keep between tasks and their join.
  Index parts() const { return chunks == 1 ? 0 : tasks * chunks * part_size; }
};

/// make(task) is the FlashDecode of a task, scratch(worker) the memory of a worker, parts holds plan.parts() numbers.
template <class T, class Scratch, class Make>
void run_decode(const DecodePlan& plan, ExecutorRef executor, T* parts, const Scratch& scratch, const Make& make) {
  const auto own = [&](Index worker, const FlashDecode<T>& heads) {
    return FlashDecodeScratch<T>::make(heads.head_dim(), heads.value_dim(), scratch(worker));
  };
  if (plan.chunks == 1)
    return for_each_task(executor, plan.tasks, [&](Index task, Index worker) {
      FlashDecode<T> heads = make(task);
      flash_decode(heads, own(worker, heads));
    });
  for_each_task(executor, plan.tasks * plan.chunks, [&](Index task, Index worker) {
    FlashDecode<T> heads = make(task / plan.chunks);
    flash_decode_chunk(heads, own(worker, heads), task % plan.chunks, parts + task * plan.part_size);
  });
  for_each_task(executor, plan.tasks, [&](Index task, Index worker) {
    FlashDecode<T> heads = make(task);
    flash_decode_join(heads, own(worker, heads), parts + task * plan.chunks * plan.part_size);
  });
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
