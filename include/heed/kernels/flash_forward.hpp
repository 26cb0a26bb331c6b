#pragma once
// Fused attention of one block of queries of one head: output = softmax(scale Q K^T + terms, over the visible keys) V,
// a block of keys at a time.
//   T. Dao, "FlashAttention-2", 2023, algorithm 1, on transposed tiles (flash_tile.hpp); running sums: Milakov,
//   Gimelshein, 2018, algorithm 3. Everything is accumulated in T: a score is one chain over head_dim; sums over keys
//   are one chain per block of keys, joined block by block, so their error grows with flash_keys + keys / flash_keys
//   roundings instead of keys.
// Masked data never reaches a result, although a weight of 0 does not stop a NaN: where a result is not finite and a
// masked pair was multiplied, the block is computed again with every such pair left out. On finite data both ways give
// the same bits.

#include <heed/kernels/flash_scores.hpp>
#include <heed/kernels/flash_weights.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// One worker's memory.
template <class T>
struct FlashForwardScratch {
  T *query, *scores, *value, *row;

  /// Hands the pieces to `take(piece, count)`: an allocator of 64-byte aligned memory, or one that only counts.
  template <class Arch = default_arch, class Take>
  static FlashForwardScratch make(Index head_dim, Index value_dim, Take&& take) {
    constexpr Index queries = flash_detail::FlashBlocks<T, Arch>::queries;
    FlashForwardScratch s;
    take(s.query, head_dim * queries);
    take(s.scores, flash_detail::flash_keys * queries);
    take(s.value, flash_detail::flash_keys * value_dim);
    take(s.row, value_dim);
    return s;
  }
};

/// Queries that are computed together; blocks may begin anywhere, without changing a bit.
template <class T, class Arch = default_arch>
inline constexpr Index flash_query_block = flash_detail::FlashBlocks<T, Arch>::queries;

/// One head; run() for any number of blocks.
template <class T, class Arch = default_arch>
class FlashForward {
 public:
  FlashForward(const FlashHead<T>& head, const FlashOutputs<T>& out, const FlashForwardScratch<T>& scratch)
      : head_(head), out_(out), scratch_(scratch), scale_(head), tile_(head, scale_, scratch.scores) {}

  /// At most flash_query_block queries: their rows of the outputs are written, those behind query_end with zeros and
  /// -inf.
  void run(Range queries) {
    queries_ = queries;
    scale_ = flash_detail::ScoreScale<T>(head_);
    bool finite = attempt(Skip::nothing);
    if (any_lane(reach_ > B(scale_.far))) {
      scale_ = scale_.scaled_first();
      finite = attempt(Skip::nothing);
    }
    if (!finite && masked_pairs_) attempt(Skip::masked_pairs);
    if (out_.needs_weights()) write_weights();
  }

 private:
  using B = Batch<T, Arch>;
  using Blocks = flash_detail::FlashBlocks<T, Arch>;
  static constexpr Index width = lanes<T, Arch>;
  enum class Skip { nothing, masked_pairs };

  /// Returns whether the output is finite.
  bool attempt(Skip skip) {
    const Index end = std::clamp(head_.band.query_end, queries_.first, queries_.end);
    seen_ = {queries_.first, end};
    masked_pairs_ = false;
    reach_ = B(T(0));
    std::fill_n(row_max_, Blocks::queries, -std::numeric_limits<T>::infinity());
    std::fill_n(origin_, Blocks::queries, -std::numeric_limits<T>::infinity());
    std::fill_n(row_sum_, Blocks::queries, T(0));
    for (Index i = queries_.first; i < queries_.end; ++i)
      fill_row<T, Arch>(out_.output.row(i), T(0), out_.output.cols);
    flash_detail::pack_transposed<T, Arch>(head_.query, seen_.first, seen_.size(), scale_.packed, scratch_.query);
    for_each_tile([&](const flash_detail::TilePlace& place) { add_tile(place, skip); });
    return finish();
  }

  /// Calls f(place) for every tile that is not empty, keys ascending.
  template <class F>
  void for_each_tile(const F& f) const {
    const Range keys = head_.band.keys(seen_);
    constexpr Index block = flash_detail::flash_keys;
    for (Index first = keys.first / block * block; first < keys.end; first += block) {
      const Range cut{std::max(first, keys.first), std::min(first + block, keys.end)};
      const Tile kind = head_.visible_tile(seen_, cut);
      if (kind != Tile::empty) f(flash_detail::TilePlace{seen_, cut, kind});
    }
  }

