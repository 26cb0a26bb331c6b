#pragma once
// Linear attention over whole sequences: kernels/linear_attention.hpp for every key/value head of every sample, with the
// query heads that share it, and the backward. Both the causal form, in which a query reads the state behind its own token,
// and the full one, in which it reads the last.

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include <heed/attention/check_view.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/linear_attention.hpp>

namespace heed::inline HEED_ABI {

/// Which state a query reads: that behind its own token, or that behind the last one.
enum class LinearOrder { causal, full };

namespace detail {

/// Operands of one call. decay: (batch, kv_heads, steps, head_dim or 1), beta (batch, kv_heads or 1, steps, 1); empty: none.
template <class T>
struct LinearOperands {
  const Tensor<T, 4>& query;  // (batch, heads, query_length, head_dim)
  const Tensor<T, 4>& key;    // (batch, kv_heads, steps, head_dim)
  const Tensor<T, 4>& value;  // (batch, kv_heads, steps, value_dim)
  const Tensor<T, 4>& decay;
  const Tensor<T, 4>& beta;
  T scale;
  LinearOrder order;
  std::span<const Index> lengths;  // tokens behind them are not read, and causal outputs there are 0; empty: none

  Index kv_heads() const { return key.dimension(1); }
  Index tasks() const { return key.dimension(0) * kv_heads(); }
  Index group() const { return query.dimension(1) / std::max<Index>(kv_heads(), 1); }
  Index length(Index task) const {
    return lengths.empty() ? key.dimension(2) : lengths[static_cast<std::size_t>(task / kv_heads())];
  }
  /// How many queries of a head read something.
  Index reads(Index task) const { return order == LinearOrder::causal ? length(task) : query.dimension(2); }

  LinearTokens<T> tokens(Index task) const {
    LinearTokens<T> one{rows(key, task, length(task)), rows(value, task, length(task))};
    if (decay.size() > 0) one.decay = rows(decay, task, length(task));
    if (beta.size() > 0) one.beta = rows(beta, beta_head(task), length(task));
    return one;
  }
  /// A beta that all heads of a sample share lies once per sample.
  Index beta_head(Index task) const { return beta.dimension(1) == 1 ? task / kv_heads() : task; }

  /// The first `count` rows of head `head` of x (batch, heads, length, dim).
  static auto rows(auto& x, Index head, Index count) { return as_matrix(x).row_block(head * x.dimension(2), count); }
};

struct LinearErrorScratch;
struct LinearStatesScratch;

/// state (batch, kv_heads, head_dim, value_dim) goes from the first one to the last; output as query with value_dim.
template <class T>
void linear_forward(const LinearOperands<T>& in, Tensor<T, 4>& output, Tensor<T, 4>& state, ExecutorRef executor) {
  const Index width = in.value.dimension(3), dim = in.key.dimension(3);
  output.setZero();
  for_each_task(executor, in.tasks(), [&](Index task, Index) {
    T* const error = thread_scratch<LinearErrorScratch, T>(width);
    const LinearTokens<T> tokens = in.tokens(task);
    const MatrixView<T> own = in.rows(state, task, dim);
    const auto read = [&](Index t) {
      for (Index head = task * in.group(); head < (task + 1) * in.group(); ++head) {
        read_state<T>(own, in.rows(in.query, head, t + 1).row(t), in.scale, in.rows(output, head, t + 1).row(t));
      }
    };
    for (Index t = 0; t < tokens.steps(); ++t) {
      advance_state(tokens, t, own, error);
      if (in.order == LinearOrder::causal) read(t);
    }
    for (Index t = 0; in.order == LinearOrder::full && t < in.reads(task); ++t) read(t);
  });
}

/// Gradients of a call, zero at first where they are added to; beta has a head of its own for every key/value head.
template <class T>
struct LinearGradients {
  Tensor<T, 4> query, key, value, decay, beta;
  Tensor<T, 4> state;  // in: of the last state; out: of the first
};

/// One head's tokens back to front. States are kept at the start of every chunk and made anew inside it.
template <class T>
class LinearHeadBackward {
 public:
  static constexpr Index chunk = 32;

  LinearHeadBackward(const LinearOperands<T>& in, const Tensor<T, 4>& d_output, LinearGradients<T>& grad, Index task)
      : in_(in), d_output_(d_output), grad_(grad), task_(task), tokens_(in.tokens(task)), dim_(in.key.dimension(3)),
        width_(in.value.dimension(3)), size_(dim_ * width_), d_state_(in.rows(grad.state, task, dim_)) {}

