#include <heed/kernels/normalization.hpp>
#include <heed/kernels/reference.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace reference = heed::reference;
using heed::Index;
using namespace heed_test;

namespace {
template <class T>
const T* or_null(const std::vector<T>& x, int present) {
  return present ? x.data() : nullptr;
}
}  // namespace

TEMPLATE_TEST_CASE("layer norm rows and their gradients match the textbook definition", "[kernels]", float, double) {
  using T = TestType;
  const Index size = GENERATE(1, 7, 64, 65, 200);
  const int affine = GENERATE(0, 1);
  const std::vector<T> x = random_numbers<T>(size, 1, 3), weight = random_numbers<T>(size, 2),
                       bias = random_numbers<T>(size, 3), up = random_numbers<T>(size, 4);
  std::vector<T> d_x(x.size()), d_weight = random_numbers<T>(size, 5), d_bias = random_numbers<T>(size, 6);
  auto y = filled<T>(size + 1, T(7));
  const auto x64 = in_double(x), weight64 = in_double(weight), bias64 = in_double(bias), up64 = in_double(up);
  std::vector<double> wanted(x.size()), wanted_x(x.size()), wanted_weight = in_double(d_weight),
                                                            wanted_bias = in_double(d_bias);
  const auto row =
      reference::layer_norm(x64.data(), or_null(weight64, affine), or_null(bias64, affine), 1e-2, wanted.data(), size);
  reference::layer_norm_backward(x64.data(), or_null(weight64, affine), row, up64.data(), wanted_x.data(),
                                 affine ? wanted_weight.data() : nullptr, affine ? wanted_bias.data() : nullptr, size);
  const auto moments =
      heed::layer_norm_row(x.data(), or_null(weight, affine), or_null(bias, affine), T(1e-2), y.data(), size);
  heed::layer_norm_backward_row(x.data(), or_null(weight, affine), moments, up.data(), d_x.data(),
                                affine ? d_weight.data() : nullptr, affine ? d_bias.data() : nullptr, size);
  CHECK(y.back() == 7);
  y.pop_back();
  CHECK(all_close(y, wanted));
  CHECK(all_close(d_x, wanted_x));
  CHECK(all_close(d_weight, wanted_weight));
  CHECK(all_close(d_bias, wanted_bias));
}

TEMPLATE_TEST_CASE("RMS norm rows and their gradients match the textbook definition", "[kernels]", float, double) {
  using T = TestType;
  const Index size = GENERATE(1, 7, 64, 65, 200);
  const int affine = GENERATE(0, 1);
  const std::vector<T> x = random_numbers<T>(size, 1, 3), weight = random_numbers<T>(size, 2),
                       up = random_numbers<T>(size, 4);
  std::vector<T> d_x(x.size()), d_weight = random_numbers<T>(size, 5);
  auto y = filled<T>(size + 1, T(7));
  const auto x64 = in_double(x), weight64 = in_double(weight), up64 = in_double(up);
  std::vector<double> wanted(x.size()), wanted_x(x.size()), wanted_weight = in_double(d_weight);
  const double wanted_factor = reference::rms_norm(x64.data(), or_null(weight64, affine), 1e-2, wanted.data(), size);
  reference::rms_norm_backward(x64.data(), or_null(weight64, affine), wanted_factor, up64.data(), wanted_x.data(),
                               affine ? wanted_weight.data() : nullptr, size);
  const T factor = heed::rms_norm_row(x.data(), or_null(weight, affine), T(1e-2), y.data(), size);
  heed::rms_norm_backward_row(x.data(), or_null(weight, affine), factor, up.data(), d_x.data(),
                              affine ? d_weight.data() : nullptr, size);
  CHECK(y.back() == 7);
  y.pop_back();
  CHECK(all_close(y, wanted));
  CHECK(all_close(d_x, wanted_x));
  CHECK(all_close(d_weight, wanted_weight));
}

TEMPLATE_TEST_CASE("a row far from zero keeps its variance", "[kernels]", float, double) {
  using T = TestType;
  std::vector<T> x = random_numbers<T>(200, 7), y(200);
  for (T& value : x) value += T(1000);
  std::vector<double> wanted(200);
  reference::layer_norm(in_double(x).data(), nullptr, nullptr, 1e-5, wanted.data(), 200);
  heed::layer_norm_row<T>(x.data(), nullptr, nullptr, T(1e-5), y.data(), 200);
  CHECK(largest_error(y, wanted) <
        (std::is_same_v<T, float> ? 4e-4 : 1e-12));  // the mean's own rounding, 2^-24 * 1000 * 2
}

TEMPLATE_TEST_CASE("normalisation works in place and NaN stays in its row", "[kernels]", float, double) {
  using T = TestType;
  std::vector<T> x = random_numbers<T>(65, 8), y(65), d(65, T(1)), d_x(65);
  const auto moments = heed::layer_norm_row<T>(x.data(), nullptr, nullptr, T(1e-5), y.data(), 65);
  heed::layer_norm_backward_row<T>(x.data(), nullptr, moments, y.data(), d_x.data(), nullptr, nullptr, 65);
  std::vector<T> in_place = y;
  heed::layer_norm_backward_row<T>(x.data(), nullptr, moments, in_place.data(), in_place.data(), nullptr, nullptr, 65);
  CHECK(all_same_bits(in_place, d_x));
  in_place = x;
  heed::layer_norm_row<T>(in_place.data(), nullptr, nullptr, T(1e-5), in_place.data(), 65);
  CHECK(all_same_bits(in_place, y));
  x[64] = not_a_number<T>;
  heed::layer_norm_row<T>(x.data(), nullptr, nullptr, T(1e-5), y.data(), 65);
  for (const T value : y) CHECK(std::isnan(value));
  heed::rms_norm_row<T>(x.data(), nullptr, T(1e-5), y.data(), 65);
  for (const T value : y) CHECK(std::isnan(value));
}
