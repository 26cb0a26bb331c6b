#pragma once
// Scores of additive attention (Bahdanau, Cho, Bengio 2015, appendix A.1.2), forward and backward, for one sample:
//
//   e_ij = sum_u v_u tanh(q_iu + k_ju)        q = W_q query + b, k = W_k key: projected by the caller, U units each
//
// The (query_length, key_length, units) tensor is never stored; backward computes tanh again. Keys behind a sample's
// length are left out by passing the view of the visible ones. Sums are kept in T. A score is one chain of registers
// over the units, joined in a fixed order: it depends on its query and its key alone. Gradients add up over keys, then
// queries, in ascending order.

#include <heed/kernels/registers.hpp>
#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

/// What additive_scores_backward reads and writes. No output may overlap another view.
template <Real T>
struct AdditiveBackward {
  MatrixView<const T> query;     ///< (query_length, units)
  MatrixView<const T> key;       ///< (visible keys, units)
  const T* v;                    ///< (units)
  MatrixView<const T> d_scores;  ///< (query_length, at least the visible keys)
  MatrixView<T> d_query;         ///< (query_length, units), written
  MatrixView<T> d_key;           ///< (visible keys, units), added to
  T* d_v;                        ///< (units), this call's sum is added once
  /// (query_length, visible keys): pairs that take part; d_scores and keys of the others are not read. Stride 0 for one
  /// row that holds for all queries, data null for all pairs.
  MatrixView<const bool> allowed = {};
};

namespace additive_detail {

// Keys whose scores are computed side by side, to hide the latency of tanh (about 40 cycles, a dozen to issue).
inline constexpr Index key_block = 4;

/// Scores of `Keys` neighbouring keys against one query; a key's bits do not depend on Keys.
template <class T, class Arch, Index Keys>
void score_keys(const T* query, MatrixView<const T> key, Index first, const T* v, T* scores) {
  using B = Batch<T, Arch>;
  B sums[Keys];
  for (Index j = 0; j < Keys; ++j) sums[j] = B(T(0));
  const T* keys = key.row(first);
  map_registers<T, Arch>(
      key.cols, [&](Index u, auto part) __attribute__((always_inline)) {
        const B q = part.load(query + u), weight = part.load(v + u);
        for (Index j = 0; j < Keys; ++j) sums[j] = fma(weight, tanh(q + part.load(keys + j * key.stride + u)), sums[j]);
      });
  for (Index j = 0; j < Keys; ++j) scores[first + j] = reduce_add(sums[j]);
}

/// The gradients of `Registers` neighbouring registers of units, from u on, over all queries and keys.
template <Index Registers, class T, class Part>
void backward_units(const AdditiveBackward<T>& b, Index u, const Part& part) {
  using B = decltype(part.load(b.v));
  constexpr Index width = static_cast<Index>(B::size);
  B v[Registers], d_v[Registers], q[Registers], d_q[Registers];
  for (Index r = 0; r < Registers; ++r) v[r] = part.load(b.v + u + r * width), d_v[r] = B(T(0));
  for (Index i = 0; i < b.query.rows; ++i) {
    for (Index r = 0; r < Registers; ++r) q[r] = part.load(b.query.row(i) + u + r * width), d_q[r] = B(T(0));
    for (Index j = 0; j < b.key.rows; ++j) {
      if (b.allowed.data && !b.allowed.row(i)[j]) continue;
      const B d_score(b.d_scores.row(i)[j]);
      for (Index r = 0; r < Registers; ++r) {
        T* d_key = b.d_key.row(j) + u + r * width;
        const B t = tanh(q[r] + part.load(b.key.row(j) + u + r * width));
        const B slope = fnma(t, t, B(T(1)));
        const B d_tanh = d_score * v[r];
        d_v[r] = fma(d_score, t, d_v[r]);
        d_q[r] = fma(d_tanh, slope, d_q[r]);
        part.store(d_key, fma(d_tanh, slope, part.load(d_key)));
      }
    }
    for (Index r = 0; r < Registers; ++r) part.store(b.d_query.row(i) + u + r * width, d_q[r]);
  }
  for (Index r = 0; r < Registers; ++r) part.store(b.d_v + u + r * width, part.load(b.d_v + u + r * width) + d_v[r]);
}

}  // namespace additive_detail

/// query (query_length, units), key (visible keys, units), v (units) -> the first key.rows columns of scores
/// (query_length, at least the visible keys). Scores of keys that a mask hides are computed like all others: the
/// softmax that takes the mask drops them.
template <Real T, class Arch = default_arch>
void additive_scores(MatrixView<const T> query, MatrixView<const T> key, const T* v, MatrixView<T> scores) {
  using namespace additive_detail;
  assert(query.cols == key.cols && scores.rows == query.rows && scores.cols >= key.rows);
  for (Index i = 0; i < query.rows; ++i) {
    Index j = 0;
    for (; j + key_block <= key.rows; j += key_block) {
      score_keys<T, Arch, key_block>(query.row(i), key, j, v, scores.row(i));
    }
    for (; j < key.rows; ++j) score_keys<T, Arch, 1>(query.row(i), key, j, v, scores.row(i));
  }
}

/// The backward of additive_scores. A caller that runs samples side by side gives each its own d_v row, zeroed, and
/// adds the rows in the samples' order: the bits of adding them one after the other.
template <Real T, class Arch = default_arch>
void additive_scores_backward(const AdditiveBackward<T>& b) {
  assert(b.query.cols == b.key.cols && b.d_scores.cols >= b.key.rows && b.d_scores.rows == b.query.rows);
  constexpr Index width = lanes<T, Arch>;
  // Four registers at a time: 4 x (v, d_v, q, d_q) leave room for tanh in 32 registers, and rows are read a page at a
  // time less. 16 registers hold half of that.
  constexpr Index registers = width * static_cast<Index>(sizeof(T)) == 64 ? 4 : 2;
  const Index units = b.query.cols;
  Index u = 0;
  for (; u + registers * width <= units; u += registers * width) {
    additive_detail::backward_units<registers>(b, u, FullRegister<T, Arch>{});
  }
  map_registers<T, Arch>(units - u,
                         [&](Index rest, auto part) { additive_detail::backward_units<1>(b, u + rest, part); });
}

}  // namespace heed::inline HEED_ABI
