#include <heed/attention/rotary.hpp>

#include <cmath>
#include <vector>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;
using heed::RotaryPairs;

namespace {

heed::Tensor<double, 4> random_heads(Index batch, Index heads, Index length, Index width, unsigned seed) {
  heed::Tensor<double, 4> x(batch, heads, length, width);
  const auto numbers = random_numbers<double>(x.size(), seed);
  std::copy(numbers.begin(), numbers.end(), x.data());
  return x;
}

double score(const heed::Tensor<double, 4>& q, Index i, const heed::Tensor<double, 4>& k, Index j) {
  double sum = 0;
  for (Index d = 0; d < q.dimension(3); ++d) sum += q(0, 0, i, d) * k(0, 0, j, d);
  return sum;
}

}  // namespace

TEST_CASE("a pair of channels turns by its position's angle", "[attention]") {
  const auto pairs = GENERATE(RotaryPairs::interleaved, RotaryPairs::halves);
  const auto x = random_heads(2, 3, 5, 7, 1);
  const auto table = heed::rotary_table<double>(5, 6, {.offset = 3, .base = 100});
  const auto y = heed::rotary_embedding(x, table, {.pairs = pairs});
  for (Index b = 0; b < 2; ++b) {
    for (Index h = 0; h < 3; ++h) {
      for (Index t = 0; t < 5; ++t) {
        for (Index i = 0; i < 3; ++i) {
          const double angle = double(t + 3) * std::pow(100.0, -double(i) / 3);
          const Index first = pairs == RotaryPairs::interleaved ? 2 * i : i, second = pairs == RotaryPairs::interleaved ? first + 1 : i + 3;
          const double a = x(b, h, t, first), c = x(b, h, t, second);
          CHECK(close(y(b, h, t, first), a * std::cos(angle) - c * std::sin(angle)));
          CHECK(close(y(b, h, t, second), c * std::cos(angle) + a * std::sin(angle)));
        }
        CHECK(same_bits(y(b, h, t, 6), x(b, h, t, 6)));
      }
    }
  }
}

TEST_CASE("a call may begin at any row, and a scaled table turns by its own angles", "[attention]") {
  const auto x = random_heads(2, 1, 3, 4, 1);
  const heed::RotaryScaling scaling{.kind = heed::RotaryStretch::yarn, .factor = 4, .trained_length = 64};
  const auto table = heed::rotary_table<double>(9, 4, {.base = 100, .scaling = scaling});
  const auto steps = heed::rotary_frequencies(4, 100, scaling);
  CHECK(close(table.cosine(5, 1), (0.1 * std::log(4.0) + 1) * std::cos(5 * steps[1])));
  heed::Tensor<Index, 2> positions(2, 3);
  positions.setValues({{5, 6, 7}, {5, 6, 7}});
  const auto wanted = heed::rotary_embedding(x, table, {.positions = heed::View<const Index, 2>(positions)});
  const auto found = heed::rotary_embedding(x, table, {.first = 5});
  CHECK(all_same_bits(heed::flat(found), heed::flat(wanted)));
  CHECK_THROWS_WITH(heed::rotary_embedding(x, table, {.first = 7}),
                    Catch::Contains("wanted at least 3 from first on, which is 7"));
  CHECK_THROWS_AS(heed::rotary_embedding(x, table, {.first = -1}), heed::Error);
}

TEST_CASE("scores of turned queries and keys depend on the distance alone", "[attention]") {
  const auto pairs = GENERATE(RotaryPairs::interleaved, RotaryPairs::halves);
  auto q = random_heads(1, 1, 8, 6, 2), k = random_heads(1, 1, 8, 6, 3);
  for (Index t = 1; t < 8; ++t) {
    for (Index d = 0; d < 6; ++d) q(0, 0, t, d) = q(0, 0, 0, d), k(0, 0, t, d) = k(0, 0, 0, d);
  }
  const auto table = heed::rotary_table<double>(8, 6);
  const auto tq = heed::rotary_embedding(q, table, {.pairs = pairs}), tk = heed::rotary_embedding(k, table, {.pairs = pairs});
  for (Index i = 0; i + 1 < 8; ++i) {
    for (Index j = 0; j + 1 < 8; ++j) CHECK(close(score(tq, i, tk, j), score(tq, i + 1, tk, j + 1)));
  }
}

