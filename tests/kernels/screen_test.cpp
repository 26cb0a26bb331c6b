#include <heed/kernels/screen.hpp>

#include <vector>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

namespace {

/// A layer of random weights and what screening one random row through it gives.
struct Screened {
  Index n, k;
  std::vector<float> weight, bias, x, words, radius, scores;
  heed::ScreenBound bound;

  Screened(Index outputs, Index inputs, float scale, unsigned seed)
      : n(outputs),
        k(inputs),
        weight(random_numbers<float>(n * k, seed)),
        bias(random_numbers<float>(n, seed + 1)),
        x(random_numbers<float>(k, seed + 2)),
        words(static_cast<std::size_t>(heed::screen_size(n, k)), not_a_number<float>),
        radius(static_cast<std::size_t>(n)),
        scores(static_cast<std::size_t>(n + 1), 42.0f) {
    for (float& w : weight) w *= scale;
    pack();
    screen();
  }
  void pack() { bound = heed::pack_screen({weight.data(), n, k}, bias.data(), words.data(), radius.data()); }
  void screen() {
    const Index cols = heed::screen_cols<>;
    for (Index first = 0; first < n; first += cols) {
      heed::screen_panel(k, x.data(), words.data() + first * ((k + 1) / 2), bias.data() + first, scores.data() + first,
                         std::min(cols, n - first));
    }
  }
  float norm() const {
    double sum = 0;
    for (const float value : x) sum += double(value) * double(value);
    return heed::screen_detail::above(std::sqrt(sum));
  }
  /// The logit as the product computes it.
  float logit(Index column) const {
    float sum = bias[static_cast<std::size_t>(column)];
    for (Index i = 0; i < k; ++i) sum = heed::fma(x[static_cast<std::size_t>(i)], weight[static_cast<std::size_t>(column * k + i)], sum);
    return sum;
  }
  Index best() const {
    Index found = 0;
    for (Index column = 1; column < n; ++column) found = logit(column) > logit(found) ? column : found;
    return found;
  }
  Index survivors(std::vector<Index>& found) const {
    return heed::screen_survivors(scores.data(), radius.data(), n, norm(), bound, found.data(), static_cast<Index>(found.size()));
  }
};

}  // namespace

TEST_CASE("every logit is within its bound of its screened score", "[kernels]") {
  for (const Index n : {1, 15, 16, 63, 64, 65, 200}) {
    for (const Index k : {1, 2, 3, 16, 33, 128}) {
      for (const float scale : {1.0f, 1e-3f, 1e-30f, 1e20f}) {
        const Screened layer(n, k, scale, static_cast<unsigned>(n * 1000 + k));
        for (Index column = 0; column < n; ++column) {
          const double bound = double(layer.norm()) * double(layer.radius[static_cast<std::size_t>(column)]) + double(layer.bound.floor);
          CHECK(std::abs(double(layer.logit(column)) - double(layer.scores[static_cast<std::size_t>(column)])) <= bound);
        }
        CHECK(layer.scores.back() == 42.0f);
      }
    }
  }
}

TEST_CASE("the survivors hold the largest logit and are few", "[kernels]") {
  for (unsigned seed = 0; seed < 200; seed += 4) {
    Screened layer(300, 40, 0.2f, seed);
    const Index best = layer.best(), twin = (best + 7) % 300;
    for (Index i = 0; i < 40; ++i) {  // a rival whose logit differs by less than halves can show
      const float w = layer.weight[static_cast<std::size_t>(best * 40 + i)];
      layer.weight[static_cast<std::size_t>(twin * 40 + i)] = w * (1 + 1e-3f * layer.bias[static_cast<std::size_t>(i)]);
    }
    layer.bias[static_cast<std::size_t>(twin)] = layer.bias[static_cast<std::size_t>(best)];
    layer.pack();
    layer.screen();
    std::vector<Index> found(64);
    const Index count = layer.survivors(found);
    REQUIRE(count >= 2);
    CHECK(count <= 8);
    CHECK(std::count(found.begin(), found.begin() + count, layer.best()) == 1);
    CHECK(std::is_sorted(found.begin(), found.begin() + count));
  }
}

TEST_CASE("columns that cannot be told apart all survive, or too many are said to", "[kernels]") {
  Screened layer(100, 8, 0.0f, 5);
  std::fill(layer.bias.begin(), layer.bias.end(), 1.0f);
  layer.screen();
  std::vector<Index> all(100), few(99);
  CHECK(layer.survivors(all) == 100);
  CHECK(layer.survivors(few) == -1);
}

TEST_CASE("nothing is said of numbers that are not finite", "[kernels]") {
  std::vector<Index> found(64);
  for (const float bad : {not_a_number<float>, infinite<float>, std::numeric_limits<float>::max()}) {
    CAPTURE(bad);
    Screened weights(70, 9, 1.0f, 6);
    weights.weight[30] = bad;
    weights.pack();
    weights.screen();
    CHECK(weights.survivors(found) == -1);
    Screened input(70, 9, 1.0f, 7);
    input.x[3] = bad;
    input.screen();
    CHECK(input.survivors(found) == -1);
  }
}

TEST_CASE("a column whose bias is minus infinity never survives, one of plus infinity ends the screening", "[kernels]") {
  Screened layer(70, 9, 1.0f, 8);
  std::vector<Index> found(64);
  std::fill(layer.bias.begin() + 1, layer.bias.end(), -infinite<float>);
  layer.screen();
  REQUIRE(layer.survivors(found) == 1);
  CHECK(found[0] == 0);
  layer.bias[4] = infinite<float>;
  layer.screen();
  CHECK(layer.survivors(found) == -1);
}
