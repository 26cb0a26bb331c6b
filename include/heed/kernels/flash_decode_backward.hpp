#pragma once
// The backward of fused attention for one query: keys and values are read once, their gradients written once, in the
// order of memory, and the time is what that takes. The query heads that share a key/value head are computed side by
// side. With the logsumexp L of the forward, for every visible key j:
//   p_j = exp(s_j - L), ds_j = p_j (dO . v_j - dO . O), dV_j = sum of p_j dO over heads, dK_j = scale sum of ds_j q
//   over heads, dQ = scale sum_j ds_j k_j.      T. Dao et al., "FlashAttention", 2022, algorithm 4, with one row.
// Accumulated in T with the chains of the block path (flash_backward.hpp), whose bits these gradients have: a product
// over a dim is one chain, the sum over keys one chain per flash_keys of them, counted from the first.

#include <heed/kernels/finite.hpp>
#include <heed/kernels/flash_decode.hpp>
#include <heed/kernels/flash_gradients.hpp>

namespace heed::inline HEED_ABI {

/// One worker's memory.
template <class T>
struct FlashDecodeBackwardScratch {
  T *packed, *query, *d_output, *weights, *d_scores, *slopes, *inputs, *key, *value, *products, *gemm;

  template <class Arch = default_arch, class Take>
  static FlashDecodeBackwardScratch make(Index head_dim, Index value_dim, Take&& take) {
    constexpr Index heads = flash_detail::decode_heads, keys = flash_detail::flash_keys;
    FlashDecodeBackwardScratch s;
    take(s.packed, heads * head_dim);
    take(s.query, heads * head_dim);
    take(s.d_output, heads * value_dim);
    take(s.weights, heads * keys);
    take(s.d_scores, heads * keys);
    take(s.slopes, keys);
    take(s.inputs, keys);
    take(s.key, keys * head_dim);
    take(s.value, keys * value_dim);
    take(s.products, heads * head_dim);
    take(s.gemm, lanes<T, Arch> * std::max({head_dim, value_dim, keys}));
    return s;
  }
};

/// Up to flash_detail::decode_heads heads with the same keys and values, and row 0 of their queries.
template <class T, class Arch = default_arch>
class FlashDecodeBackward {
 public:
  /// What happens to the gradients of keys and values: `accumulate` says whether they hold those of earlier heads, then
  /// d_key is multiplied by key_scale, which is the scale for the last heads that share it and 1 before.
  FlashDecodeBackward(const FlashDecodeBackwardScratch<T>& scratch, Accumulate accumulate, T key_scale)
      : scratch_(scratch), accumulate_(accumulate), key_scale_(key_scale) {}

  /// Adds a head. Row 0 of grad.d_query is written; d_bias and d_sink are added to.
  void add(const FlashHead<T>& head, const FlashGradients<T>& grad) {
    heads_[count_] = head;
    grad_[count_++] = grad;
  }
  /// `keys`: from a multiple of flash_detail::flash_keys up to another one or the last key. Where keys are cut into
  /// several runs, d_query is made of what blocks add to it, one after the other: a run writes block b's part
  /// (head_dim, before the scale) for head r to parts + (r * blocks + b) * head_dim. Null: there is one run, and
  /// d_query is written.
  void run(Range keys, T* parts = nullptr) {
    start();
    parts_ = parts;
    for (Index r = 0; r < count_; ++r) {
      if (keys.first == 0) add_sink_gradient(r);
      if (!parts) fill_row<T, Arch>(grad_[r].d_query.row(0), T(0), head_dim());
    }
    for (Index first = keys.first; first < keys.end; first += block)
      run_block({first, std::min(first + block, keys.end)});
    for (Index r = 0; r < count_ && !parts; ++r)
      scale_row<T, Arch>(grad_[r].d_query.row(0), head_dim(), heads_[r].scale);
  }

 private:
  using B = Batch<T, Arch>;
  static constexpr Index most = flash_detail::decode_heads, block = flash_detail::flash_keys;

  Index head_dim() const { return heads_[0].key.cols; }
  Index value_dim() const { return heads_[0].value.cols; }
  /// Scores are scaled first where the forward did so.
  flash_detail::ScoreScale<T> scale(Index r) const {
    const flash_detail::ScoreScale<T> usual(heads_[r]);
    const T origin = std::abs(grad_[r].logsumexp[0]) * std::numbers::log2e_v<T>;
    return !usual.apply && origin > usual.far && std::isfinite(origin) ? usual.scaled_first() : usual;
  }
  T* weights(Index r) const { return scratch_.weights + r * block; }
  T* d_scores(Index r) const { return scratch_.d_scores + r * block; }

