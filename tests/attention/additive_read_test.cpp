#include <heed/attention/additive_read.hpp>

#include <heed/kernels/reference_attention.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::detail;

TEST_CASE("a whole additive read and its backward match the textbook, sample by sample", "[attention]") {
  const Index batch = 3, length = 2, key_length = 13, units = 19;
  const auto query = random_tensor<double, 3>({batch, length, units}, 1);
  const auto memory = random_tensor<double, 3>({batch, key_length, units}, 2);
  const auto values = random_tensor<double, 3>({batch, key_length, 4}, 3);
  const auto d_context = random_tensor<double, 3>({batch, length, 4}, 4);
  const auto v = random_tensor<double, 1>({units}, 5);
  const std::vector<Index> lengths{13, 6, 1};
  const BoundMask mask("f", key_lengths(lengths), {batch, 1, length, key_length});
  const AdditiveOperands<double> in{query, memory, v.data()};
  Tensor<double, 3> context(batch, length, 4), weights(batch, length, key_length), d_query(batch, length, units);
  read_memory<double>(
      mask, values, {context, weights},
      [&](Index b, Index i, const VisibleKeys& keys, double* row) { additive_score_row(in, b, i, keys, row); },
      default_executor());
  MemoryGradient<double> grad{zeros<double, 3>(extents(memory)), zeros<double, 3>(extents(values)),
                              Tensor<bool, 2>(batch, key_length)};
  grad.seen.setConstant(false);
  Tensor<double, 1> d_v = zeros<double, 1>({units}), wanted_v = zeros<double, 1>({units});
  additive_read_backward<double>(mask, in, values, weights, {d_context, {}}, d_query, grad, d_v.data(),
                                 default_executor());
  for (Index b = 0; b < batch; ++b) {
    const reference::KeyLength visible{lengths[std::size_t(b)]};
    const auto matrix = [&](const Tensor<double, 3>& x) { return sample(View<const double, 3>(x), b); };
    Tensor<double, 2> output(length, 4), p(length, key_length), dq(length, units), dk(key_length, units),
        dv(key_length, 4);
    Tensor<double, 1> sum(units);
    reference::additive_attention(matrix(query), matrix(memory), v.data(), matrix(values), visible, as_matrix(output),
                                  as_matrix(p));
    reference::additive_attention_backward(matrix(query), matrix(memory), v.data(), matrix(values), visible,
                                           as_matrix(std::as_const(p)), matrix(d_context), as_matrix(dq), as_matrix(dk),
                                           sum.data(), as_matrix(dv));
    wanted_v += sum;
    CHECK(close_tensor(Tensor<double, 2>(context.chip(b, 0)), output));
    CHECK(close_tensor(Tensor<double, 2>(weights.chip(b, 0)), p));
    CHECK(close_tensor(Tensor<double, 2>(d_query.chip(b, 0)), dq));
    CHECK(close_tensor(Tensor<double, 2>(grad.memory.chip(b, 0)), dk));
    CHECK(close_tensor(Tensor<double, 2>(grad.values.chip(b, 0)), dv));
  }
  CHECK(close_tensor(d_v, wanted_v));
}