TEST_CASE("backward is the turn's transpose", "[attention]") {
  const auto pairs = GENERATE(RotaryPairs::interleaved, RotaryPairs::halves);
  const auto table = heed::rotary_table<double>(4, 4);
  const auto x = random_heads(1, 2, 4, 6, 4), d_y = random_heads(1, 2, 4, 6, 5);
  const auto y = heed::rotary_embedding(x, table, {.pairs = pairs});
  const auto d_x = heed::rotary_embedding_backward(d_y, table, {.pairs = pairs});
  double forward = 0, backward = 0;
  for (Index i = 0; i < x.size(); ++i) forward += y.data()[i] * d_y.data()[i], backward += x.data()[i] * d_x.data()[i];
  CHECK(close(forward, backward));
  const auto back = heed::rotary_embedding_backward(y, table, {.pairs = pairs});
  CHECK(all_close(std::vector<double>(back.data(), back.data() + back.size()), std::vector<double>(x.data(), x.data() + x.size())));
}

TEST_CASE("given positions choose the table's rows, in place and in (batch, length, heads, width)", "[attention]") {
  const auto table = heed::rotary_table<double>(20, 4);
  auto x = random_heads(2, 3, 5, 4, 6);
  heed::Tensor<Index, 2> positions(2, 5);
  for (Index b = 0; b < 2; ++b) {
    for (Index t = 0; t < 5; ++t) positions(b, t) = (7 * b + 3 * t) % 20;
  }
  const heed::RotaryCall call{.positions = heed::View<const Index, 2>(positions)};
  const auto wanted = heed::rotary_embedding(x, table, call);
  for (Index b = 0; b < 2; ++b) {
    for (Index t = 0; t < 5; ++t) {
      const auto one = heed::rotary_table<double>(1, 4, {.offset = positions(b, t)});
      CHECK(same_bits(wanted(b, 1, t, 0), heed::fnma(x(b, 1, t, 2), one.sine(0, 0), x(b, 1, t, 0) * one.cosine(0, 0))));
    }
  }
  heed::Tensor<double, 4> steps(2, 5, 3, 4);
  for (Index i = 0; i < x.size(); ++i) steps(i / 60, i / 4 % 5, i / 20 % 3, i % 4) = x.data()[i];
  const heed::View<double, 4> by_head(steps.data(), {2, 3, 5, 4}, {60, 4, 12, 1}), whole(x);
  heed::rotary_embedding_into<double>(by_head, by_head, table, call);
  heed::rotary_embedding_into<double>(whole, whole, table, call);
  for (Index i = 0; i < x.size(); ++i) {
    CHECK(same_bits(x.data()[i], wanted.data()[i]));
    CHECK(same_bits(steps(i / 60, i / 4 % 5, i / 20 % 3, i % 4), wanted.data()[i]));
  }
}

TEST_CASE("rotary arguments that do not fit are refused before anything is written", "[attention]") {
  CHECK_THROWS_WITH(heed::rotary_table<float>(4, 5), Catch::Contains("rotary_dim is 5") && Catch::Contains("even"));
  CHECK_THROWS_WITH(heed::rotary_table<float>(4, 4, {.base = 0}), Catch::Contains("base"));
  CHECK_THROWS_AS(heed::rotary_table<float>(-1, 4), heed::Error);
  const auto table = heed::rotary_table<double>(4, 6);
  const auto narrow = random_heads(1, 1, 4, 4, 7), longer = random_heads(1, 1, 5, 6, 8);
  CHECK_THROWS_WITH(heed::rotary_embedding(narrow, table), Catch::Contains("rotary_dim 6") && Catch::Contains("4 channels"));
  CHECK_THROWS_WITH(heed::rotary_embedding(longer, table), Catch::Contains("4 positions") && Catch::Contains("5"));
  heed::Tensor<Index, 2> positions(1, 5);
  positions.setConstant(1);
  positions(0, 3) = 4;
  CHECK_THROWS_WITH(heed::rotary_embedding(longer, table, {.positions = heed::View<const Index, 2>(positions)}),
                    Catch::Contains("positions(0, 3) is 4"));
  auto shifted = random_heads(1, 1, 8, 6, 9);
  const auto kept = shifted;
  const heed::View<double, 4> from(shifted.data(), {1, 1, 4, 6}), to(shifted.data() + 6, {1, 1, 4, 6});
  CHECK_THROWS_WITH(heed::rotary_embedding_into<double>(to, from, table), Catch::Contains("overlaps"));
  for (Index i = 0; i < kept.size(); ++i) CHECK(same_bits(shifted.data()[i], kept.data()[i]));
}
