#include <heed/attention/position.hpp>

#include <vector>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;
using heed::BucketDirection;
using heed::SinusoidLayout;

TEST_CASE("sinusoidal encodings are the paper's", "[attention]") {
  const auto encoding = heed::sinusoidal_encoding<double>(6, 7, {.offset = 100});
  for (Index p = 0; p < 6; ++p) {
    for (Index c = 0; c < 7; ++c) {
      const double angle = double(p + 100) / std::pow(10000.0, double(c / 2 * 2) / 7);
      CHECK(close(encoding(p, c), c % 2 == 0 ? std::sin(angle) : std::cos(angle)));
    }
  }
}

TEST_CASE("the layouts hold the same waves in other places, tensor2tensor's spread wider", "[attention]") {
  const auto paper = heed::sinusoidal_encoding<float>(5, 8), halves = heed::sinusoidal_encoding<float>(5, 8, {.layout = SinusoidLayout::concatenated});
  const auto spread = heed::sinusoidal_encoding<float>(5, 8, {.layout = SinusoidLayout::tensor2tensor});
  for (Index p = 0; p < 5; ++p) {
    for (Index i = 0; i < 4; ++i) {
      CHECK(same_bits(halves(p, i), paper(p, 2 * i)));
      CHECK(same_bits(halves(p, 4 + i), paper(p, 2 * i + 1)));
      CHECK(close(spread(p, i), std::sin(double(p) * std::pow(10000.0, -double(i) / 3))));
    }
  }
}

TEST_CASE("far positions keep their precision in float", "[attention]") {
  const auto far = heed::sinusoidal_encoding<float>(1, 2, {.offset = 123456789});
  CHECK(same_bits(far(0, 0), static_cast<float>(std::sin(123456789.0))));
}

TEST_CASE("ALiBi's slopes are powers of two, other counts fill in between", "[attention]") {
  const auto eight = heed::alibi_slopes<double>(8), twelve = heed::alibi_slopes<double>(12);
  for (Index h = 0; h < 8; ++h) {
    CHECK(eight(h) == std::exp2(-double(h + 1)));
    CHECK(twelve(h) == eight(h));
  }
  for (Index h = 8; h < 12; ++h) CHECK(close(twelve(h), std::exp2(-0.5 - double(h - 8))));
  CHECK(heed::alibi_slopes<float>(0).size() == 0);
}

TEST_CASE("ALiBi's bias grows with the distance, the queries being the last positions", "[attention]") {
  const auto bias = heed::alibi_bias(heed::alibi_slopes<double>(2), 2, 5);
  for (Index h = 0; h < 2; ++h) {
    for (Index i = 0; i < 2; ++i) {
      for (Index j = 0; j < 5; ++j) CHECK(bias(h, i, j) == -heed::alibi_slopes<double>(2)(h) * double(std::abs(i + 3 - j)));
    }
  }
}

TEST_CASE("T5's buckets: near distances alone, far ones shared, none behind the last", "[attention]") {
  const heed::RelativeBuckets both({.buckets = 32, .max_distance = 128}), past({.buckets = 32, .max_distance = 128, .direction = BucketDirection::past});
  for (Index d = 0; d < 8; ++d) {
    CHECK(both(-d) == d);
    CHECK(both(d) == (d == 0 ? 0 : 16 + d));
  }
  for (Index d = 0; d < 16; ++d) CHECK(past(-d) == d);
  CHECK(past(5) == 0);
  CHECK(both(-128) == 15);
  CHECK(both(100000) == 31);
  CHECK(past(-100000) == 31);
  for (Index d = 1; d < 300; ++d) {
    CHECK(both(-d) >= both(-d + 1));
    CHECK(past(-d) >= past(-d + 1));
    CHECK(both(d) == both(-d) + 16);
  }
}

TEST_CASE("the bias of buckets reads the table, its gradient adds to it", "[attention]") {
  const heed::RelativeBuckets bucket({.buckets = 6, .max_distance = 8});
  heed::Tensor<double, 2> table(6, 2), d_table = heed::zeros<double, 2>({6, 2});
  for (Index i = 0; i < table.size(); ++i) table.data()[i] = double(i);
  const auto bias = heed::bucket_bias(table, bucket, 3, 7, 2);
  heed::Tensor<double, 3> d_bias(2, 3, 7);
  d_bias.setConstant(1.0);
  heed::bucket_bias_backward(d_bias, bucket, d_table, 2);
  std::vector<double> counts(6);
  for (Index i = 0; i < 3; ++i) {
    for (Index j = 0; j < 7; ++j) {
      counts[static_cast<std::size_t>(bucket(j - i - 2))] += 1;
      for (Index h = 0; h < 2; ++h) CHECK(bias(h, i, j) == table(bucket(j - i - 2), h));
    }
  }
  for (Index b = 0; b < 6; ++b) CHECK(d_table(b, 1) == counts[static_cast<std::size_t>(b)]);
}

TEST_CASE("position options that mean nothing are refused", "[attention]") {
  CHECK_THROWS_WITH(heed::sinusoidal_encoding<float>(3, 5, {.layout = SinusoidLayout::concatenated}), Catch::Contains("width is 5"));
  CHECK_THROWS_WITH(heed::sinusoidal_encoding<float>(3, 4, {.base = -1}), Catch::Contains("base"));
  CHECK_THROWS_AS(heed::sinusoidal_encoding<float>(-3, 4), heed::Error);
  CHECK_THROWS_WITH(heed::alibi_slopes<float>(-1), Catch::Contains("heads is -1"));
  CHECK_THROWS_WITH(heed::RelativeBuckets({.buckets = 3}), Catch::Contains("buckets is 3"));
  CHECK_THROWS_WITH(heed::RelativeBuckets({.buckets = 32, .max_distance = 8}), Catch::Contains("max_distance is 8"));
}