  void add_tile(const flash_detail::TilePlace& place, Skip skip) {
    const Range keys = place.keys;
    alignas(64) T next_max[Blocks::queries];
    std::copy_n(row_max_, Blocks::queries, next_max);
    tile_.compute(place, scratch_.query, next_max);
    for (Index v = 0; v < tile_.vectors(); ++v) weigh(v, next_max);
    tile_.apply_dropout(scratch_.scores);
    const auto value = flash_detail::contiguous_rows(head_.value, keys.first, keys.size(), scratch_.value);
    if (place.tile == Tile::mixed && skip == Skip::masked_pairs) return add_visible_values(value);
    masked_pairs_ = masked_pairs_ || place.tile == Tile::mixed;
    flash_detail::for_row_groups<Blocks::value_rows>(seen_.size(), [&](auto rows, Index i) {
      const Range range = tile_.row_keys(i, rows);
      if (range.empty()) return;  // nothing is added, and the factor is 1
      const T* const weights = scratch_.scores + range.first * Blocks::queries + i;
      flash_detail::product_rows<T, Arch, rows>({weights, 1, Blocks::queries},
                                                value.row_block(range.first, range.size()),
                                                out_.output.row(seen_.first + i), out_.output.stride,
                                                flash_detail::Rescale<T>{factor_ + i});
    });
  }

  /// One register of queries: scores to weights, and the state moves to the new maximum.
  void weigh(Index v, const T* next_max) {
    const Index at = v * width;
    const B c(scale_.exponent), row_max = heed::load<T, Arch>(next_max + at);
    const B past = heed::load<T, Arch>(origin_ + at);
    heed::store(row_max_ + at, row_max);
    heed::store(origin_ + at, scale_.apply ? flash_detail::exponent_origin<true, T, Arch>(row_max, c)
                                           : flash_detail::exponent_origin<false, T, Arch>(row_max, c));
    const B sum = weigh_register(v);
    const B reference = flash_detail::exponent_reference<T, Arch>(heed::load<T, Arch>(origin_ + at));
    if (!scale_.apply) reach_ = larger(larger(reference, -reference), reach_);
    const B gap = past - reference;
    const B factor = Exp2Nonpositive<T, Arch>()(scale_.apply ? gap * c : gap);
    heed::store(row_sum_ + at, heed::fma(heed::load<T, Arch>(row_sum_ + at), factor, sum));
    heed::store(factor_ + at, factor);
  }
  /// The register's scores become weights against its origin; returns their sums.
  [[gnu::noinline]] B weigh_register(Index v) {
    const Range keys = tile_.vector_keys(v);
    T* const column = scratch_.scores + v * width;
    // A group of queries may reach over two registers: what this one does not see weighs nothing.
    for (Index j = 0; j < keys.first; ++j) heed::store(column + j * Blocks::queries, B(T(0)));
    for (Index j = keys.end; j < tile_.place().keys.size(); ++j) heed::store(column + j * Blocks::queries, B(T(0)));
    const B reference = flash_detail::exponent_reference<T, Arch>(heed::load<T, Arch>(origin_ + v * width));
    T* const seen = column + keys.first * Blocks::queries;
    return scale_.apply ? flash_detail::weigh_scores<T, Arch, true>(seen, keys.size(), scale_.exponent, reference)
                        : flash_detail::weigh_scores<T, Arch, false>(seen, keys.size(), scale_.exponent, reference);
  }

  /// The product with V over visible pairs alone, row by row.
  [[gnu::cold, gnu::noinline]] void add_visible_values(MatrixView<const T> value) {
    const Range keys = tile_.place().keys;
    for (Index i = 0; i < seen_.size(); ++i) {
      fill_row<T, Arch>(scratch_.row, T(0), value.cols);
      for (Index j = 0; j < keys.size(); ++j)
        if (head_.visible(seen_.first + i, keys.first + j))
          add_scaled_row<T, Arch>(scratch_.row, scratch_.scores[j * Blocks::queries + i], value.row(j), value.cols);
      T* const out = out_.output.row(seen_.first + i);
      for (Index e = 0; e < value.cols; ++e) out[e] = heed::fma(out[e], factor_[i], scratch_.row[e]);
    }
  }

