#pragma once
// The backward of fused attention over the tiles of its forward; probabilities are recomputed from the logsumexp L, so
// nothing of size (query_length, key_length) is kept.
//   P = exp(S - L), dV = P^T dO, dP = dO V^T, delta = rowsum(dO * O), dS = P * (dP - delta), dQ = scale dS K,
//   dK = scale dS^T Q.      T. Dao et al., "FlashAttention", 2022, algorithm 4, on transposed tiles (flash_tile.hpp):
// all five products broadcast from a row or a column of S^T, K or V, so only Q^T and dO^T are packed. Sums are
// accumulated in T: one chain per block of queries or of keys, blocks joined in their order.

#include <numbers>

#include <heed/kernels/finite.hpp>
#include <heed/kernels/flash_gradients.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// One head. Gradients of keys and values add up over heads.
template <class T, class Arch = default_arch>
class FlashBackward {
 public:
  FlashBackward(const FlashHead<T>& head, const FlashGradients<T>& grad, const FlashBackwardScratch<T>& scratch)
      : head_(head), grad_(grad), scratch_(scratch), scale_(head), tile_(head, scale_, scratch.weights) {
    tile_.keep_slopes(scratch.slopes);
    if (head.parameter_gradient) tile_.keep_inputs(scratch.inputs);
  }

  /// Blocks of `queries` in their order against blocks of `keys`; both begin at multiples of their blocks. Where keys
  /// are cut into several runs, d_query is made of what tiles add to it, one after the other: a run writes tile (q, k),
  /// counted from queries.first and the first key, to parts + (q * blocks of all keys + k) * part_size, those that the
  /// band's keys of the block of queries reach into. Null: there is one run, and d_query is added to.
  void run(Range queries, Range keys, T* parts) {
    constexpr Index block = flash_detail::flash_keys;
    const Index part = part_size(head_.query.cols), blocks = (head_.key.rows + block - 1) / block;
    const Index end = std::min({queries.end, head_.band.query_end, head_.query.rows});
    for (Index first = queries.first; first < end; first += Blocks::queries) {
      run_block({first, std::min(first + Blocks::queries, end)}, keys, parts);
      if (parts) parts += blocks * part;
    }
  }
  /// Elements of what one tile adds to d_query: (queries of a block, head_dim).
  static constexpr Index part_size(Index head_dim) { return Blocks::queries * head_dim; }

 private:
  using B = Batch<T, Arch>;
  using Blocks = flash_detail::FlashBlocks<T, Arch>;
  using Add = flash_detail::Add;
  static constexpr Index width = lanes<T, Arch>, step = Blocks::queries;

  void run_block(Range queries, Range all, T* parts) {
    queries_ = queries;
    query_ = flash_detail::contiguous_rows(head_.query, queries.first, queries.size(), scratch_.query_rows);
    d_output_ = flash_detail::contiguous_rows(grad_.d_output, queries.first, queries.size(), scratch_.output_rows);
    queries_finite_ = all_finite<T, Arch>(query_) && all_finite<T, Arch>(d_output_);
    flash_detail::pack_transposed<T, Arch>(head_.query, queries.first, queries.size(), scale_.packed, scratch_.query);
    flash_detail::pack_transposed<T, Arch>(grad_.d_output, queries.first, queries.size(), T(1), scratch_.d_output);
    start_rows();
    if (grad_.d_sink && all.first == 0) add_sink_gradient();
    constexpr Index block = flash_detail::flash_keys;
    const Range seen = head_.band.keys(queries), keys{std::max(seen.first, all.first), std::min(seen.end, all.end)};
    for (Index first = keys.first / block * block; first < keys.end; first += block) {
      const Range cut{std::max(first, keys.first), std::min(first + block, keys.end)};
      d_query_ = grad_.d_query.row_block(queries.first, queries.size());
      if (parts) {
        d_query_ = {parts + first / block * part_size(query_.cols), queries.size(), query_.cols};
        fill_row<T, Arch>(d_query_.data, T(0), part_size(query_.cols));
      }
      const Tile kind = head_.visible_tile(queries, cut);
      if (kind != Tile::empty) add_tile({queries, cut, kind});
    }
  }

  /// What the exponents are measured from, and delta. Where one is no finite number, a weight of 0 hides nothing.
  void start_rows() {
    for (T* const row : {reference_, reference_low_, unit_, delta_}) std::fill_n(row, step, T(0));
    choose_scale();
    for (Index i = 0; i < queries_.size(); ++i) {
      delta_[i] = dot<T, Arch>(d_output_.row(i), grad_.output.row(queries_.first + i), d_output_.cols);
      const T total = grad_.logsumexp[queries_.first + i];
      const bool empty = total == -std::numeric_limits<T>::infinity();
      const flash_detail::RowReference<T> reference(empty ? T(0) : total);
      reference_[i] = scale_.apply && !empty ? total : reference.high;
      reference_low_[i] = reference.low, unit_[i] = reference.unit;
      queries_finite_ = queries_finite_ && std::isfinite(reference_[i]) && std::isfinite(delta_[i]);
    }
  }

