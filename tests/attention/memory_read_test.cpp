#include <heed/attention/memory_read.hpp>

#include <cmath>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;
using namespace heed::detail;

namespace {

/// Scores that the caller made up: what is read, and the way back, without any kernel of scores.
struct Given {
  Tensor<double, 3> scores, values, context, weights;
  Given()
      : scores(random_tensor<double, 3>({2, 3, 7}, 1, 2)),
        values(random_tensor<double, 3>({2, 7, 4}, 2)),
        context(zeros<double, 3>({2, 3, 4})),
        weights(zeros<double, 3>({2, 3, 7})) {}

  void run(const Mask& mask) {
    const BoundMask bound("f", mask, {2, 1, 3, 7});
    read_memory<double>(
        bound, values, {context, weights},
        [&](Index b, Index i, const VisibleKeys& keys, double* row) {
          keys.for_each([&](Index j) { row[j] = scores(b, i, j); });
        },
        default_executor());
  }
};

}  // namespace

TEST_CASE("a read is the softmax of the visible scores times their values", "[attention]") {
  const std::vector<Index> lengths{7, 3};
  Tensor<bool, 2> holes(3, 7);
  holes.setConstant(true);
  holes(1, 2) = false;
  Given given;
  Mask mask = key_lengths(lengths);
  SECTION("a prefix of the keys") {}
  SECTION("a window, whose keys do not begin at 0") { mask = mask & window(1, 1); }
  SECTION("holes") { mask = mask & boolean_mask(holes); }
  given.run(mask);
  const BoundMask bound("f", mask, {2, 1, 3, 7});
  for (Index b = 0; b < 2; ++b) {
    for (Index i = 0; i < 3; ++i) {
      double sum = 0;
      for (Index j = 0; j < 7; ++j) sum += bound.visible(b, 0, i, j) ? std::exp(given.scores(b, i, j)) : 0;
      double context = 0;
      for (Index j = 0; j < 7; ++j) {
        const double weight = bound.visible(b, 0, i, j) ? std::exp(given.scores(b, i, j)) / sum : 0;
        CHECK(close(given.weights(b, i, j), weight));
        context += weight * given.values(b, j, 2);
      }
      CHECK(close(given.context(b, i, 2), context));
    }
  }
}

TEST_CASE("the backward marks the keys that were seen and gives the others exact zeros", "[attention]") {
  const std::vector<Index> lengths{7, 3};
  Given given;
  given.run(key_lengths(lengths));
  const BoundMask bound("f", key_lengths(lengths), {2, 1, 3, 7});
  const auto d_context = random_tensor<double, 3>({2, 3, 4}, 5);
  MemoryGradient<double> grad{zeros<double, 3>({2, 7, 1}), zeros<double, 3>({2, 7, 4}), Tensor<bool, 2>(2, 7)};
  grad.seen.setConstant(false);
  double sum_of_gradients = 0;
  Serial serial;
  read_memory_backward<double>(
      bound, given.values, given.weights, {d_context, {}}, grad,
      [&](Index b, Index, const VisibleKeys& keys, const double* d_scores) {
        CHECK(keys.range.end == lengths[std::size_t(b)]);
        for (Index j = keys.range.end; j < 7; ++j) CHECK(d_scores[j] == 0);
        keys.for_each([&](Index j) { sum_of_gradients += d_scores[j]; });
      },
      serial);
  CHECK(std::abs(sum_of_gradients) < 1e-12);  // a softmax does not move when all scores do
  CHECK(grad.seen(1, 2));
  CHECK_FALSE(grad.seen(1, 3));
  CHECK(grad.values(1, 3, 0) == 0);
  double wanted = 0;
  for (Index i = 0; i < 3; ++i) wanted += given.weights(1, i, 2) * d_context(1, i, 3);
  CHECK(close(grad.values(1, 2, 3), wanted));
}

TEST_CASE("a mask or lengths say what a read may see; lengths of a temporary do not compile", "[attention]") {
  const std::vector<Index> lengths{1, 2};
  CHECK(ReadMask(lengths).mask.key_lengths->data() == lengths.data());
  CHECK(ReadMask(causal()).mask.causality == Causality::square);
  CHECK(ReadMask().mask.empty());
  STATIC_REQUIRE(std::is_constructible_v<ReadMask, std::vector<Index>&>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<ReadMask, std::vector<Index>>);
}

TEST_CASE("small reads stay in the calling thread, large ones use the executor", "[attention]") {
  ThreadPool pool(3);
  CHECK(reader_executor(pool, serial_read_work - 1).concurrency() == 1);
  CHECK(reader_executor(pool, serial_read_work).concurrency() == 3);
}
