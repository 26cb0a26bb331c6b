#include <heed/attention/screened_weight.hpp>

#include <vector>

#include <heed/core/tensor.hpp>
#include <heed/core/thread_pool.hpp>
#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

namespace {

struct Layer {
  heed::Tensor<float, 2> weight;
  std::vector<float> bias, x;

  Layer(Index out, Index in, unsigned seed) : weight(out, in), bias(random_numbers<float>(out, seed)), x(random_numbers<float>(in, seed + 1)) {
    const auto numbers = random_numbers<float>(out * in, seed + 2);
    std::copy(numbers.begin(), numbers.end(), weight.data());
  }
  /// The lowest place of the largest element of matmul's product that is not excluded.
  Index wanted(std::span<const Index> excluded = {}) const {
    heed::Tensor<float, 2> y(1, weight.dimension(0));
    std::copy(bias.begin(), bias.end(), y.data());
    heed::matmul<float>(heed::Transpose::no, heed::MatrixView<const float>(x.data(), 1, weight.dimension(1)), heed::Transpose::yes,
                        heed::as_matrix(weight), heed::as_matrix(y), heed::Accumulate::yes);
    for (const Index n : excluded) y(0, n) = -infinite<float>;
    return std::max_element(y.data(), y.data() + y.size()) - y.data();
  }
};

}  // namespace

TEST_CASE("the largest output is the product's for any number of threads", "[attention]") {
  heed::Serial serial;
  heed::ThreadPool pool(3);
  for (unsigned seed = 0; seed < 60; seed += 3) {
    const Layer layer(3000 + seed, 37, seed);
    const heed::ScreenedWeight screened(heed::as_matrix(layer.weight), layer.bias);
    CHECK(screened.argmax(layer.x, {}, serial) == layer.wanted());
    CHECK(screened.argmax(layer.x, {}, pool) == layer.wanted());
    const std::vector<Index> excluded = {layer.wanted(), 0, 7};
    CHECK(screened.argmax(layer.x, excluded, pool) == layer.wanted(excluded));
  }
}

TEST_CASE("of equal outputs the lowest is the largest", "[attention]") {
  Layer layer(200, 16, 4);
  const Index best = layer.wanted();
  for (const Index twin : {Index{3}, Index{150}, Index{199}}) {
    for (Index k = 0; k < 16; ++k) layer.weight(twin, k) = layer.weight(best, k);
    layer.bias[static_cast<std::size_t>(twin)] = layer.bias[static_cast<std::size_t>(best)];
  }
  const heed::ScreenedWeight screened(heed::as_matrix(layer.weight), layer.bias);
  CHECK(screened.argmax(layer.x) == std::min<Index>(3, best));
}

TEST_CASE("neighbours in the last bit are told apart", "[attention]") {
  Layer layer(64, 16, 9);
  const Index best = layer.wanted();
  for (Index k = 0; k < 16; ++k) layer.weight(63, k) = layer.weight(best, k);
  layer.bias[63] = std::nextafter(layer.bias[static_cast<std::size_t>(best)], 100.0f);
  for (int tries = 0; tries < 8; ++tries) {
    const heed::ScreenedWeight screened(heed::as_matrix(layer.weight), layer.bias);
    CHECK(screened.argmax(layer.x) == layer.wanted());
    layer.bias[63] = std::nextafter(layer.bias[63], tries < 4 ? 100.0f : -100.0f);
  }
}

TEST_CASE("where halves cannot tell, nothing is said", "[attention]") {
  Layer layer(300, 8, 5);
  const auto argmax = [&] { return heed::ScreenedWeight(heed::as_matrix(layer.weight), layer.bias).argmax(layer.x); };
  const float kept = std::exchange(layer.x[2], not_a_number<float>);
  CHECK_FALSE(argmax().has_value());
  layer.x[2] = kept;
  CHECK(argmax().has_value());
  layer.weight.setZero();
  std::fill(layer.bias.begin(), layer.bias.end(), 0.5f);
  CHECK_FALSE(argmax().has_value());
}

TEST_CASE("shapes and excluded outputs that do not fit are refused", "[attention]") {
  const Layer layer(20, 8, 6);
  const std::vector<float> short_bias(19), long_x(9);
  CHECK_THROWS_WITH(heed::ScreenedWeight(heed::as_matrix(layer.weight), short_bias), Catch::Contains("19") && Catch::Contains("20"));
  const heed::ScreenedWeight screened(heed::as_matrix(layer.weight), layer.bias);
  CHECK_THROWS_WITH(screened.argmax(long_x), Catch::Contains("9") && Catch::Contains("8"));
  const std::vector<Index> outside = {20};
  CHECK_THROWS_WITH(screened.argmax(layer.x, outside), Catch::Contains("20") && Catch::Contains("0 to 19"));
}
