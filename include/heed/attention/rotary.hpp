#pragma once
// Rotary position embedding (Su et al. 2021): channel pairs of queries and keys are turned by an angle that grows with the
// position, so that scores depend on distances alone.
//
//   (a, b) -> (a cos - b sin, b cos + a sin),   angle(p, i) = p * base^(-2i / rotary_dim)

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <heed/attention/check_view.hpp>
#include <heed/attention/rotary_scaling.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/simd/batch.hpp>

namespace heed::inline HEED_ABI {

/// Which channels turn together: (2i, 2i + 1), as in the paper and GPT-J, or (i, i + rotary_dim / 2), as in GPT-NeoX and LLaMA.
/// A checkpoint is right with one of them only.
enum class RotaryPairs { interleaved, halves };

struct RotaryOptions {
  Index offset = 0;  // the first row's position
  double base = 10000;
  RotaryScaling scaling = {};  // for positions beyond those that a model was trained with
};

/// Cosine and sine of every position and pair, each (positions, rotary_dim / 2).
template <Real T>
struct RotaryTable {
  Tensor<T, 2> cosine, sine;

  Index positions() const { return cosine.dimension(0); }
  Index rotary_dim() const { return 2 * cosine.dimension(1); }
};

namespace detail {

inline void check_base(const char* function, double base) {
  check(base > 0 && std::isfinite(base),
        [&] { return std::string(function) + ": base is " + std::to_string(base) + ", wanted a positive number"; });
}

}  // namespace detail

/// The table of positions offset, offset + 1, ... Angles are computed in double and their functions rounded once. Throws
/// heed::Error for an odd rotary_dim, sizes below 0, a base that is not positive or a scaling that does not fit.
template <Real T>
RotaryTable<T> rotary_table(Index positions, Index rotary_dim, const RotaryOptions& options = {}) {
  check_extents("rotary_table", "table", Extents<2>{positions, rotary_dim});
  detail::check_base("rotary_table", options.base);
  check(rotary_dim % 2 == 0, [&] {
    return "rotary_table: rotary_dim is " + std::to_string(rotary_dim) + ", wanted an even number: channels turn in pairs";
  });
  const Index pairs = rotary_dim / 2;
  const std::vector<double> steps = rotary_frequencies(rotary_dim, options.base, options.scaling);
  const double amplitude = rotary_amplitude(options.scaling);
  RotaryTable<T> table{Tensor<T, 2>(positions, pairs), Tensor<T, 2>(positions, pairs)};
  for (Index i = 0; i < pairs; ++i) {
    for (Index p = 0; p < positions; ++p) {
      const double angle = static_cast<double>(p + options.offset) * steps[static_cast<std::size_t>(i)];
      table.cosine(p, i) = static_cast<T>(amplitude * std::cos(angle));
      table.sine(p, i) = static_cast<T>(amplitude * std::sin(angle));
    }
  }
  return table;
}

/// How a call turns: which channels, and the table's row for every token (batch, length); none: token t reads row
/// first + t.
struct RotaryCall {
  RotaryPairs pairs = RotaryPairs::halves;
  View<const Index, 2> positions = {};
  Index first = 0;
};

namespace detail {

/// Forward turns by the angle, backward by its negative.
enum class Turn { forward, backward };

/// One row of `pairs` pairs; out may be x.
template <class T>
void turn_row(const T* x, T* out, const T* cosine, const T* sine, Index pairs, RotaryPairs order, Turn turn) {
  const Index step = order == RotaryPairs::interleaved ? 2 : 1, other = order == RotaryPairs::interleaved ? 1 : pairs;
  const T sign = turn == Turn::forward ? T(1) : T(-1);
  for (Index i = 0; i < pairs; ++i) {
    const T a = x[i * step], b = x[i * step + other], s = sign * sine[i];
    out[i * step] = fnma(b, s, a * cosine[i]);
    out[i * step + other] = fma(a, s, b * cosine[i]);
  }
}

template <class T>
void check_rotary(const char* function, const View<const T, 4>& x, const View<T, 4>& out, const RotaryTable<T>& table,
                  const RotaryCall& call) {
  check_input(function, "x", x);
  check_shape(function, "out", out.extents, x.extents);
  check_output(function, "out", out);
  const bool in_place = out.data == x.data && out.strides == x.strides;
  if (!in_place) check_apart(function, "out", out, "x", x);
  check(x.dimension(3) <= 1 || x.stride(3) == 1, [&] {
    return std::string(function) + ": x has stride " + std::to_string(x.stride(3)) + " on its last axis, wanted 1";
  });
  check_shape(function, "table.sine", extents(table.sine), extents(table.cosine));
  check(table.rotary_dim() <= x.dimension(3), [&] {
    return std::string(function) + ": table has rotary_dim " + std::to_string(table.rotary_dim()) + ", wanted at most the " +
           std::to_string(x.dimension(3)) + " channels of x";
  });
  if (!call.positions.data) {
    check(call.first >= 0 && table.positions() - call.first >= x.dimension(2), [&] {
      return std::string(function) + ": table has " + std::to_string(table.positions()) + " positions, wanted at least " +
             std::to_string(x.dimension(2)) + " from first on, which is " + std::to_string(call.first);
    });
    return;
  }
  check_shape(function, "positions", call.positions.extents, Extents<2>{x.dimension(0), x.dimension(2)});
  for (Index b = 0; b < x.dimension(0); ++b) {
    for (Index t = 0; t < x.dimension(2); ++t) {
      const Index row = call.positions(b, t);
      check(row >= 0 && row < table.positions(), [&] {
        return std::string(function) + ": positions(" + std::to_string(b) + ", " + std::to_string(t) + ") is " +
               std::to_string(row) + ", wanted 0 to " + std::to_string(table.positions() - 1);
      });
    }
  }
}

template <class T>
void turn_into(const char* function, const View<T, 4>& out, const View<const T, 4>& x, const RotaryTable<T>& table,
               const RotaryCall& call, Turn turn, ExecutorRef executor) {
  check_rotary(function, x, out, table, call);
  const Index heads = x.dimension(1), width = x.dimension(3), pairs = table.rotary_dim() / 2;
  for_each_task(executor, x.dimension(0) * heads, [&](Index task, Index) {
    const Index b = task / heads, h = task % heads;
    for (Index t = 0; t < x.dimension(2); ++t) {
      const T* const from = x.data + b * x.stride(0) + h * x.stride(1) + t * x.stride(2);
      T* const to = out.data + b * out.stride(0) + h * out.stride(1) + t * out.stride(2);
      const Index row = call.positions.data ? call.positions(b, t) : call.first + t;
      turn_row(from, to, table.cosine.data() + row * pairs, table.sine.data() + row * pairs, pairs, call.pairs, turn);
      if (to != from) std::copy(from + 2 * pairs, from + width, to + 2 * pairs);
    }
  });
}

}  // namespace detail

/// x (batch, heads, length, head_dim) -> out, the same shape and possibly the same memory: the first rotary_dim channels
/// turned, the others copied. Rows contiguous, other strides free, so (batch, length, heads, head_dim) needs no copy. Throws
/// heed::Error for shapes that do not fit and positions outside the table.
template <Real T>
void rotary_embedding_into(const View<T, 4>& out, const std::type_identity_t<View<const T, 4>>& x, const RotaryTable<T>& table,
                           const RotaryCall& call = {}, ExecutorRef executor = default_executor()) {
  detail::turn_into("rotary_embedding", out, x, table, call, detail::Turn::forward, executor);
}

/// The same into a new tensor.
template <TensorLike<4> X>
Tensor<scalar_t<X>, 4> rotary_embedding(const X& x, const RotaryTable<scalar_t<X>>& table, const RotaryCall& call = {},
                                        ExecutorRef executor = default_executor()) {
  const View<const scalar_t<X>, 4> from(x);
  Tensor<scalar_t<X>, 4> out(from.extents);
  rotary_embedding_into<scalar_t<X>>(View<scalar_t<X>, 4>(out), from, table, call, executor);
  return out;
}

/// d_out (batch, heads, length, head_dim) -> d_x, possibly the same memory: turned back.
template <Real T>
void rotary_embedding_backward_into(const View<T, 4>& d_x, const std::type_identity_t<View<const T, 4>>& d_out,
                                    const RotaryTable<T>& table, const RotaryCall& call = {},
                                    ExecutorRef executor = default_executor()) {
  detail::turn_into("rotary_embedding_backward", d_x, d_out, table, call, detail::Turn::backward, executor);
}

/// The same into a new tensor.
template <TensorLike<4> X>
Tensor<scalar_t<X>, 4> rotary_embedding_backward(const X& d_out, const RotaryTable<scalar_t<X>>& table,
                                                 const RotaryCall& call = {}, ExecutorRef executor = default_executor()) {
  const View<const scalar_t<X>, 4> from(d_out);
  Tensor<scalar_t<X>, 4> d_x(from.extents);
  rotary_embedding_backward_into<scalar_t<X>>(View<scalar_t<X>, 4>(d_x), from, table, call, executor);
  return d_x;
}

}  // namespace heed::inline HEED_ABI
