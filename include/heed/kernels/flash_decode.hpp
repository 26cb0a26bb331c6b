#pragma once
// Fused attention of one query, as a cached decoder step asks for it: keys and values are read once, in the order of
// memory, and the time is what that takes. The query heads that share a key/value head are computed side by side.
//   T. Dao, "FlashAttention-2", 2023, algorithm 1; Milakov, Gimelshein, 2018, algorithm 3. Accumulated in T: a score is
// one chain over head_dim, as in the block path; weights are summed in registers that take turns and values in one
// chain, both per block of keys counted from the first; blocks are joined to chunks and chunks to the whole in order,
// so a result depends on neither padding nor batch nor on which thread took a chunk. Its last bits may differ from the
// block path's (SEMANTICS 27).

#include <heed/kernels/finite.hpp>
#include <heed/kernels/flash_decode_scores.hpp>
#include <heed/kernels/flash_decode_state.hpp>
#include <heed/kernels/flash_weights.hpp>
#include <heed/kernels/gemm_rows.hpp>

namespace heed::inline HEED_ABI {

/// One worker's memory.
template <class T>
struct FlashDecodeScratch {
  T *query, *scores, *key, *value, *product, *part, *gemm;

  template <class Arch = default_arch, class Take>
  static FlashDecodeScratch make(Index head_dim, Index value_dim, Take&& take) {
    using namespace flash_detail;
    FlashDecodeScratch s;
    take(s.query, decode_heads * head_dim);
    take(s.scores, decode_heads * decode_keys);
    take(s.key, decode_keys * head_dim);
    take(s.value, decode_keys * value_dim);
    take(s.product, decode_heads * value_dim);
    take(s.part, decode_heads * decode_part_size(value_dim));
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
  Index head_dim() const { return heads_[0].key.cols; }
  Index value_dim() const { return heads_[0].value.cols; }

  /// Everything.
  void run(const FlashDecodeScratch<T>& scratch) {
    scratch_ = scratch;
    attempt();
    if (scale_first_where_far()) attempt();
    finish();
  }
  /// Chunk c of the keys alone, for join(): part holds flash_detail::decode_heads * decode_part_size numbers.
  void run_chunk(const FlashDecodeScratch<T>& scratch, Index c, T* part) {
    scratch_ = scratch;
    pack_queries();
    add_chunk(c, part);
  }
  /// What run() writes, from the parts of all chunks.
  void join_chunks(const FlashDecodeScratch<T>& scratch, const T* parts) {
    scratch_ = scratch;
    start();
    for (Index c = 0; c < flash_detail::decode_chunks(heads_[0].key.rows); ++c) join(parts + c * part_size() * most);
    if (scale_first_where_far()) attempt();
    finish();
  }

 private:
  // Steps with several callers are not inlined: per block or chunk a call costs nothing, a copy takes time to compile.
  using B = Batch<T, Arch>;
  using State = flash_detail::DecodeState<T, Arch>;
  static constexpr T lowest = -std::numeric_limits<T>::infinity();
  static constexpr Index most = flash_detail::decode_heads, block = flash_detail::decode_keys;

  Index part_size() const { return flash_detail::decode_part_size(value_dim()); }
  /// Blocks of visible keys, those in [all.first, all.end).
  template <class F>
  void for_each_block(Range all, const F& f) const {
    const Range seen = heads_[0].band.keys({0, 1});
    const Range keys{std::max(seen.first, all.first), std::min(seen.end, all.end)};
    for (Index first = keys.first / block * block; first < keys.end; first += block)
      f(Range{std::max(first, keys.first), std::min(first + block, keys.end)});
  }
  T* scores(Index r) const { return scratch_.scores + r * block; }
  flash_detail::ScoreScale<T> scale(Index r) const {
    const flash_detail::ScoreScale<T> usual(heads_[r]);
    return scaled_first_[r] ? usual.scaled_first() : usual;
  }

  void attempt() {
    start();
    for (Index c = 0; c < flash_detail::decode_chunks(heads_[0].key.rows); ++c) {
      add_chunk(c, scratch_.part);
      join(scratch_.part);
    }
  }
  /// Returns whether a head must be computed again.
  bool scale_first_where_far() {
    bool any = false;
    for (Index r = 0; r < count_; ++r) any |= scaled_first_[r] = !scale(r).apply && total_[r].reach > scale(r).far;
    return any;
  }

  [[gnu::noinline]] void pack_queries() const {
    for (Index r = 0; r < count_; ++r) {
      const StridedMatrix<T>& query = heads_[r].query;
      const T factor = scale(r).packed;
      for (Index d = 0; d < query.cols; ++d) scratch_.query[r * query.cols + d] = *query.at(0, d) * factor;
    }
  }
  [[gnu::noinline]] void start() {
    pack_queries();
    for (Index r = 0; r < count_; ++r) {
      fill_row<T, Arch>(out_[r].output.row(0), T(0), out_[r].output.cols);
      if (out_[r].weights.data) fill_row<T, Arch>(out_[r].weights.row(0), T(0), out_[r].weights.cols);
      total_[r] = {};
    }
  }
  /// A chunk's own maxima, sums and products, which enter the total as those of its blocks entered them.
  [[gnu::noinline]] void add_chunk(Index c, T* part) {
    for (Index r = 0; r < count_; ++r) {
      state_[r] = {};
      sum_[r] = part + r * part_size() + 3;
      fill_row<T, Arch>(sum_[r], T(0), heads_[r].value.cols);
    }
    constexpr Index chunk = flash_detail::decode_chunk;
    for_each_block({c * chunk, (c + 1) * chunk}, [&](Range keys) { add_block(keys); });
    for (Index r = 0; r < count_; ++r)
      sum_[r][-3] = state_[r].row_max, sum_[r][-2] = state_[r].row_sum, sum_[r][-1] = state_[r].reach;
  }
  [[gnu::noinline]] void join(const T* part) {
    for (Index r = 0; r < count_; ++r, part += part_size()) {
      const auto [old_factor, factor] = total_[r].join({part[0], part[1], part[2]}, scale(r));
      T* const out = out_[r].output.row(0);
      const B old(old_factor), scaled(factor);
      map_registers<T, Arch>(out_[r].output.cols, [&](Index e, auto lane) {
        lane.store(out + e, heed::fma(lane.load(out + e), old, lane.load(part + 3 + e) * scaled));
      });
    }
  }

  /// c (heads, ...) = a op(b), rows of c `step` apart.
  void multiply(const flash_detail::Strided<T>& a, Transpose tb, const MatrixView<const T>& b, T* c, Index step) const {
    const Index depth = tb == Transpose::yes ? b.cols : b.rows, cols = tb == Transpose::yes ? b.rows : b.cols;
    gemm_detail::multiply_few_rows<T, Arch, static_cast<int>(most)>(count_, depth, a, tb, b, {c, step, Accumulate::no},
                                                                    cols, scratch_.gemm);
  }
  /// Scores of all heads against a block of keys, with terms and masks; what `keys` leaves out of the block is -inf.
  [[gnu::noinline]] void compute_scores(Range keys) const {
    using namespace flash_detail;
    const auto key = contiguous_rows(heads_[0].key, keys.first, keys.size(), scratch_.key);
    const Index at = keys.first % block;
    multiply({scratch_.query, key.cols, 1}, Transpose::yes, key, scratch_.scores + at, block);
    for (Index r = 0; r < count_; ++r) {
      T* const row = scores(r) + at;
      std::fill(scores(r), row, lowest);
      std::fill(row + keys.size(), scores(r) + block, lowest);
      change_decode_scores<T, Arch>(heads_[r], scale(r), keys, {.scores = row});
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
      if (heads_[r].mask_pairs() && !all_finite<T, Arch>(row)) add_visible_values(r, keys, value);
      T* const sum = sum_[r];
      const B old_factor(factor[r]);
      map_registers<T, Arch>(cols, [&](Index e, auto part) {
        part.store(sum + e, heed::fma(part.load(sum + e), old_factor, part.load(product + e)));
      });
    }
  }
  /// A masked pair's weight of 0 does not stop a NaN: such a block's product is made of visible pairs alone.
  [[gnu::cold, gnu::noinline]] void add_visible_values(Index r, Range keys, const MatrixView<const T>& value) const {
    T* const product = scratch_.product + r * value.cols;
    fill_row<T, Arch>(product, T(0), value.cols);
    for (Index j = keys.first; j < keys.end; ++j)
      if (heads_[r].visible(0, j))
        add_scaled_row<T, Arch>(product, scores(r)[j % block], value.row(j - keys.first), value.cols);
  }

  /// A block's scores become weights; returns what earlier sums are multiplied by.
  T weigh(Index r) {
    B largest(state_[r].row_max);
    for (Index j = 0; j < block; j += lanes<T, Arch>)
      largest = larger(heed::load<T, Arch>(scores(r) + j), largest);
    const T factor = state_[r].raise(reduce_max(largest), scale(r));
    state_[r].row_sum = heed::fma(state_[r].row_sum, factor, weigh_row(r, state_[r]));
    return factor;
  }
  T weigh_row(Index r, const State& state) const {
    const flash_detail::ScoreScale<T> scaled = scale(r);
    const Exp2Nonpositive<T, Arch> exp2;
    const B c(scaled.exponent), from(state.reference(scaled));
    constexpr Index width = lanes<T, Arch>;
    static_assert(block % (4 * width) == 0);
    TurnSum<T, Arch> sum;
    for (T* x = scores(r); x != scores(r) + block; x += 4 * width)
      unroll<4>([&](int turn) __attribute__((always_inline)) {
        const B s = heed::load<T, Arch>(x + turn * width);
        const B weight = exp2(scaled.apply ? (s - from) * c : heed::fma(s, c, -from));
        heed::store(x + turn * width, weight);
        sum.add(turn, weight);
      });
    return sum.total();
  }
  void drop(Index r, Range keys) const {
    if (heads_[r].dropout.threshold == 0) return;
    for (Index j = keys.first; j < keys.end; ++j) scores(r)[j % block] *= heads_[r].dropout.factor(0, j);
  }

  void finish() {
    for (Index r = 0; r < count_; ++r)
      inverse_[r] = flash_detail::finish_decode<T, Arch>(heads_[r], out_[r], scale(r), total_[r]);
    if (!out_[0].needs_weights()) return;
    for_each_block({0, heads_[0].key.rows}, [&](Range keys) { write_weights(keys); });
  }
  void write_weights(Range keys) {
    compute_scores(keys);
    for (Index r = 0; r < count_; ++r) {
      const FlashOutputs<T>& out = out_[r];
      weigh_row(r, total_[r]);
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
  State total_[most], state_[most];  // of all keys so far, and of the chunk
  T* sum_[most];                     // the chunk's weighted values
  T inverse_[most];
  bool scaled_first_[most] = {};
};

/// Computes the heads that were added. Functions to instantiate for programs with many callers.
template <class T, class Arch = default_arch>
void flash_decode(FlashDecode<T, Arch>& heads, const FlashDecodeScratch<T>& scratch) {
  heads.run(scratch);
}
template <class T, class Arch = default_arch>
void flash_decode_chunk(FlashDecode<T, Arch>& heads, const FlashDecodeScratch<T>& scratch, Index chunk, T* part) {
  heads.run_chunk(scratch, chunk, part);
}
template <class T, class Arch = default_arch>
void flash_decode_join(FlashDecode<T, Arch>& heads, const FlashDecodeScratch<T>& scratch, const T* parts) {
  heads.join_chunks(scratch, parts);
}

}  // namespace heed::inline HEED_ABI