  void start() {
    for (Index r = 0; r < count_; ++r) {
      T* const query = scratch_.query + r * head_dim();
      T* const d_output = scratch_.d_output + r * value_dim();
      for (Index d = 0; d < head_dim(); ++d) {
        query[d] = *heads_[r].query.at(0, d);
        scratch_.packed[r * head_dim() + d] = query[d] * scale(r).packed;
      }
      for (Index e = 0; e < value_dim(); ++e) d_output[e] = *grad_[r].d_output.at(0, e);
      delta_[r] = dot<T, Arch>(d_output, grad_[r].output.row(0), value_dim());
      const T total = grad_[r].logsumexp[0];
      const bool empty = total == -std::numeric_limits<T>::infinity();
      total_[r] = empty ? T(0) : total;
    }
    queries_finite_ = all_finite<T, Arch>(MatrixView<const T>(scratch_.query, count_, head_dim())) &&
                      all_finite<T, Arch>(MatrixView<const T>(scratch_.d_output, count_, value_dim()));
  }

  void add_sink_gradient(Index r) const {
    if (!grad_[r].d_sink || !heads_[r].sees_any(0)) return;
    const T weight = heed::exp(*heads_[r].sink - grad_[r].logsumexp[0]);
    *grad_[r].d_sink += heed::fnma(weight, delta_[r], T(0));
  }

  void run_block(Range all) const {
    const Range seen = heads_[0].band.keys({0, 1});
    Range keys{std::max(all.first, seen.first), std::min(all.end, seen.end)};
    if (keys.empty()) keys = {all.first, all.first};
    clear({all.first, keys.first});
    clear({keys.end, all.end});
    fill_row<T, Arch>(scratch_.products, T(0), count_ * head_dim());
    if (!keys.empty()) add_block(keys);
    for (Index r = 0; r < count_; ++r) {
      const T* const product = scratch_.products + r * head_dim();
      const Index blocks = (heads_[0].key.rows + block - 1) / block;
      if (parts_)
        std::copy_n(product, head_dim(), parts_ + (r * blocks + all.first / block) * head_dim());
      else
        add_row<T, Arch>(grad_[r].d_query.row(0), product, head_dim());
    }
  }
  /// Keys that nothing reaches.
  void clear(Range keys) const {
    for (Index j = keys.first; j < keys.end; ++j) {
      if (accumulate_ == Accumulate::no) fill_row<T, Arch>(grad_[0].d_value.row(j), T(0), value_dim());
      if (accumulate_ == Accumulate::no) fill_row<T, Arch>(grad_[0].d_key.row(j), T(0), head_dim());
      else scale_row<T, Arch>(grad_[0].d_key.row(j), head_dim(), key_scale_);
    }
  }

  void add_block(Range keys) const {
    using namespace flash_detail;
    const auto key = contiguous_rows(heads_[0].key, keys.first, keys.size(), scratch_.key);
    const auto value = contiguous_rows(heads_[0].value, keys.first, keys.size(), scratch_.value);
    multiply({scratch_.packed, head_dim(), 1}, Transpose::yes, key, {scratch_.weights, block, Accumulate::no});
    multiply({scratch_.d_output, value_dim(), 1}, Transpose::yes, value, {scratch_.d_scores, block, Accumulate::no});
    for (Index r = 0; r < count_; ++r) differentiate(r, keys);
    const MatrixView<T> d_key = grad_[0].d_key.row_block(keys.first, keys.size());
    const MatrixView<T> d_value = grad_[0].d_value.row_block(keys.first, keys.size());
    add_outer(keys, scratch_.weights, scratch_.d_output, d_value, T(1));
    add_outer(keys, scratch_.d_scores, scratch_.query, d_key, key_scale_);
    multiply({scratch_.d_scores, block, 1}, Transpose::no, key, {scratch_.products, head_dim(), Accumulate::no});
    const MatrixView<const T> products(scratch_.products, count_, head_dim());
    if (masks_pairs() && !all_finite<T, Arch>(products))
      for (Index r = 0; r < count_; ++r) add_visible(r, keys, key);
  }
  /// c (heads, ...) = a op(b).
  void multiply(const flash_detail::Strided<T>& a, Transpose tb, const MatrixView<const T>& b,
                const gemm_detail::Target<T>& c) const {
    const Index depth = tb == Transpose::yes ? b.cols : b.rows, cols = tb == Transpose::yes ? b.rows : b.cols;
    gemm_detail::multiply_few_rows<T, Arch, static_cast<int>(most)>(count_, depth, a, tb, b, c, cols, scratch_.gemm);
  }

