#include <heed/attention/scaled_dot_product_backward.hpp>

/// The gradient of the sum of attention's output by the values.
heed::Tensor<double, 4> value_gradient(const heed::Tensor<double, 4>& x) {
  const auto forward = heed::attend(x, x, x, {.return_logsumexp = true});
  heed::Tensor<double, 4> ones(x.dimensions());
  ones.setConstant(1);
  return heed::attend_backward(ones, x, x, x, forward, {.return_logsumexp = true}).value;
}