  /// first: the state before the first token.
  void run(const MatrixView<const T>& first) {
    const Index steps = tokens_.steps(), chunks = (steps + chunk - 1) / chunk;
    T* const memory = thread_scratch<LinearStatesScratch, T>((chunks + 1 + chunk + 2) * size_ + 2 * width_);
    T* const starts = memory;
    states_ = memory + (chunks + 1) * size_;
    scratch_ = states_ + (chunk + 2) * size_;
    std::copy_n(first.data, size_, starts);
    for (Index c = 0; c < chunks; ++c) {
      std::copy_n(starts + c * size_, size_, starts + (c + 1) * size_);
      for (Index t = c * chunk; t < std::min(steps, (c + 1) * chunk); ++t) {
        advance_state(tokens_, t, state_at(starts, c + 1), scratch_);
      }
    }
    for (Index t = 0; in_.order == LinearOrder::full && t < in_.reads(task_); ++t) read_back(t, state_at(starts, chunks));
    for (Index c = chunks - 1; c >= 0; --c) run_chunk(starts + c * size_, c * chunk, std::min(steps, (c + 1) * chunk));
  }

 private:
  MatrixView<T> state_at(T* states, Index i) const { return {states + i * size_, dim_, width_}; }

  void run_chunk(const T* start, Index begin, Index end) {
    std::copy_n(start, size_, states_);
    for (Index t = begin; t < end; ++t) {  // states_[i + 1] is S behind token begin + i
      std::copy_n(states_ + (t - begin) * size_, size_, states_ + (t - begin + 1) * size_);
      advance_state(tokens_, t, state_at(states_, t - begin + 1), scratch_);
    }
    LinearTokenGradients<T> grad{in_.rows(grad_.key, task_, end), in_.rows(grad_.value, task_, end)};
    if (tokens_.decay.data) grad.decay = in_.rows(grad_.decay, task_, end);
    if (tokens_.beta.data) grad.beta = in_.rows(grad_.beta, task_, end);
    for (Index t = end - 1; t >= begin; --t) {
      if (in_.order == LinearOrder::causal) read_back(t, state_at(states_, t - begin + 1));
      const MatrixView<T> decayed = state_at(states_, chunk + 1);
      decay_state<T>(tokens_, t, state_at(states_, t - begin), decayed);
      advance_state_backward<T>(tokens_, t, decayed, d_state_, grad, scratch_);
    }
  }
  void read_back(Index t, const MatrixView<const T>& state) {
    for (Index head = task_ * in_.group(); head < (task_ + 1) * in_.group(); ++head) {
      read_state_backward<T>(state, in_.rows(in_.query, head, t + 1).row(t), in_.scale, in_.rows(d_output_, head, t + 1).row(t),
                             in_.rows(grad_.query, head, t + 1).row(t), d_state_);
    }
  }

  const LinearOperands<T>& in_;
  const Tensor<T, 4>& d_output_;
  LinearGradients<T>& grad_;
  Index task_;
  LinearTokens<T> tokens_;
  Index dim_, width_, size_;
  MatrixView<T> d_state_;
  T* states_ = nullptr;
  T* scratch_ = nullptr;
};

/// first: the states before the first token, (batch, kv_heads, head_dim, value_dim).
template <class T>
void linear_backward(const LinearOperands<T>& in, const Tensor<T, 4>& first, const Tensor<T, 4>& d_output, LinearGradients<T>& grad,
                     ExecutorRef executor) {
  for_each_task(executor, in.tasks(), [&](Index task, Index) {
    LinearHeadBackward<T>(in, d_output, grad, task).run(in.rows(first, task, in.key.dimension(3)));
  });
}

/// Refuses operands that do not belong together; function names the caller.
template <class T>
void check_linear(const char* function, const LinearOperands<T>& in) {
  const Index batch = in.query.dimension(0), kv_heads = in.key.dimension(1), steps = in.key.dimension(2);
  const Index dim = in.query.dimension(3);
  check(dim > 0, [&] { return std::string(function) + ": query has head_dim 0, wanted a positive one"; });
  check_shape(function, "key", extents(in.key), Extents<4>{batch, -1, in.order == LinearOrder::causal ? in.query.dimension(2) : -1, dim});
  check_shape(function, "value", extents(in.value), Extents<4>{batch, kv_heads, steps, -1});
  check(kv_heads > 0 ? in.query.dimension(1) % kv_heads == 0 : in.query.dimension(1) == 0, [&] {
    return std::string(function) + ": query has " + std::to_string(in.query.dimension(1)) + " heads, wanted a multiple of the " +
           std::to_string(kv_heads) + " of key";
  });
  if (in.decay.size() > 0)
    check_shape(function, "decay", extents(in.decay), Extents<4>{batch, kv_heads, steps, in.decay.dimension(3) == 1 ? 1 : dim});
  if (in.beta.size() > 0)
    check_shape(function, "beta", extents(in.beta), Extents<4>{batch, in.beta.dimension(1) == 1 ? 1 : kv_heads, steps, 1});
  if (in.lengths.empty()) return;
  check_extent(function, "lengths", "size", static_cast<Index>(in.lengths.size()), batch);
  for (std::size_t b = 0; b < in.lengths.size(); ++b) {
    check(in.lengths[b] >= 0 && in.lengths[b] <= steps, [&] {
      return std::string(function) + ": lengths[" + std::to_string(b) + "] is " + std::to_string(in.lengths[b]) + ", wanted 0 to " +
             std::to_string(steps);
    });
  }
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
