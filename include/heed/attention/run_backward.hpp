#pragma once
// A checked backward onto the fused kernels, cut as backward_plan.hpp says: tasks over keys write the gradients of
// their keys and values and the parts of the queries' gradients, which are then summed in the order of blocks of keys.

#include <heed/attention/backward_plan.hpp>
#include <heed/attention/modifier.hpp>
#include <heed/core/executor.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// What a backward reads besides the call's inputs, and where it adds.
template <class T>
struct BackwardTarget {
  View<const T, 4> d_output, output;
  View<const T, 3> logsumexp;
  View<T, 4> d_query, d_key, d_value;  // rows contiguous; written
  View<T, 4> d_bias;                   // zero at first; null when the call has no bias
  T* d_sink = nullptr;                 // (batch, heads), zero at first; null when the call has no sink
  ParameterParts parameters = {};
};

template <class T>
FlashGradients<T> head_gradients(const AttentionCall<T>& call, const BackwardTarget<T>& target, Index batch,
                                 Index head) {
  const Index kv_head = call.kv_head(head);
  FlashGradients<T> grad{.d_output = head_matrix(target.d_output, batch, head),
                         .output = head_rows(target.output, batch, head),
                         .logsumexp = head_row(target.logsumexp, batch, head),
                         .d_query = head_rows(target.d_query, batch, head),
                         .d_key = head_rows(target.d_key, batch, kv_head),
                         .d_value = head_rows(target.d_value, batch, kv_head)};
  if (target.d_sink) grad.d_sink = target.d_sink + batch * call.shape.heads + head;
  if (target.d_bias.data) {
    const auto step = [&](int axis) { return target.d_bias.dimension(axis) == 1 ? 0 : target.d_bias.stride(axis); };
    grad.d_bias = target.d_bias.data + batch * step(0) + head * step(1);
    grad.d_bias_query_step = step(2), grad.d_bias_key_step = step(3);
  }
  return grad;
}

template <class T>
void clear(const MatrixView<T>& x) {
  for (Index i = 0; i < x.rows; ++i) fill_row(x.row(i), T(0), x.cols);
}
template <class T>
void clear(const View<T, 4>& x) {
  for (Index b = 0; b < x.dimension(0); ++b) {
    for (Index h = 0; h < x.dimension(1); ++h) clear(head_rows(x, b, h));
  }
}

/// One backward call while it runs.
template <class T>
class BackwardRun {
 public:
  BackwardRun(const AttentionCall<T>& call, const BackwardTarget<T>& target, const BackwardPlan<T>& plan,
              Workspace& workspace, ExecutorRef executor)
      : call_(call), target_(target), plan_(plan), executor_(executor), piece_(plan.scratch()),
        memory_(workspace.take<std::byte>(plan.workers * static_cast<Index>(piece_))),
        parts_(workspace.take<T>(plan.parts())) {}

  void run() {
    if (is_decode(call_.shape)) return run_decode();
    if (plan_.chunks > 1) return run_waves();
    for_each_task(executor_, plan_.units, [&](Index unit, Index worker) { add_heads(unit, pieces(worker)); });
  }

 private:
  Index group() const { return call_.shape.heads_per_kv_head(); }
  Index batch(Index unit) const { return unit / call_.shape.kv_heads; }
  Index kv_head(Index unit) const { return unit % call_.shape.kv_heads; }
  ScratchPieces pieces(Index worker) const {
    return ScratchPieces(memory_ + static_cast<std::size_t>(worker) * piece_);
  }
  void scale_rows(const MatrixView<T>& x) const {
    for (Index i = 0; i < x.rows; ++i) scale_row(x.row(i), x.cols, call_.scale);
  }
  FlashHead<T> own_head(Index sample, Index head) const {
    FlashHead<T> one = flash_head(call_, sample, head);
    const ParameterParts& parameters = target_.parameters;
    const Index unit = sample * call_.shape.kv_heads + call_.kv_head(head);
    if (parameters.owner) one.parameter_gradient = parameters.part(parameters.owner, unit);
    return one;
  }
  MatrixView<T> d_key(Index unit, Range keys) const {
    return head_rows(target_.d_key, batch(unit), kv_head(unit)).row_block(keys.first, keys.size());
  }
  MatrixView<T> d_value(Index unit, Range keys) const {
    return head_rows(target_.d_value, batch(unit), kv_head(unit)).row_block(keys.first, keys.size());
  }

  /// All query heads that share one key/value head of one sample, in their order.
  void add_heads(Index unit, ScratchPieces memory) const {
    const Range keys = plan_.chunk(0);
    clear(d_key(unit, keys));  // just before they are added to, while they are in the cache
    clear(d_value(unit, keys));
    for (Index head = kv_head(unit) * group(); head < (kv_head(unit) + 1) * group(); ++head) {
      const MatrixView<T> d_query = head_rows(target_.d_query, batch(unit), head);
      clear(d_query);
      add_blocks(batch(unit), head, {0, d_query.rows}, keys, memory, nullptr);
      scale_rows(d_query);
    }
    scale_rows(d_key(unit, keys));
  }
  void add_blocks(Index sample, Index head, Range queries, Range keys, ScratchPieces memory, T* parts) const {
    const AttentionShape& shape = call_.shape;
    const auto scratch = FlashBackwardScratch<T>::make(shape.head_dim, shape.value_dim, memory);
    const FlashHead<T> one = own_head(sample, head);
    flash_backward(one, head_gradients(call_, target_, sample, head), scratch, queries, keys, parts);
  }

