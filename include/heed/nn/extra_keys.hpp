#pragma once
// Keys behind a sequence's own that every query sees: a learned one (PyTorch's bias_k and bias_v) and one of zeros
// (add_zero_attn). Masks and biases that were made for the sequence are widened by a column for each.

#include <algorithm>

#include <heed/attention/bound_mask.hpp>
#include <heed/attention/options.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// Which extra keys a multi-head attention has.
struct ExtraKeys {
  Index learned = 0;  // 0 or 1
  Index zeros = 0;    // 0 or 1
  Index count() const { return learned + zeros; }
};

namespace detail {

/// A mask and a bias over the sequence's keys and the extra ones; those given, where there are none of these.
template <Real T>
class WidenedScores {
 public:
  /// shape: with the extra keys. Throws heed::Error where mask or bias do not fit the sequence.
  WidenedScores(const char* function, const Mask& mask, const BroadcastView<T>& bias, const ScoreShape& shape, Index extra)
      : mask_(mask), bias_(bias) {
    if (extra == 0) return;
    ScoreShape own = shape;
    own.key_length -= extra;
    const BoundMask bound(function, mask, own);
    bias.check_against(function, "bias", own.extents());
    if (!mask.empty()) widen_mask(bound, own, extra);
    if (bias) widen_bias(own.key_length, extra);
  }
  WidenedScores(const WidenedScores&) = delete;

  const Mask& mask() const { return mask_; }
  const BroadcastView<T>& bias() const { return bias_; }

 private:
  void widen_mask(const BoundMask& bound, const ScoreShape& own, Index extra) {
    allowed_ = Tensor<std::uint8_t, 4>(own.batch, own.heads, own.query_length, own.key_length + extra);
    std::uint8_t* byte = allowed_.data();
    for (Index b = 0; b < own.batch; ++b)
      for (Index h = 0; h < own.heads; ++h)
        for (Index i = 0; i < own.query_length; ++i)
          for (Index j = 0; j < own.key_length + extra; ++j)
            *byte++ = j >= own.key_length ? i < bound.query_end(b) : bound.visible(b, h, i, j);
    mask_ = boolean_mask(allowed_);
  }
  void widen_bias(Index key_length, Index extra) {
    const Extents<4>& own = bias_.view.extents;
    widened_ = zeros<T, 4>({own[0], own[1], own[2], key_length + extra});
    for (Index b = 0; b < own[0]; ++b)
      for (Index h = 0; h < own[1]; ++h)
        for (Index i = 0; i < own[2]; ++i)
          for (Index j = 0; j < key_length; ++j) widened_(b, h, i, j) = bias_.row(b, h, i)[j * bias_.step(3)];
    bias_ = widened_;
  }

  Mask mask_;
  BroadcastView<T> bias_;
  Tensor<std::uint8_t, 4> allowed_;
  Tensor<T, 4> widened_;
};

/// The gradient of a widened bias in the extents of the bias itself.
template <class T>
Tensor<T, 4> narrow_bias(Tensor<T, 4>&& wide, const Extents<4>& own, Index extra) {
  if (extra == 0) return std::move(wide);
  Tensor<T, 4> d_bias = zeros<T, 4>(own);
  for (Index b = 0; b < own[0]; ++b)
    for (Index h = 0; h < own[1]; ++h)
      for (Index i = 0; i < own[2]; ++i)
        for (Index j = 0; j < wide.dimension(3) - extra; ++j) d_bias(b, h, i, own[3] == 1 ? 0 : j) += wide(b, h, i, j);
  return d_bias;
}

/// d (batch, length + extra, width) loses the extra steps; the first of them is added to d_learned, unless that is empty.
template <class T>
void take_extra_keys(Tensor<T, 3>& d, Index extra, Tensor<T, 3>& d_learned) {
  if (extra == 0) return;
  const Index batch = d.dimension(0), length = d.dimension(1) - extra, width = d.dimension(2);
  Tensor<T, 3> own(batch, length, width);
  for (Index b = 0; b < batch; ++b) {
    const T* const from = d.data() + b * (length + extra) * width;
    std::copy_n(from, length * width, own.data() + b * length * width);
    add_row(d_learned.data(), from + length * width, d_learned.size());
  }
  d = std::move(own);
}

}  // namespace detail

}  // namespace heed::inline HEED_ABI