  /// Scores are scaled first where the forward did so.
  void choose_scale() {
    scale_ = flash_detail::ScoreScale<T>(head_);
    for (Index i = queries_.first; i < queries_.end && !scale_.apply; ++i) {
      const T origin = std::abs(grad_.logsumexp[i]) * std::numbers::log2e_v<T>;
      if (origin > scale_.far && std::isfinite(origin)) scale_ = scale_.scaled_first();
    }
  }

  void add_tile(const flash_detail::TilePlace& place) {
    alignas(64) T unused[step] = {};
    tile_.compute(place, scratch_.query, nullptr);
    tile_.multiply_keys(head_.value, scratch_.d_output, scratch_.d_scores, unused);
    for (Index v = 0; v < tile_.vectors(); ++v) weigh(v);
    tile_.apply_dropout(scratch_.d_scores);
    const auto key = flash_detail::contiguous_rows(head_.key, place.keys.first, place.keys.size(), scratch_.key_rows);
    const bool careful = place.tile == Tile::mixed && !finite(place.keys, key);
    for (Index v = 0; v < tile_.vectors(); ++v)
      place.tile == Tile::full || careful ? differentiate<false>(v) : differentiate<true>(v);
    if (careful) clear_masked();
    tile_.apply_dropout(scratch_.weights);
    if (grad_.d_bias) add_bias_gradient();
    if (head_.parameter_gradient) tile_.add_parameter_gradient(scratch_.d_scores);
    for (Index v = 0; v < tile_.vectors() && tile_.has_slopes(); ++v) multiply_slopes(v);
    careful ? add_visible_products(key) : add_products(key);
  }
  bool finite(Range keys, const MatrixView<const T>& key) const {
    const auto value = flash_detail::contiguous_rows(head_.value, keys.first, keys.size(), scratch_.value_rows);
    return queries_finite_ && all_finite<T, Arch>(key) && all_finite<T, Arch>(value);
  }

  void weigh(Index v) {
    const Range keys = tile_.vector_keys(v);
    const Index at = v * width;
    T* const column = scratch_.weights + keys.first * step + at;
    if (scale_.apply) {
      flash_detail::weigh_scores<T, Arch, true>(column, keys.size(), scale_.exponent,
                                                heed::load<T, Arch>(reference_ + at));
    } else {
      flash_detail::recompute_weights<T, Arch>(column, keys.size(), scale_.exponent, reference_ + at,
                                               reference_low_ + at, unit_ + at);
    }
  }
  /// Pairs of the tile that the register cannot see get zeros, since a group of rows may reach over two registers.
  template <bool Masked>
  void differentiate(Index v) {
    const Range keys = tile_.vector_keys(v);
    const Index first = keys.first * step + v * width;
    flash_detail::differentiate_scores<T, Arch, Masked>(scratch_.weights + first, scratch_.d_scores + first,
                                                        keys.size(), heed::load<T, Arch>(delta_ + v * width));
    for (Index j = 0; j < tile_.place().keys.size(); ++j) {
      if (j >= keys.first && j < keys.end) continue;
      heed::store(scratch_.weights + j * step + v * width, B(T(0)));
      heed::store(scratch_.d_scores + j * step + v * width, B(T(0)));
    }
  }

  /// From changed scores to products. A masked pair passes nothing, whatever its slope.
  void multiply_slopes(Index v) const {
    const Range keys = tile_.vector_keys(v);
    const B zero(T(0));
    for (Index j = keys.first; j < keys.end; ++j) {
      T* const at = scratch_.d_scores + j * step + v * width;
      const B d = heed::load<T, Arch>(at), slope = heed::load<T, Arch>(scratch_.slopes + j * step + v * width);
      heed::store(at, heed::select(d == zero, zero, d * slope));
    }
  }
  /// A sink's weight exp(sink - L) meets no value: its score's gradient is that weight times -delta.
  void add_sink_gradient() const {
    T sum = 0;
    for (Index i = 0; i < queries_.size(); ++i) {
      const T weight = heed::exp(*head_.sink - grad_.logsumexp[queries_.first + i]);
      if (head_.sees_any(queries_.first + i)) sum = heed::fnma(weight, delta_[i], sum);
    }
    *grad_.d_sink += sum;
  }