  /// Some blocks of queries of one head of every unit at a time: first against ranges of keys, then their parts' sums.
  void run_waves() const {
    const Index queries = call_.shape.query_length, step = plan_.wave * plan_.query_block;
    for (Index member = 0; member < group(); ++member)
      for (Index first = 0; first < queries; first += step) {
        const Range wave{first, std::min(first + step, queries)};
        for_each_task(executor_, plan_.units * plan_.chunks,
                      [&](Index task, Index worker) { add_wave(task, member, wave, pieces(worker)); });
        const Index blocks = (wave.size() + plan_.query_block - 1) / plan_.query_block;
        for_each_task(executor_, plan_.units * blocks,
                      [&](Index task, Index) { sum_parts(task / blocks, task % blocks, member, wave); });
      }
  }
  void add_wave(Index task, Index member, Range queries, ScratchPieces memory) const {
    const Index unit = task / plan_.chunks;
    const Range keys = plan_.chunk(task % plan_.chunks);
    if (member == 0 && queries.first == 0) clear(d_key(unit, keys)), clear(d_value(unit, keys));
    add_blocks(batch(unit), kv_head(unit) * group() + member, queries, keys, memory,
               parts_ + unit * plan_.wave * plan_.row_parts());
    if (member + 1 == group() && queries.end == call_.shape.query_length) scale_rows(d_key(unit, keys));
  }
  void sum_parts(Index unit, Index block, Index member, Range wave) const {
    const Index first = wave.first + block * plan_.query_block, count = std::min(plan_.query_block, wave.end - first);
    const MatrixView<T> sum =
        head_rows(target_.d_query, batch(unit), kv_head(unit) * group() + member).row_block(first, count);
    const T* const parts = parts_ + (unit * plan_.wave + block) * plan_.row_parts();
    const Range keys = call_.mask.band(batch(unit)).keys({first, first + count});
    clear(sum);
    for (Index b = keys.first / plan_.key_block; b * plan_.key_block < keys.end; ++b)
      for (Index i = 0; i < count; ++i)
        add_row(sum.row(i), parts + b * FlashBackward<T>::part_size(sum.cols) + i * sum.cols, sum.cols);
    scale_rows(sum);
  }

  /// One query per head.
  void run_decode() const {
    for_each_task(executor_, plan_.units * plan_.chunks,
                  [&](Index task, Index worker) { add_queries(task, pieces(worker)); });
    if (plan_.chunks == 1) return;
    for_each_task(executor_, call_.shape.batch * call_.shape.heads, [&](Index head, Index) {
      const MatrixView<T> sum = head_rows(target_.d_query, head / call_.shape.heads, head % call_.shape.heads);
      clear(sum);
      for (Index b = 0; b < plan_.blocks; ++b)
        add_row(sum.row(0), parts_ + head * plan_.head_parts() + b * sum.cols, sum.cols);
      scale_rows(sum);
    });
  }
  void add_queries(Index task, ScratchPieces memory) const {
    const AttentionShape& shape = call_.shape;
    const Index unit = task / plan_.chunks, chunk = task % plan_.chunks;
    const auto scratch = FlashDecodeBackwardScratch<T>::make(shape.head_dim, shape.value_dim, memory);
    const Index begin = kv_head(unit) * group(), end = begin + group();
    for (Index first = begin; first < end; first += flash_detail::decode_heads) {
      const Index last = std::min(first + flash_detail::decode_heads, end);
      FlashDecodeBackward<T> heads(scratch, first == begin ? Accumulate::no : Accumulate::yes,
                                   last == end ? call_.scale : T(1));
      for (Index head = first; head < last; ++head)
        heads.add(own_head(batch(unit), head), head_gradients(call_, target_, batch(unit), head));
      T* const parts = parts_ + (batch(unit) * shape.heads + first) * plan_.head_parts();
      flash_decode_backward(heads, plan_.chunk(chunk), plan_.chunks == 1 ? nullptr : parts);
    }
  }

  const AttentionCall<T>& call_;
  const BackwardTarget<T>& target_;
  const BackwardPlan<T>& plan_;
  const ExecutorRef executor_;
  const std::size_t piece_;
  std::byte* const memory_;
  T* const parts_;
};

template <class T>
void run_backward(const AttentionCall<T>& call, const BackwardTarget<T>& target, Workspace& workspace,
                  ExecutorRef executor) {
  const AttentionShape& shape = call.shape;
  if (shape.batch * shape.heads * shape.query_length * shape.key_length == 0) {
    for (const View<T, 4>* const x : {&target.d_query, &target.d_key, &target.d_value}) clear(*x);
    return;
  }
  // A bias that repeats over samples or heads sums over tasks: then they run in their order. One that repeats over
  // keys, and a callable's parameters, sum over keys: then those are one task's.
  const auto repeats = [&](int axis, Index count) { return target.d_bias.dimension(axis) == 1 && count > 1; };
  Serial serial;
  const bool ordered = target.d_bias.data && (repeats(0, shape.batch) || repeats(1, shape.kv_heads));
  BackwardPlan<T> plan(shape, executor.concurrency());
  const ParameterParts& parameters = target.parameters;
  if (ordered || parameters.owner || (target.d_bias.data && repeats(3, shape.key_length))) plan.keep_whole();
  const std::size_t mark = workspace.used();
  if (parameters.owner) parameters.make(parameters.owner, plan.units);
  BackwardRun<T>(call, target, plan, workspace, ordered ? ExecutorRef(serial) : executor).run();
  if (parameters.owner) parameters.add_up(parameters.owner);
  workspace.rewind(mark);
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
