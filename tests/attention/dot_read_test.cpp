#include <heed/attention/dot_read.hpp>

#include <heed/kernels/reference_attention.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::detail;

TEST_CASE("a whole dot-product read and its backward match the textbook, sample by sample", "[attention]") {
  const Index batch = 3, length = 2, key_length = 13, width = 19;
  const double scale = -0.7;
  const auto query = random_tensor<double, 3>({batch, length, width}, 1);
  const auto memory = random_tensor<double, 3>({batch, key_length, width}, 2);
  const auto values = random_tensor<double, 3>({batch, key_length, 4}, 3);
  const auto d_context = random_tensor<double, 3>({batch, length, 4}, 4);
  const std::vector<Index> lengths{13, 6, 0};
  const BoundMask mask("f", key_lengths(lengths), {batch, 1, length, key_length});
  const DotOperands<double> in{query, memory, scale};
  Tensor<double, 3> context(batch, length, 4), weights(batch, length, key_length), d_query(batch, length, width);
  dot_read<double>(mask, in, values, {context, weights}, default_executor());
  MemoryGradient<double> grad{zeros<double, 3>(extents(memory)), zeros<double, 3>(extents(values)),
                              Tensor<bool, 2>(batch, key_length)};
  grad.seen.setConstant(false);
  dot_read_backward<double>(mask, in, values, weights, {d_context, {}}, d_query, grad, default_executor());
  for (Index b = 0; b < batch; ++b) {
    const reference::KeyLength visible{lengths[std::size_t(b)]};
    const auto matrix = [&](const Tensor<double, 3>& x) { return sample(View<const double, 3>(x), b); };
    Tensor<double, 2> output(length, 4), p(length, key_length), dq(length, width), dk(key_length, width),
        dv(key_length, 4);
    reference::dot_product_attention(matrix(query), matrix(memory), matrix(values), scale, visible, as_matrix(output),
                                     as_matrix(p), nullptr);
    reference::dot_product_attention_backward(matrix(query), matrix(memory), matrix(values), scale, visible,
                                              as_matrix(std::as_const(p)), matrix(d_context), as_matrix(dq),
                                              as_matrix(dk), as_matrix(dv));
    CHECK(close_tensor(Tensor<double, 2>(context.chip(b, 0)), output));
    CHECK(close_tensor(Tensor<double, 2>(weights.chip(b, 0)), p));
    CHECK(close_tensor(Tensor<double, 2>(d_query.chip(b, 0)), dq));
    CHECK(close_tensor(Tensor<double, 2>(grad.memory.chip(b, 0)), dk));
    CHECK(close_tensor(Tensor<double, 2>(grad.values.chip(b, 0)), dv));
  }
}
