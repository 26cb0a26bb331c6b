#include <heed/attention/linear_recurrence.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

namespace {

struct Call {
  Tensor<double, 4> query, key, value, none;
  detail::LinearOperands<double> operands;

  Call(Index batch, Index steps, LinearOrder order)
      : query(random_tensor<double>(1, batch, 4, steps, 3)), key(random_tensor<double>(2, batch, 2, steps, 3)),
        value(random_tensor<double>(3, batch, 2, steps, 5)), operands{query, key, value, none, none, 0.5, order, {}} {}
};

}  // namespace

TEST_CASE("A full read is the causal read of the last token's state", "[attention]") {
  const Call causal(2, 9, LinearOrder::causal), full(2, 9, LinearOrder::full);
  Tensor<double, 4> outputs[2], states[2];
  for (int i = 0; i < 2; ++i) {
    outputs[i].resize(2, 4, 9, 5);
    states[i] = zeros<double, 4>({2, 2, 3, 5});
    detail::linear_forward((i == 0 ? causal : full).operands, outputs[i], states[i], default_executor());
  }
  CHECK(heed_test::all_same_bits(flat(states[0]), flat(states[1])));
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 4; ++h)
      for (Index e = 0; e < 5; ++e) CHECK(outputs[0](b, h, 8, e) == outputs[1](b, h, 8, e));
}

TEST_CASE("Chunks of the backward change nothing: one sequence or its parts", "[attention]") {
  const Index steps = detail::LinearHeadBackward<double>::chunk + 9;
  const Call call(1, steps, LinearOrder::causal);
  const auto d_output = random_tensor<double>(4, 1, 4, steps, 5);
  const auto gradients = [&] {
    return detail::LinearGradients<double>{zeros<double, 4>(extents(call.query)), zeros<double, 4>(extents(call.key)),
                                           zeros<double, 4>(extents(call.value)), {}, {}, zeros<double, 4>({1, 2, 3, 5})};
  };
  auto grad = gradients();
  detail::linear_backward(call.operands, zeros<double, 4>({1, 2, 3, 5}), d_output, grad, default_executor());
  // without gates d_value_j = k_j^T sum over i >= j of scale q_i d_output_i^T
  for (Index j = 0; j < steps; j += 7)
    for (Index g = 0; g < 2; ++g)
      for (Index e = 0; e < 5; ++e) {
        double wanted = 0;
        for (Index h = 2 * g; h < 2 * g + 2; ++h)
          for (Index i = j; i < steps; ++i)
            for (Index d = 0; d < 3; ++d) wanted += 0.5 * call.key(0, g, j, d) * call.query(0, h, i, d) * d_output(0, h, i, e);
        CHECK(heed_test::close(grad.value(0, g, j, e), wanted));
      }
}

TEST_CASE("Operands of linear attention that do not belong together are refused", "[attention]") {
  const Call call(1, 4, LinearOrder::causal);
  const auto longer = random_tensor<double>(1, 1, 4, 5, 3);
  const detail::LinearOperands<double> wrong{longer, call.key, call.value, call.none, call.none, 1, LinearOrder::causal, {}};
  CHECK_THROWS_WITH(detail::check_linear("f", wrong), Catch::Contains("f: key has shape (1, 2, 4, 3), wanted (1, any, 5, 3)"));
  const std::vector<Index> lengths = {-1};
  const detail::LinearOperands<double> negative{call.query, call.key, call.value, call.none, call.none, 1, LinearOrder::causal, lengths};
  CHECK_THROWS_WITH(detail::check_linear("f", negative), Catch::Contains("lengths[0] is -1"));
}
