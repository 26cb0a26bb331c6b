#pragma once
// Reading a memory with scores of any kind, the part that Bahdanau's and Luong's attention share: mask, softmax over
// keys, weighted sum of values, and the way back to the scores. One head; the weights are a result, so scores live in
// them. A key that the mask hides is never read.

#include <algorithm>
#include <concepts>
#include <string>

#include <heed/attention/bound_mask.hpp>
#include <heed/attention/check_view.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/softmax.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// What reading a memory gives: context (batch, [query_length,] value_dim), weights (batch, [query_length,]
/// key_length).
template <class T, int Rank>
struct MemoryRead {
  Tensor<T, Rank> context;
  Tensor<T, Rank> weights;
};

/// Which keys a read may see: a Mask, or the lengths of the sources (each in [0, key_length]), which must outlive the
/// call.
struct ReadMask {
  Mask mask;

  ReadMask() = default;
  ReadMask(const Mask& constraints) : mask(constraints) {}
  template <LastingLengths X>
  ReadMask(X&& lengths) : mask(key_lengths(std::span<const Index>(lengths))) {}
};

/// A query per sample (batch, width), or many (batch, query_length, width).
template <class X, class T>
concept StepsLike = std::same_as<scalar_t<X>, T> &&(TensorLike<X, 2> || TensorLike<X, 3>);

/// Where a read writes: as MemoryRead, always with the query_length axis. Rows contiguous.
template <class T>
struct MemoryReadOutputs {
  View<T, 3> context;
  View<T, 3> weights;
};

/// The gradient of one source, added to by the backward of every read of it and used up by project_backward.
template <class T>
struct MemoryGradient {
  Tensor<T, 3> memory;   // (batch, key_length, units): of what project() returned
  Tensor<T, 3> values;   // (batch, key_length, value_dim)
  Tensor<bool, 2> seen;  // (batch, key_length): some read saw this key, so its row is part of the sums
};

namespace detail {

/// The keys that one query sees: those from range.first to range.end whose byte is not zero.
struct VisibleKeys {
  Range range;
  const bool* allowed = nullptr;  // (key_length), or null: the whole range, which then begins at key 0

