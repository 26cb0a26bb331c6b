#pragma once
// Boolean masks of PyTorch's layers, where true means masked, as heed's masks, where true means may attend (SEMANTICS
// 5). Only truth values need this: PyTorch's floating masks are added to the scores, as a bias is here, and the boolean
// mask of its functional scaled_dot_product_attention means what it means here.

#include <concepts>
#include <string>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// A tensor, TensorMap or view of truth values.
template <class X, int Rank>
concept BooleanTensor = TensorLike<X, Rank> && std::same_as < scalar_t<X>,
bool > ;

/// key_padding_mask (batch, key_length), true where a key is padding -> true where it may be attended to: what
/// key_mask() takes.
template <BooleanTensor<2> X>
Tensor<bool, 2> from_torch_key_padding_mask(const X& padding) {
  const View<const bool, 2> masked(padding);
  Tensor<bool, 2> visible(masked.extents);
  for (Index b = 0; b < masked.dimension(0); ++b)
    for (Index j = 0; j < masked.dimension(1); ++j) visible(b, j) = !masked(b, j);
  return visible;
}

/// attn_mask (query_length, key_length), true where a pair is masked -> true where it may attend: what boolean_mask()
/// takes.
template <BooleanTensor<2> X>
Tensor<bool, 2> from_torch_attention_mask(const X& mask) {
  return from_torch_key_padding_mask(mask);
}

/// attn_mask (batch * heads, query_length, key_length) -> (batch, heads, query_length, key_length). Throws heed::Error
/// where the first extent is no multiple of heads.
template <BooleanTensor<3> X>
Tensor<bool, 4> from_torch_attention_mask(const X& mask, Index heads) {
  const View<const bool, 3> masked(mask);
  check(heads > 0 && masked.dimension(0) % heads == 0, [&] {
    return "from_torch_attention_mask: mask has shape " + shape_text(masked.extents) + ", wanted a multiple of the " +
           std::to_string(heads) + " heads in front";
  });
  Tensor<bool, 4> visible(masked.dimension(0) / heads, heads, masked.dimension(1), masked.dimension(2));
  for (Index n = 0; n < masked.dimension(0); ++n)
    for (Index i = 0; i < masked.dimension(1); ++i)
      for (Index j = 0; j < masked.dimension(2); ++j) visible(n / heads, n % heads, i, j) = !masked(n, i, j);
  return visible;
}

}  // namespace heed::inline HEED_ABI
