#include <heed/attention/packed_weight.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

TEMPLATE_TEST_CASE("a packed weight gives the bits of matmul, for every row count and transposition", "[attention]",
                   float, double) {
  const Index rows = GENERATE(1, 3, 64);
  const auto a = random_tensor<TestType, 2>({rows, 70}, 1), weight = random_tensor<TestType, 2>({130, 70}, 2);
  Tensor<TestType, 2> wanted(rows, 130), found(rows, 130);
  matmul(Transpose::no, a, Transpose::yes, weight, wanted, Accumulate::no);
  PackedWeight<TestType> packed(Transpose::yes, weight);
  CHECK(packed.in_features() == 70);
  CHECK(packed.out_features() == 130);
  packed.multiply(as_matrix(a), as_matrix(found));
  CHECK(same_tensor(found, wanted));
  packed.multiply(as_matrix(a), as_matrix(found), Accumulate::yes);
  matmul(Transpose::no, a, Transpose::yes, weight, wanted, Accumulate::yes);
  CHECK(same_tensor(found, wanted));
}

TEST_CASE("packing again replaces the weight, in the same memory when it fits", "[attention]") {
  const auto a = random_tensor<float, 2>({5, 20}, 1), first = random_tensor<float, 2>({20, 40}, 2);
  const auto second = random_tensor<float, 2>({20, 30}, 3);
  PackedWeight<float> packed(Transpose::no, first);
  packed.pack(Transpose::no, second);
  Tensor<float, 2> wanted(5, 30), found(5, 30);
  matmul(Transpose::no, a, Transpose::no, second, wanted, Accumulate::no);
  packed.multiply(as_matrix(a), as_matrix(found));
  CHECK(same_tensor(found, wanted));
  PackedWeight<float> moved = std::move(packed);
  found.setZero();
  moved.multiply(as_matrix(a), as_matrix(found));
  CHECK(same_tensor(found, wanted));
}

TEST_CASE("threads may multiply with one packed weight at the same time", "[attention]") {
  const auto a = random_tensor<float, 2>({64, 33}, 1), weight = random_tensor<float, 2>({33, 50}, 2);
  Tensor<float, 2> wanted(64, 50), found(64, 50);
  matmul(Transpose::no, a, Transpose::no, weight, wanted, Accumulate::no);
  const PackedWeight<float> packed(Transpose::no, weight);
  ThreadPool pool(4);
  pool.parallel_for(64,
                    [&](Index i) { packed.multiply(as_matrix(a).row_block(i, 1), as_matrix(found).row_block(i, 1)); });
  CHECK(same_tensor(found, wanted));
}

TEST_CASE("a packed weight refuses operands of another width", "[attention]") {
  const PackedWeight<float> packed(Transpose::no, Tensor<float, 2>(20, 40));
  Tensor<float, 2> a(5, 21), c(5, 40), a_fits(5, 20), narrow(5, 39);
  CHECK(mentions(error_of([&] { packed.multiply(as_matrix(a), as_matrix(c)); }), {"a has shape (5, 21)", "(5, 20)"}));
  CHECK(mentions(error_of([&] { packed.multiply(as_matrix(a_fits), as_matrix(narrow)); }), {"c has shape (5, 39)"}));
}
