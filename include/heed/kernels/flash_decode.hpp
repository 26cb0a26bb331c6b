#pragma once
// Fused attention of one query, as a cached decoder step asks for it: keys and values are read once, in the order of
// memory, and the time is what that takes. The query heads that share a key/value head are computed side by side.
//   T. Dao, "FlashAttention-2", 2023, algorithm 1; Milakov, Gimelshein, 2018, algorithm 3. Accumulated in T: a score is
// one chain over head_dim, as in the block path; weights are summed in registers that take turns and values in one
// chain, both per block of keys counted from the first, so a result depends on neither padding nor batch. Its last bits
// may differ from the block path's (SEMANTICS 27).

#include <heed/kernels/finite.hpp>
#include <heed/kernels/flash_decode_scores.hpp>
#include <heed/kernels/flash_weights.hpp>
#include <heed/kernels/gemm_rows.hpp>

namespace heed::inline HEED_ABI {

namespace flash_detail {

/// 256 keys of 64 floats are 64 KiB, their values too: what is fetched ahead stays well inside L2.
inline constexpr Index decode_keys = 256;
/// Heads side by side: what gemm_rows.hpp multiplies without packing keys.
inline constexpr Index decode_heads = 4;

}  // namespace flash_detail

/// One worker's memory.
template <class T>
struct FlashDecodeScratch {
  T *query, *scores, *key, *value, *product, *gemm;

  template <class Arch = default_arch, class Take>
  static FlashDecodeScratch make(Index head_dim, Index value_dim, Take&& take) {
    using namespace flash_detail;
    FlashDecodeScratch s;
    take(s.query, decode_heads * head_dim);
    take(s.scores, decode_heads * decode_keys);
    take(s.key, decode_keys * head_dim);
    take(s.value, decode_keys * value_dim);
    take(s.product, decode_heads * value_dim);
    take(s.gemm, lanes<T, Arch> * std::max(head_dim, decode_keys));
    return s;
  }
};

/// Up to flash_detail::decode_heads heads with the same keys and values; head r's query is its first row.
template <class T, class Arch = default_arch>
class FlashDecode {
 public:
  /// Adds a head; out is its part of the outputs: row 0 is written.
  void add(const FlashHead<T>& head, const FlashOutputs<T>& out) {
    heads_[count_] = head;
    out_[count_++] = out;
  }
  void run(const FlashDecodeScratch<T>& scratch) {
    scratch_ = scratch;
    start();
    for_each_block([&](Range keys) { add_block(keys); });
    for (Index r = 0; r < count_; ++r) finish(r);
    for_each_block([&](Range keys) { write_weights(keys); });
  }

 private:
  using B = Batch<T, Arch>;
  static constexpr T lowest = -std::numeric_limits<T>::infinity();
  static constexpr Index most = flash_detail::decode_heads, block = flash_detail::decode_keys;

  template <class F>
  void for_each_block(const F& f) const {
    const Range keys = heads_[0].band.keys({0, 1});
    for (Index first = keys.first / block * block; first < keys.end; first += block)
      f(Range{std::max(first, keys.first), std::min(first + block, keys.end)});
  }
  T* scores(Index r) const { return scratch_.scores + r * block; }
  flash_detail::ScoreScale<T> scale(Index r) const { return flash_detail::ScoreScale<T>(heads_[r]); }

  void start() {
    for (Index r = 0; r < count_; ++r) {
      const StridedMatrix<T>& query = heads_[r].query;
      const T factor = scale(r).packed;
      for (Index d = 0; d < query.cols; ++d) scratch_.query[r * query.cols + d] = *query.at(0, d) * factor;
      fill_row<T, Arch>(out_[r].output.row(0), T(0), out_[r].output.cols);
      if (out_[r].weights.data) fill_row<T, Arch>(out_[r].weights.row(0), T(0), out_[r].weights.cols);
      row_max_[r] = origin_[r] = lowest;
      row_sum_[r] = 0;
    }
  }

  /// c (heads, ...) = a op(b), rows of c `step` apart.
  void multiply(const flash_detail::Strided<T>& a, Transpose tb, const MatrixView<const T>& b, T* c, Index step) const {
    const Index depth = tb == Transpose::yes ? b.cols : b.rows, cols = tb == Transpose::yes ? b.rows : b.cols;
    gemm_detail::multiply_few_rows<T, Arch, static_cast<int>(most)>(count_, depth, a, tb, b, {c, step, Accumulate::no},
                                                                    cols, scratch_.gemm);
  }
  /// Scores of all heads against a block of keys, with terms and masks; what `keys` leaves out of the block is -inf.
  void compute_scores(Range keys) const {
    using namespace flash_detail;
    const auto key = contiguous_rows(heads_[0].key, keys.first, keys.size(), scratch_.key);
    const Index at = keys.first % block;
    multiply({scratch_.query, key.cols, 1}, Transpose::yes, key, scratch_.scores + at, block);
    for (Index r = 0; r < count_; ++r) {
      T* const row = scores(r) + at;
      std::fill(scores(r), row, lowest);
      std::fill(row + keys.size(), scores(r) + block, lowest);
      change_decode_scores<T, Arch>(heads_[r], scale(r), keys, row, nullptr);
    }
  }