  template <class F>
  void for_each(F&& f) const {
    for (Index j = range.first; j < range.end; ++j) {
      if (!allowed || allowed[j]) f(j);
    }
  }
};

/// `storage` (key_length) is filled only where the visible keys are not a prefix.
inline VisibleKeys visible_keys(const BoundMask& mask, Index batch, Index query, Index key_length, bool* storage) {
  const Range range = mask.keys(batch, query);
  if (range.first == 0 && !mask.has_pairs()) return {range, nullptr};
  std::fill(storage, storage + key_length, false);
  for (Index j = range.first; j < range.end; ++j) {
    storage[j] = mask.pair_visible(batch, 0, query, j);
  }
  return {range, storage};
}

/// Row j of one sample's (length, width) matrix inside a (batch, length, width) view.
template <class T>
MatrixView<T> sample(const View<T, 3>& x, Index batch) {
  return {x.data + batch * x.stride(0), x.dimension(1), x.dimension(2), x.stride(1)};
}

/// The rank that a caller's steps have: 2 without the query_length axis.
template <class X>
inline constexpr int steps_rank = TensorLike<X, 2> ? 2 : 3;

/// (batch, width) as (batch, 1, width); (batch, length, width) as it is.
template <class T, class X>
View<T, 3> as_steps(X&& x) {
  if constexpr (TensorLike<X, 3>) {
    return View<T, 3>(x);
  } else {
    const View<T, 2> rows(x);
    return {rows.data, {rows.dimension(0), 1, rows.dimension(1)}, {rows.stride(0), rows.stride(0), rows.stride(1)}};
  }
}
template <int Rank, class T>
Tensor<T, Rank> new_steps(Index batch, Index length, Index width) {
  if constexpr (Rank == 2) {
    return Tensor<T, 2>(batch, width);
  } else {
    return Tensor<T, 3>(batch, length, width);
  }
}
/// Memory for what `steps` read of these values.
template <int Rank, class T>
MemoryRead<T, Rank> new_read(const View<const T, 3>& steps, const View<const T, 3>& values) {
  const Index batch = steps.dimension(0), length = steps.dimension(1);
  return {new_steps<Rank, T>(batch, length, values.dimension(2)), new_steps<Rank, T>(batch, length, values.dimension(1))};
}
/// copy = x; memory is kept where the size is the same.
template <class T>
void copy_steps(const View<const T, 3>& x, Tensor<T, 3>& copy) {
  copy.resize(x.extents);
  for (Index b = 0; b < x.dimension(0); ++b) {
    for (Index i = 0; i < x.dimension(1); ++i) {
      std::copy_n(sample(x, b).row(i), x.dimension(2), sample(View<T, 3>(copy), b).row(i));
    }
  }
}

/// Refuses a view whose shape or strides a reader cannot use.
template <class T>
void check_rows(const char* function, const char* argument, const View<T, 3>& x, const Extents<3>& wanted) {
  check_shape(function, argument, x.extents, wanted);
  check_input(function, argument, x);
  check(x.stride(2) == 1 || x.dimension(2) <= 1, [&] {
    return argument_text(function, argument) + " has stride " + std::to_string(x.stride(2)) +
           " on its last axis, wanted 1";
  });
}

/// Refuses a state, memory and values that do not belong together, and a mask that does not fit them. -1: any width.
template <class T>
BoundMask check_read(const char* function, const View<const T, 3>& state, Index query_dim,
                     const View<const T, 3>& memory, Index memory_dim, const View<const T, 3>& values,
                     const Mask& mask) {
  const Index batch = state.dimension(0), key_length = memory.dimension(1);
  check_rows(function, "state", state, {-1, -1, query_dim});
  check_rows(function, "memory", memory, {batch, -1, memory_dim});
  check_rows(function, "values", values, {batch, key_length, -1});
  return BoundMask(function, mask, {batch, 1, state.dimension(1), key_length});
}
/// Refuses outputs of another shape, with two elements in one place or on top of an input.
template <class T>
void check_read_outputs(const char* function, const MemoryReadOutputs<T>& out, const View<const T, 3>& state,
                        const View<const T, 3>& memory, const View<const T, 3>& values) {
  const Index batch = state.dimension(0), length = state.dimension(1);
  check_shape(function, "context", out.context.extents, Extents<3>{batch, length, values.dimension(2)});
  check_shape(function, "weights", out.weights.extents, Extents<3>{batch, length, values.dimension(1)});
  const auto apart = [&](const char* name, const View<T, 3>& output) {
    check_output(function, name, output);
    check_apart(function, name, output, "state", state);
    check_apart(function, name, output, "memory", memory);
    check_apart(function, name, output, "values", values);
  };
  apart("context", out.context);
  apart("weights", out.weights);
  check_apart(function, "context", out.context, "weights", out.weights);
}

/// Samples are worth handing to other threads above this many multiply-adds or function values.
inline constexpr Index serial_read_work = Index{1} << 15;

/// executor, or the calling thread when the whole read is small.
inline ExecutorRef reader_executor(ExecutorRef executor, Index work) {
  static Serial serial;
  return work < serial_read_work ? ExecutorRef(serial) : executor;
}

struct VisibleScratch;

/// context_i = sum over visible j of softmax(score_ij) values_j. `score(batch, query, keys, row)` writes row[j] for the
/// visible keys at least. Every row's bits depend on its own sample alone.
template <class T, class Score>
void read_memory(const BoundMask& mask, const View<const T, 3>& values, const MemoryReadOutputs<T>& out, Score&& score,
                 ExecutorRef executor) {
  const Index key_length = values.dimension(1), value_dim = values.dimension(2);
  for_each_task(executor, out.context.dimension(0), [&](Index b, Index) {
    bool* const storage = thread_scratch<VisibleScratch, bool>(key_length);
    const MatrixView<const T> value = sample(values, b);
    for (Index i = 0; i < out.context.dimension(1); ++i) {
      const VisibleKeys keys = visible_keys(mask, b, i, key_length, storage);
      T* const row = sample(out.weights, b).row(i);
      score(b, i, keys, row);
      if (keys.allowed) {
        softmax_row(row, keys.allowed, row, key_length);
      } else {
        softmax_row(row, row, keys.range.end, key_length);
      }
      T* const context = sample(out.context, b).row(i);
      std::fill(context, context + value_dim, T(0));
      keys.for_each([&](Index j) { add_scaled_row(context, row[j], value.row(j), value_dim); });
    }
  });
}

/// Gradients that arrive at a read: of its context, and of its weights or null.
template <class T>
struct MemoryReadUpstream {
  View<const T, 3> context;  // (batch, query_length, value_dim)
  View<const T, 3> weights;  // (batch, query_length, key_length), data may be null
};

template <class T>
void check_read_backward(const char* function, const MemoryReadUpstream<T>& upstream, const View<const T, 3>& weights,
                         const View<const T, 3>& memory, const View<const T, 3>& values,
                         const MemoryGradient<T>& grad) {
  const Index batch = weights.dimension(0), length = weights.dimension(1), key_length = values.dimension(1);
  check_shape(function, "cache.weights", weights.extents, Extents<3>{memory.dimension(0), -1, key_length});
  check_rows(function, "d_context", upstream.context, {batch, length, values.dimension(2)});
  if (upstream.weights.data) check_rows(function, "d_weights", upstream.weights, weights.extents);
  check_shape(function, "memory_grad.memory", extents(grad.memory), memory.extents);
  check_shape(function, "memory_grad.values", extents(grad.values), values.extents);
  check_shape(function, "memory_grad.seen", extents(grad.seen), Extents<2>{batch, key_length});
}

struct ScoreGradientScratch;

/// The way back: adds to d_values and marks seen keys, then calls score_backward(batch, query, keys, d_scores), queries
/// in their order within a sample.
template <class T, class ScoreBackward>
void read_memory_backward(const BoundMask& mask, const View<const T, 3>& values, const View<const T, 3>& weights,
                          const MemoryReadUpstream<T>& upstream, MemoryGradient<T>& grad,
                          ScoreBackward&& score_backward, ExecutorRef executor) {
  const Index key_length = values.dimension(1), value_dim = values.dimension(2);
  const View<T, 3> d_values(grad.values);
  for_each_task(executor, weights.dimension(0), [&](Index b, Index) {
    bool* const storage = thread_scratch<VisibleScratch, bool>(key_length);
    T* const d_scores = thread_scratch<ScoreGradientScratch, T>(key_length);
    const MatrixView<const T> value = sample(values, b);
    for (Index i = 0; i < weights.dimension(1); ++i) {
      const VisibleKeys keys = visible_keys(mask, b, i, key_length, storage);
      const T* const row = sample(weights, b).row(i);
      const T* const d_context = sample(upstream.context, b).row(i);
      keys.for_each([&](Index j) {
        grad.seen(b, j) = true;
        d_scores[j] = dot(d_context, value.row(j), value_dim);
        if (upstream.weights.data) d_scores[j] += sample(upstream.weights, b).row(i)[j];
        add_scaled_row(sample(d_values, b).row(j), row[j], d_context, value_dim);
      });
      if (keys.allowed) {
        softmax_backward_row(row, d_scores, keys.allowed, d_scores, key_length);
      } else {
        softmax_backward_row(row, d_scores, d_scores, keys.range.end, key_length);
      }
      score_backward(b, i, keys, static_cast<const T*>(d_scores));
    }
  });
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
