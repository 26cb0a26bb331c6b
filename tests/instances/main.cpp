// Attention through declared kernels gives the right numbers; the default executor is the one of instances.cpp.
#include <cmath>
#include <cstdio>

#include <heed/attention/scaled_dot_product.hpp>

heed::Tensor<double, 4> value_gradient(const heed::Tensor<double, 4>& x);

int main() {
  heed::set_num_threads(2);
  heed::Tensor<float, 4> query(1, 2, 5, 4), value(1, 2, 5, 4);
  query.setZero();  // all weights are 1/5
  for (heed::Index i = 0; i < value.size(); ++i) value.data()[i] = static_cast<float>(i % 20 / 4);
  const auto output = heed::scaled_dot_product_attention(query, query, value);
  const auto causal = heed::scaled_dot_product_attention(query, query, value, {.mask = heed::causal()});
  heed::Tensor<double, 4> x(1, 1, 7, 3);
  x.setZero();
  const auto gradient = value_gradient(x);
  const bool right = std::abs(output(0, 1, 2, 3) - 2) < 1e-6f && std::abs(causal(0, 1, 2, 3) - 1) < 1e-6f &&
                     std::abs(gradient(0, 0, 4, 1) - 1) < 1e-12 && heed::num_threads() == 2;
  if (!right) std::printf("%g %g %g\n", output(0, 1, 2, 3), causal(0, 1, 2, 3), gradient(0, 0, 4, 1));
  return right ? 0 : 1;
}
