#include <heed/attention/memory_projection.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::detail;

TEST_CASE("projecting keys is one product over all samples, whatever their strides", "[attention]") {
  Rng rng{1, 0};
  const Projection<float> projection(7, 5, 7, rng);
  const auto keys = random_tensor<float, 3>({3, 4, 5}, 2);
  const Tensor<float, 3> steps_first = keys.shuffle(Eigen::array<int, 3>{1, 0, 2});
  const View<const float, 3> moved(steps_first.data(), {3, 4, 5}, {5, 15, 1});
  const auto memory = project_memory<float>("f", projection, keys, default_executor());
  CHECK(extents(memory) == Extents<3>{3, 4, 7});
  CHECK(same_tensor(project_memory<float>("f", projection, moved, default_executor()), memory));
  double wanted = projection.bias(6);
  for (Index d = 0; d < 5; ++d) wanted += double(projection.weight(6, d)) * double(keys(2, 3, d));
  CHECK(close(memory(2, 3, 6), wanted));
}

TEST_CASE("keys that no read saw reach no gradient, NaN or not", "[attention]") {
  Rng rng{1, 0};
  const Projection<float> projection(7, 5, 7, rng);
  const auto keys = random_tensor<float, 3>({2, 4, 5}, 2);
  auto memory_grad = zero_memory_gradient(Tensor<float, 3>(2, 4, 7), Tensor<float, 3>(2, 4, 3));
  CHECK(extents(memory_grad.values) == Extents<3>{2, 4, 3});
  memory_grad.memory = random_tensor<float, 3>({2, 4, 7}, 3);
  memory_grad.seen.setConstant(true);
  memory_grad.seen(1, 3) = false;
  memory_grad.memory.chip(1, 0).chip(3, 0).setZero();
  auto poisoned = keys;
  poisoned.chip(1, 0).chip(3, 0).setConstant(not_a_number<float>);
  const auto run = [&](const Tensor<float, 3>& with) {
    Projection<float> grad = projection;
    grad.weight.setZero();
    const auto d_keys = project_memory_backward<float>("f", projection, with, memory_grad, grad, default_executor());
    CHECK(d_keys(1, 3, 2) == 0);
    return std::pair(d_keys, grad.weight);
  };
  CHECK(same_tensor(run(keys).first, run(poisoned).first));
  CHECK(same_tensor(run(keys).second, run(poisoned).second));
  memory_grad.seen(1, 3) = true;  // now it counts
  CHECK(std::isnan(run(poisoned).second(0, 0)));
}

TEST_CASE("a gradient of another source is refused", "[attention]") {
  Rng rng{1, 0};
  const Projection<float> projection(7, 5, 7, rng);
  auto grad = projection;
  const auto memory_grad = zero_memory_gradient(Tensor<float, 3>(2, 4, 7), Tensor<float, 3>(2, 4, 3));
  CHECK(mentions(error_of([&] {
                   project_memory_backward<float>("f", projection, Tensor<float, 3>(2, 5, 5), memory_grad, grad,
                                                  default_executor());
                 }),
                 {"grad.memory has shape (2, 4, 7)", "(2, 5, 7)"}));
}
