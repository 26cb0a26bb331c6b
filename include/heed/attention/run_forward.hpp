#pragma once
// A checked call onto the fused kernels: outputs checked, work cut into tasks by shapes alone, one scratch per worker.

#include <heed/attention/run_decode.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

template <class T>
Index forward_blocks(const AttentionShape& shape) {
  return (shape.query_length + flash_query_block<T> - 1) / flash_query_block<T>;
}
template <class T>
std::size_t forward_scratch_bytes(const AttentionShape& shape) {
  const Index width = shape.head_dim, value_dim = shape.value_dim;
  return is_decode(shape) ? scratch_size([&](auto&& take) { FlashDecodeScratch<T>::make(width, value_dim, take); })
                          : scratch_size([&](auto&& take) { FlashForwardScratch<T>::make(width, value_dim, take); });
}
template <class T>
Index forward_tasks(const AttentionShape& shape) {
  return shape.batch * shape.heads * forward_blocks<T>(shape);
}
template <class T>
Index forward_workers(const AttentionShape& shape, Index concurrency) {
  const Index tasks = is_decode(shape) ? DecodePlan(shape, concurrency).most_tasks() : forward_tasks<T>(shape);
  return std::min(tasks, concurrency);
}
template <class T>
std::size_t forward_bytes(const AttentionShape& shape, Index concurrency) {
  const auto workers = static_cast<std::size_t>(forward_workers<T>(shape, concurrency));
  const Index parts = is_decode(shape) ? DecodePlan(shape, concurrency).parts() : 0;
  return workers * forward_scratch_bytes<T>(shape) + Workspace::rounded<T>(parts);
}

/// Refuses outputs that are not of their shape or share memory with an input or each other, before anything is written.
template <class T>
class OutputCheck {
 public:
  OutputCheck(const char* function, const AttentionCall<T>& call) : function_(function), call_(call) {}

  void check(const AttentionOutputs<T>& outputs) {
    const AttentionShape& shape = call_.shape;
    one("output", outputs.output, shape.output());
    if (outputs.weights.data) one("weights", outputs.weights, shape.weights());
    if (outputs.logsumexp.data) one("logsumexp", outputs.logsumexp, shape.logsumexp());
    if (outputs.row_max.data) one("row_max", outputs.row_max, shape.logsumexp());
    if (outputs.entropy.data) one("entropy", outputs.entropy, shape.logsumexp());
    if (outputs.key_sums.data) one("key_sums", outputs.key_sums, shape.key_sums());
  }

 private:
  template <int Rank>
  void one(const char* name, const View<T, Rank>& output, const Extents<Rank>& shape) {
    check_shape(function_, name, output.extents, shape);
    check_output(function_, name, output);
    check_apart(function_, name, output, "query", call_.query);
    check_apart(function_, name, output, "key", call_.key);
    check_apart(function_, name, output, "value", call_.value);
    if (call_.bias) check_apart(function_, name, output, "bias", call_.bias.view);
    const MemorySpan span = memory_span(function_, name, output);
    for (Index i = 0; i < count_; ++i) {
      heed::check(!span.overlaps(spans_[i]), [&] {
        return message({function_, ": ", name, " overlaps ", names_[i], ", wanted memory of its own"});
      });
    }
    names_[count_] = name;
    spans_[count_++] = span;
  }

  const char* function_;
  const AttentionCall<T>& call_;
  const char* names_[6] = {};
  MemorySpan spans_[6] = {};
  Index count_ = 0;
};

template <class T>
FlashOutputs<T> head_outputs(const AttentionOutputs<T>& target, Index batch, Index head) {
  FlashOutputs<T> out{.output = head_rows(target.output, batch, head)};
  if (target.logsumexp.data) out.logsumexp = head_row(target.logsumexp, batch, head);
  if (target.weights.data) out.weights = head_rows(target.weights, batch, head);
  if (target.row_max.data) out.row_max = head_row(target.row_max, batch, head);
  if (target.entropy.data) out.entropy = head_row(target.entropy, batch, head);
  if (target.key_sums.data) out.key_sums = head_row(target.key_sums, batch, head);
  return out;
}

/// What is made of weights is made in one task per head.
template <class T>
bool needs_weights(const AttentionOutputs<T>& target) {
  return target.weights.data || target.entropy.data || target.key_sums.data;
}

/// Blocks of queries that one task computes: all of a head's where they add to the same key sums.
template <class T>
Index blocks_per_task(const AttentionShape& shape, const AttentionOutputs<T>& target) {
  return target.key_sums.data ? std::max<Index>(1, forward_blocks<T>(shape)) : 1;
}
/// Some blocks of queries of one head.
template <class T>
void forward_blocks(const AttentionCall<T>& call, const AttentionOutputs<T>& target, Index task, ScratchPieces memory) {
  const AttentionShape& shape = call.shape;
  const Index together = blocks_per_task(shape, target) * flash_query_block<T>;
  const Index tasks = (shape.query_length + together - 1) / together, head = task / tasks % shape.heads;
  const Index batch = task / tasks / shape.heads, end = std::min((task % tasks + 1) * together, shape.query_length);
  const FlashHead<T> one = flash_head(call, batch, head);
  const auto scratch = FlashForwardScratch<T>::make(shape.head_dim, shape.value_dim, memory);
  flash_forward(one, head_outputs(target, batch, head), scratch, {task % tasks * together, end});
}
/// The only query of heads with the same keys.
template <class T>
FlashDecode<T> decode_heads(const AttentionCall<T>& call, const AttentionOutputs<T>& target, Index task) {
  const DecodeTask part(call.shape, task);
  FlashDecode<T> decode;
  for (Index head = part.heads.first; head < part.heads.end; ++head)
    decode.add(flash_head(call, part.batch, head), head_outputs(target, part.batch, head));
  return decode;
}

/// Before anything is added to them.
template <class T>
void clear_key_sums(const AttentionOutputs<T>& target) {
  const View<T, 3>& sums = target.key_sums;
  for (Index b = 0; b < sums.dimension(0) && sums.data; ++b) {
    for (Index h = 0; h < sums.dimension(1); ++h) std::fill_n(head_row(sums, b, h), sums.dimension(2), T(0));
  }
}

template <class T>
void run_forward(const AttentionCall<T>& call, const AttentionOutputs<T>& target, Workspace& workspace,
                 ExecutorRef executor) {
  const AttentionShape& shape = call.shape;
  const std::size_t mark = workspace.used(), piece = forward_scratch_bytes<T>(shape);
  clear_key_sums(target);
  const Index workers = forward_workers<T>(shape, executor.concurrency());
  std::byte* const memory = workspace.take<std::byte>(workers * static_cast<Index>(piece));
  const auto own = [&](Index worker) { return ScratchPieces(memory + static_cast<std::size_t>(worker) * piece); };
  if (is_decode(shape)) {
    DecodePlan plan(shape, executor.concurrency());
    if (needs_weights(target)) plan.keep_whole();
    run_decode<T>(plan, executor, workspace.take<T>(plan.parts()), own,
                  [&](Index task) { return decode_heads(call, target, task); });
  } else {
    for_each_task(executor, forward_tasks<T>(shape) / blocks_per_task(shape, target),
                  [&](Index task, Index worker) { forward_blocks(call, target, task, own(worker)); });
  }
  workspace.rewind(mark);
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