  /// Divides by the sums. Whether a row is empty is what the mask says, never the scores (SEMANTICS 10): visible scores
  /// that are all -inf give NaN.
  bool finish() {
    for (Index v = 0; v < seen_.size(); v += width) finish_sums(v);
    B zeros(T(0));  // x * 0 is 0 or NaN
    for (Index i = 0; i < seen_.size(); ++i) {
      T* const out = out_.output.row(seen_.first + i);
      const bool empty = row_sum_[i] == 0;
      if (empty && !head_.sink)
        inverse_[i] = head_.sees_any(seen_.first + i) ? std::numeric_limits<T>::quiet_NaN() : T(0);
      simd_detail::update_row<T, Arch>(out, out_.output.cols, [&](const B& sum, Index, Index) {
        const B mean = sum * B(inverse_[i]);
        zeros = heed::fma(mean, B(T(0)), zeros);
        return mean;
      });
      if (empty && out_.logsumexp) out_.logsumexp[seen_.first + i] = head_.empty_logsumexp();
    }
    finish_empty_rows();
    return reduce_add(zeros) == T(0);
  }
  /// One register of queries: what sums are multiplied by, the sink joined, and the logsumexp.
  void finish_sums(Index i) {
    const Exp2Nonpositive<T, Arch> exp2;
    const B unit(scale_.origin_exponent());
    B sum = heed::load<T, Arch>(row_sum_ + i), origin = heed::load<T, Arch>(origin_ + i), factor(T(1));
    if (head_.sink) {
      const B sink(scale_.to_origin(*head_.sink));
      const B joined = flash_detail::exponent_reference<T, Arch>(larger(origin, sink));
      factor = exp2((origin - joined) * unit);
      sum = heed::fma(sum, factor, exp2((sink - joined) * unit));
      origin = joined;
    }
    heed::store(inverse_ + i, heed::divide(factor, sum));
    const Index count = std::min(width, seen_.size() - i), row = seen_.first + i;
    const B reference = flash_detail::exponent_reference<T, Arch>(origin);
    if (out_.logsumexp)
      heed::store_partial(out_.logsumexp + row, heed::fma(reference, B(scale_.to_natural()), heed::log(sum)), count);
    if (!out_.row_max) return;
    const B product = heed::load<T, Arch>(row_max_ + i), largest = scale_.apply ? product : scaled(product);
    const auto good = !is_nan(sum) || largest == B(std::numeric_limits<T>::infinity());  // maxima pass over NaN
    heed::store_partial(out_.row_max + row, heed::select(good, largest, sum), count);
  }
  B scaled(const B& row_max) const {
    const B lowest(-std::numeric_limits<T>::infinity());
    return heed::select(row_max == lowest, lowest, row_max * B(scale_.factor));
  }
  void finish_empty_rows() const {
    for (Index i = seen_.end; i < queries_.end; ++i) {
      if (out_.logsumexp) out_.logsumexp[i] = head_.empty_logsumexp();
      if (out_.row_max) out_.row_max[i] = -std::numeric_limits<T>::infinity();
    }
  }

  /// The scores again, now against the final maxima and sums; everything that is asked of weights is made of them.
  void write_weights() {
    for (Index i = queries_.first; i < queries_.end; ++i) {
      if (out_.weights.data) fill_row<T, Arch>(out_.weights.row(i), T(0), out_.weights.cols);
      if (out_.entropy) out_.entropy[i] = 0;
    }
    for_each_tile([&](const flash_detail::TilePlace& place) {
      tile_.compute(place, scratch_.query, nullptr);
      for (Index v = 0; v < tile_.vectors(); ++v) weigh_register(v);
      for (Index i = 0; i < seen_.size(); ++i) write_weights(i, place.keys);
    });
  }
  void write_weights(Index i, Range keys) const {
    const bool finite = std::isfinite(inverse_[i]);
    const Range seen = tile_.row_keys(i, 1);
    const Index query = seen_.first + i;
    for (Index j = keys.first + seen.first; j < keys.first + seen.end; ++j) {
      if (!finite && !head_.visible(query, j)) continue;
      const T weight = scratch_.scores[(j - keys.first) * Blocks::queries + i] * inverse_[i];
      if (out_.weights.data) out_.weights(query, j) = weight;
      if (out_.key_sums) out_.key_sums[j] += weight;
      if (out_.entropy && weight != 0) out_.entropy[query] = heed::fnma(weight, heed::log(weight), out_.entropy[query]);
    }
  }

  const FlashHead<T>& head_;
  const FlashOutputs<T> out_;
  const FlashForwardScratch<T> scratch_;
  flash_detail::ScoreScale<T> scale_;
  flash_detail::ScoreTile<T, Arch> tile_;
  Range queries_, seen_;  // the block, and its part before query_end
  bool masked_pairs_ = false;
  B reach_ = B(T(0));  // the largest origins of any tile, without their signs
  alignas(64) T row_max_[Blocks::queries];
  alignas(64) T origin_[Blocks::queries];  // what row_max_ enters exponents as
  alignas(64) T row_sum_[Blocks::queries];
  alignas(64) T factor_[Blocks::queries];
  alignas(64) T inverse_[Blocks::queries];
};

/// All blocks of `queries`. One function to instantiate for programs with many callers.
template <class T, class Arch = default_arch>
void flash_forward(const FlashHead<T>& head, const FlashOutputs<T>& out, const FlashForwardScratch<T>& scratch,
                   Range queries) {
  FlashForward<T, Arch> forward(head, out, scratch);
  for (Index first = queries.first; first < queries.end; first += flash_query_block<T, Arch>)
    forward.run({first, std::min(first + flash_query_block<T, Arch>, queries.end)});
}

}  // namespace heed::inline HEED_ABI