  /// Products with keys become weights, those with values gradients of products with keys. A masked pair has zeros.
  void differentiate(Index r, Range keys) const {
    const FlashHead<T>& head = heads_[r];
    const flash_detail::ScoreScale<T> scaled = scale(r);
    T *const weight = weights(r), *const d_score = d_scores(r);
    T* const slopes = head.has_slopes() ? scratch_.slopes : nullptr;
    const flash_detail::DecodeScores<T> row{weight, slopes, head.parameter_gradient ? scratch_.inputs : nullptr};
    flash_detail::change_decode_scores<T, Arch>(head, scaled, keys, row);
    const bool drops = head.dropout.threshold != 0;
    for (Index j = 0; j < keys.size() && drops; ++j) d_score[j] *= head.dropout.factor(0, keys.first + j);
    const Exp2Nonpositive<T, Arch> exp2;
    const flash_detail::RowReference<T> reference(total_[r]);
    const B c(scaled.exponent), total(total_[r]), from(-reference.high), rest(reference.low), unit(reference.unit);
    const B delta(delta_[r]);
    map_registers<T, Arch>(keys.size(), [&](Index j, auto part) {
      const B s = part.load(weight + j);
      const B p = scaled.apply ? exp2((s - total) * c) : exp2(heed::fma(s, c, from) - rest) * unit;
      part.store(weight + j, p);
      part.store(d_score + j, p * (part.load(d_score + j) - delta));
    });
    for (Index j = 0; j < keys.size() && masks_pairs(); ++j)
      if (!head.visible(0, keys.first + j)) weight[j] = d_score[j] = T(0);
    for (Index j = 0; j < keys.size() && drops; ++j) weight[j] *= head.dropout.factor(0, keys.first + j);
    for (Index j = 0; j < keys.size() && grad_[r].d_bias; ++j)
      grad_[r].d_bias[(keys.first + j) * grad_[r].d_bias_key_step] += d_score[j];
    if (head.parameter_gradient) add_parameter_gradient(head, keys, d_score);
    for (Index j = 0; j < keys.size() && slopes; ++j)
      d_score[j] = d_score[j] == T(0) ? T(0) : d_score[j] * slopes[j];
  }
  void add_parameter_gradient(const FlashHead<T>& head, Range keys, T* d_score) const {
    const ScorePart<T> all{.scores = d_score, .step = 1, .query = 0, .queries = 1, .key = keys.first,
                           .keys = keys.size(), .inputs = scratch_.inputs};
    head.modifier->add_gradient(head.modifier->score, head.place, all, head.parameter_gradient);
  }
  bool masks_pairs() const {
    return std::any_of(heads_, heads_ + count_, [](const FlashHead<T>& head) { return head.mask_pairs(); });
  }

  /// y (keys, cols) = [y +] sum over heads of its factor of the key times its row of x, times scale.
  void add_outer(Range keys, const T* factors, const T* x, const MatrixView<T>& y, T scale) const {
    if (!queries_finite_ && masks_pairs()) return add_visible_outer(keys, factors, x, y, scale);
    const auto add = [&](auto rows) {
      for (Index j = 0; j < keys.size(); ++j) add_outer<rows>(factors + j, x, y, j, accumulate_, scale);
    };
    static_assert(most == 4);
    count_ == 1 ? add(std::integral_constant<int, 1>())
    : count_ == 2 ? add(std::integral_constant<int, 2>())
    : count_ == 3 ? add(std::integral_constant<int, 3>())
                  : add(std::integral_constant<int, 4>());
  }
  template <int Rows>
  static void add_outer(const T* factors, const T* x, const MatrixView<T>& y, Index j, Accumulate accumulate, T scale) {
    T* const row = y.row(j);
    const B zero(T(0)), factor(scale);
    map_registers<T, Arch>(y.cols, [&](Index i, auto part) {
      B sum = accumulate == Accumulate::yes ? part.load(row + i) : zero;
      unroll<Rows>([&](int r) __attribute__((always_inline)) {
        sum = sum + heed::fma(B(factors[r * block]), part.load(x + r * y.cols + i), zero);
      });
      part.store(row + i, sum * factor);
    });
  }
  /// The same without the pairs that are masked: queries that hold a NaN reach no key that they do not see.
  void add_visible_outer(Range keys, const T* factors, const T* x, const MatrixView<T>& y, T scale) const {
    for (Index j = 0; j < keys.size(); ++j) {
      if (accumulate_ == Accumulate::no) fill_row<T, Arch>(y.row(j), T(0), y.cols);
      for (Index r = 0; r < count_; ++r)
        if (heads_[r].visible(0, keys.first + j))
          add_outer<1>(factors + r * block + j, x + r * y.cols, y, j, Accumulate::yes, T(1));
      scale_row<T, Arch>(y.row(j), y.cols, scale);
    }
  }
  /// A block's part of d_query over visible pairs alone.
  void add_visible(Index r, Range keys, const MatrixView<const T>& key) const {
    T* const product = scratch_.products + r * key.cols;
    fill_row<T, Arch>(product, T(0), key.cols);
    for (Index j = 0; j < keys.size(); ++j)
      if (heads_[r].visible(0, keys.first + j)) add_scaled_row<T, Arch>(product, d_scores(r)[j], key.row(j), key.cols);
  }

  FlashHead<T> heads_[most];
  FlashGradients<T> grad_[most];
  const FlashDecodeBackwardScratch<T> scratch_;
  const Accumulate accumulate_;
  const T key_scale_;
  T* parts_ = nullptr;
  Index count_ = 0;
  bool queries_finite_ = true;
  T total_[most], delta_[most];  // the logsumexp, and the mean of d_weights over weights
};

/// Computes the heads that were added. One function to instantiate for programs with many callers.
template <class T, class Arch = default_arch>
void flash_decode_backward(FlashDecodeBackward<T, Arch>& heads, Range keys, T* parts) {
  heads.run(keys, parts);
}

}  // namespace heed::inline HEED_ABI