  void add_block(Range keys) {
    compute_scores(keys);
    T factor[most];
    for (Index r = 0; r < count_; ++r) {
      factor[r] = weigh(r);
      drop(r, keys);
    }
    const auto value = flash_detail::contiguous_rows(heads_[0].value, keys.first, keys.size(), scratch_.value);
    const Index at = keys.first % block, cols = value.cols;
    multiply({scratch_.scores + at, block, 1}, Transpose::no, value, scratch_.product, cols);
    for (Index r = 0; r < count_; ++r) {
      T* const product = scratch_.product + r * cols;
      const MatrixView<const T> row(product, 1, cols);
      if (heads_[r].terms.mask_pairs() && !all_finite<T, Arch>(row)) add_visible_values(r, keys, value);
      T* const out = out_[r].output.row(0);
      const B old_factor(factor[r]);
      map_registers<T, Arch>(cols, [&](Index e, auto part) {
        part.store(out + e, heed::fma(part.load(out + e), old_factor, part.load(product + e)));
      });
    }
  }
  /// A masked pair's weight of 0 does not stop a NaN: such a block's product is made of visible pairs alone.
  void add_visible_values(Index r, Range keys, const MatrixView<const T>& value) const {
    T* const product = scratch_.product + r * value.cols;
    fill_row<T, Arch>(product, T(0), value.cols);
    for (Index j = keys.first; j < keys.end; ++j)
      if (heads_[r].visible(0, j))
        add_scaled_row<T, Arch>(product, scores(r)[j % block], value.row(j - keys.first), value.cols);
  }

  /// A block's scores become weights; returns what earlier sums are multiplied by.
  T weigh(Index r) {
    const flash_detail::ScoreScale<T> scaled = scale(r);
    B largest(row_max_[r]);
    for (Index j = 0; j < block; j += lanes<T, Arch>)
      largest = larger(heed::load<T, Arch>(scores(r) + j), largest);
    const T past = origin_[r];
    row_max_[r] = reduce_max(largest);
    origin_[r] = scaled.apply ? row_max_[r] : row_max_[r] * scaled.exponent;
    const T sum = weigh_row(r, scaled), gap = past - reference(r);
    const T factor = exp2_of(scaled.apply ? gap * scaled.exponent : gap);
    row_sum_[r] = heed::fma(row_sum_[r], factor, sum);
    return factor;
  }
  T weigh_row(Index r, const flash_detail::ScoreScale<T>& scaled) const {
    const Exp2Nonpositive<T, Arch> exp2;
    const B c(scaled.exponent), from(reference(r));
    TurnSum<T, Arch> sum;
    for_each_register<T, Arch>(
        block, [&](Index j, auto part, int turn) __attribute__((always_inline)) {
          const B s = part.load(scores(r) + j);
          const B weight = exp2(scaled.apply ? (s - from) * c : heed::fma(s, c, -from));
          part.store(scores(r) + j, weight);
          sum.add(turn, weight);
        });
    return sum.total();
  }
  T reference(Index r) const { return origin_[r] == lowest ? T(0) : origin_[r]; }
  static T exp2_of(T x) {
    alignas(64) T lane[lanes<T, Arch>];
    heed::store(lane, Exp2Nonpositive<T, Arch>()(B(x)));
    return lane[0];
  }
  void drop(Index r, Range keys) const {
    if (heads_[r].dropout.threshold == 0) return;
    for (Index j = keys.first; j < keys.end; ++j) scores(r)[j % block] *= heads_[r].dropout.factor(0, j);
  }

  /// Divides by the sum, the sink joined; whether the row is empty is what the mask says.
  void finish(Index r) {
    const flash_detail::ScoreScale<T> scaled = scale(r);
    const FlashHead<T>& head = heads_[r];
    const T unit = scaled.origin_exponent();
    T sum = row_sum_[r], origin = reference(r), factor = 1;
    if (head.sink) {
      const T sink = scaled.to_origin(*head.sink),
              joined = std::max({origin_[r], sink, std::numeric_limits<T>::lowest()});
      factor = exp2_of((origin_[r] - joined) * unit);
      sum = heed::fma(sum, factor, exp2_of((sink - joined) * unit));
      origin = joined;
    }
    inverse_[r] = factor / sum;
    const bool empty = row_sum_[r] == 0;
    if (empty && !head.sink) inverse_[r] = head.sees_any(0) ? std::numeric_limits<T>::quiet_NaN() : T(0);
    scale_row<T, Arch>(out_[r].output.row(0), out_[r].output.cols, inverse_[r]);
    if (out_[r].logsumexp)
      out_[r].logsumexp[0] = empty ? head.empty_logsumexp() : heed::fma(origin, scaled.to_natural(), heed::log(sum));
    if (out_[r].row_max)
      out_[r].row_max[0] = scaled.apply || row_max_[r] == lowest ? row_max_[r] : row_max_[r] * scaled.factor;
    if (out_[r].entropy) out_[r].entropy[0] = 0;
  }
  void write_weights(Range keys) {
    if (!out_[0].needs_weights()) return;
    compute_scores(keys);
    for (Index r = 0; r < count_; ++r) {
      const FlashOutputs<T>& out = out_[r];
      weigh_row(r, scale(r));
      for (Index j = keys.first; j < keys.end; ++j) {
        if (!heads_[r].visible(0, j)) continue;
        const T weight = scores(r)[j % block] * inverse_[r];
        if (out.weights.data) out.weights(0, j) = weight;
        if (out.key_sums) out.key_sums[j] += weight;
        if (out.entropy && weight != 0) out.entropy[0] = heed::fnma(weight, heed::log(weight), out.entropy[0]);
      }
    }
  }

  FlashHead<T> heads_[most];
  FlashOutputs<T> out_[most];
  FlashDecodeScratch<T> scratch_{};
  Index count_ = 0;
  T row_max_[most], origin_[most], row_sum_[most], inverse_[most];
};

/// Computes the heads that were added. One function to instantiate for programs with many callers.
template <class T, class Arch = default_arch>
void flash_decode(FlashDecode<T, Arch>& heads, const FlashDecodeScratch<T>& scratch) {
  heads.run(scratch);
}

}  // namespace heed::inline HEED_ABI