  void add_products(const MatrixView<const T>& key) const {
    const Range keys = tile_.place().keys;
    flash_detail::for_row_groups<Blocks::value_rows>(keys.size(), [&](auto rows, Index j) {
      const Range seen = tile_.key_queries(j, rows);
      if (seen.empty()) return;
      const Index at = j * step + seen.first;
      flash_detail::product_rows<T, Arch, rows>({scratch_.weights + at, step, 1},
                                                d_output_.row_block(seen.first, seen.size()),
                                                grad_.d_value.row(keys.first + j), grad_.d_value.stride, Add());
      flash_detail::product_rows<T, Arch, rows>({scratch_.d_scores + at, step, 1},
                                                query_.row_block(seen.first, seen.size()),
                                                grad_.d_key.row(keys.first + j), grad_.d_key.stride, Add());
    });
    flash_detail::for_row_groups<Blocks::value_rows>(queries_.size(), [&](auto rows, Index i) {
      const Range seen = tile_.row_keys(i, rows);
      if (seen.empty()) return;
      flash_detail::product_rows<T, Arch, rows>({scratch_.d_scores + seen.first * step + i, 1, step},
                                                key.row_block(seen.first, seen.size()), d_query_.row(i),
                                                d_query_.stride, Add());
    });
  }

  template <class F>
  void for_pairs(const F& f) const {
    const Range keys = tile_.place().keys;
    for (Index i = 0; i < queries_.size(); ++i)
      for (Index j = 0; j < keys.size(); ++j)
        f(i, j, head_.visible(queries_.first + i, keys.first + j), scratch_.d_scores + j * step + i);
  }
  void clear_masked() const {
    for_pairs([](Index, Index, bool visible, T* d_score) { *d_score = visible ? *d_score : T(0); });
  }
  void add_bias_gradient() const {
    const Range keys = tile_.place().keys;
    for_pairs([&](Index i, Index j, bool, const T* d_score) {
      grad_.d_bias[(queries_.first + i) * grad_.d_bias_query_step + (keys.first + j) * grad_.d_bias_key_step] +=
          *d_score;
    });
  }

  /// The three products over visible pairs alone: masked data of whatever value is never multiplied. The same chains as
  /// add_products, so on finite data the same bits.
  void add_visible_products(const MatrixView<const T>& key) const {
    const Range keys = tile_.place().keys;
    const auto visible = [&](Index i, Index j) { return head_.visible(queries_.first + i, keys.first + j); };
    for (Index j = 0; j < keys.size(); ++j) {
      const auto weight = [&](const T* tile, Index i) { return visible(i, j) ? &tile[j * step + i] : nullptr; };
      add_visible_rows(
          d_output_, [&](Index i) { return weight(scratch_.weights, i); }, grad_.d_value.row(keys.first + j));
      add_visible_rows(query_, [&](Index i) { return weight(scratch_.d_scores, i); }, grad_.d_key.row(keys.first + j));
    }
    for (Index i = 0; i < queries_.size(); ++i) {
      const auto weight = [&](Index j) { return visible(i, j) ? &scratch_.d_scores[j * step + i] : nullptr; };
      add_visible_rows(key, weight, d_query_.row(i));
    }
  }
  /// target += sum of *weight(n) times row n of x, over those that are not null.
  template <class Weight>
  void add_visible_rows(const MatrixView<const T>& x, const Weight& weight, T* target) const {
    T* const sum = scratch_.sum;
    fill_row<T, Arch>(sum, T(0), x.cols);
    for (Index n = 0; n < x.rows; ++n)
      if (const T* const factor = weight(n)) add_scaled_row<T, Arch>(sum, *factor, x.row(n), x.cols);
    add_row<T, Arch>(target, sum, x.cols);
  }

  const FlashHead<T>& head_;
  const FlashGradients<T> grad_;
  const FlashBackwardScratch<T> scratch_;
  flash_detail::ScoreScale<T> scale_;
  flash_detail::ScoreTile<T, Arch> tile_;
  Range queries_;
  MatrixView<const T> query_, d_output_;
  MatrixView<T> d_query_;  // where the tile adds
  bool queries_finite_ = true;
  alignas(64) T reference_[Blocks::queries];
  alignas(64) T reference_low_[Blocks::queries];
  alignas(64) T unit_[Blocks::queries];
  alignas(64) T delta_[Blocks::queries];
};

/// FlashBackward::run. One function to instantiate for programs with many callers.
template <class T, class Arch = default_arch>
void flash_backward(const FlashHead<T>& head, const FlashGradients<T>& grad, const FlashBackwardScratch<T>& scratch,
                    Range queries, Range keys, T* parts) {
  FlashBackward<T, Arch>(head, grad, scratch).run(queries, keys, parts);
}
/// The whole head.
template <class T, class Arch = default_arch>
void flash_backward(const FlashHead<T>& head, const FlashGradients<T>& grad, const FlashBackwardScratch<T>& scratch) {
  flash_backward<T, Arch>(head, grad, scratch, {0, head.query.rows}, {0, head.key.rows}, nullptr);
}

}  // namespace heed::inline HEED_ABI
