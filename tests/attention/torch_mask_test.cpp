#include <heed/attention/torch_mask.hpp>

#include <heed/attention/scaled_dot_product.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("PyTorch's boolean masks are turned round, and (batch * heads) is taken apart", "[attention]") {
  Tensor<bool, 2> padding(2, 3);
  padding.setValues({{false, false, true}, {false, true, true}});
  const Tensor<bool, 2> keys = from_torch_key_padding_mask(padding);
  Tensor<bool, 3> pairs(4, 2, 3);
  for (Index n = 0; n < 4; ++n)
    for (Index i = 0; i < 2; ++i)
      for (Index j = 0; j < 3; ++j) pairs(n, i, j) = (n + 2 * i + j) % 3 == 0;
  const Tensor<bool, 4> visible = from_torch_attention_mask(pairs, 2);
  CHECK(extents(visible) == Extents<4>{2, 2, 2, 3});
  for (Index b = 0; b < 2; ++b) {
    for (Index j = 0; j < 3; ++j) CHECK(keys(b, j) != padding(b, j));
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < 2; ++i)
        for (Index j = 0; j < 3; ++j) CHECK(visible(b, h, i, j) != pairs(b * 2 + h, i, j));
  }
  const View<const bool, 2> turned(padding.data(), {3, 2}, {1, 3});  // any strides
  CHECK(from_torch_attention_mask(turned)(2, 0) == false);
  CHECK(from_torch_attention_mask(turned)(0, 1) == true);
  CHECK_THROWS_WITH(from_torch_attention_mask(pairs, 3),
                    Catch::Contains("mask has shape (4, 2, 3)") && Catch::Contains("3 heads"));
}

TEST_CASE("a call with a converted key padding mask does not see the padding", "[attention]") {
  const auto q = random_tensor<double, 4>({2, 1, 2, 3}, 1), k = random_tensor<double, 4>({2, 1, 3, 3}, 2),
             v = random_tensor<double, 4>({2, 1, 3, 2}, 3);
  Tensor<bool, 2> padding(2, 3);
  padding.setValues({{false, false, true}, {false, true, true}});
  const Tensor<bool, 2> visible = from_torch_key_padding_mask(padding);
  const std::vector<Index> lengths{2, 1};
  CHECK(same_tensor(scaled_dot_product_attention(q, k, v, {.mask = key_mask(visible)}),
                    scaled_dot_product_attention(q, k, v, {.mask = key_lengths(lengths)})));
}
