#include <heed/attention/matmul.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

Tensor<double, 2> product(const Tensor<double, 2>& a, const Tensor<double, 2>& b) {
  Tensor<double, 2> c = zeros<double, 2>({a.dimension(0), b.dimension(1)});
  for (Index i = 0; i < a.dimension(0); ++i)
    for (Index k = 0; k < a.dimension(1); ++k)
      for (Index j = 0; j < b.dimension(1); ++j) c(i, j) += a(i, k) * b(k, j);
  return c;
}
template <class T>
Tensor<T, 2> transposed(const Tensor<T, 2>& a) {
  return a.shuffle(Eigen::array<int, 2>{1, 0});
}

struct Shape {
  Index m, n, k;
};

}  // namespace

TEMPLATE_TEST_CASE("matmul matches the textbook for all transpositions and any number of threads", "[attention]", float,
                   double) {
  // one row, a wide product, a tall one, tails everywhere, nothing to sum
  const Shape s = GENERATE(Shape{1, 700, 33}, Shape{64, 1000, 40}, Shape{301, 65, 70}, Shape{7, 5, 3}, Shape{3, 4, 0});
  const auto a = random_tensor<TestType, 2>({s.m, s.k}, 1), b = random_tensor<TestType, 2>({s.k, s.n}, 2);
  const auto start = random_tensor<TestType, 2>({s.m, s.n}, 3);
  const Tensor<double, 2> wanted = product(in_double(a), in_double(b));
  const Tensor<double, 2> wanted_sum = wanted + in_double(start);
  const auto at = transposed(a), bt = transposed(b);
  Tensor<TestType, 2> first = start;
  Serial serial;
  matmul(Transpose::no, a, Transpose::no, b, first, Accumulate::no, serial);
  CHECK(close_tensor(first, wanted));
  for (const Index threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    for (const Transpose ta : {Transpose::no, Transpose::yes}) {
      for (const Transpose tb : {Transpose::no, Transpose::yes}) {
        Tensor<TestType, 2> c = start;
        const auto& left = ta == Transpose::yes ? at : a;
        const auto& right = tb == Transpose::yes ? bt : b;
        matmul(ta, left, tb, right, c, Accumulate::no, pool);
        CHECK(same_tensor(c, first));
        c = start;
        matmul(ta, left, tb, right, c, Accumulate::yes, pool);
        CHECK(close_tensor(c, wanted_sum));
      }
    }
  }
}

TEST_CASE("every cut of a product has the bits of the whole", "[attention]") {
  const auto a = random_tensor<float, 2>({130, 50}, 1), b = random_tensor<float, 2>({50, 200}, 2);
  Tensor<float, 2> whole(130, 200), parts(130, 200);
  Serial serial;
  matmul(Transpose::no, a, Transpose::no, b, whole, Accumulate::no, serial);
  ThreadPool pool(3);
  const auto rows_of = [](const Tensor<float, 2>& x) { return as_matrix(x); };
  detail::multiply_by_columns<float>(Transpose::no, rows_of(a), Transpose::no, rows_of(b), as_matrix(parts),
                                     Accumulate::no, pool);
  CHECK(same_tensor(parts, whole));
  parts.setZero();
  detail::multiply_by_rows<float>(Transpose::no, rows_of(a), Transpose::no, rows_of(b), as_matrix(parts),
                                  Accumulate::no, pool);
  CHECK(same_tensor(parts, whole));
  parts.setZero();
  for (Index i = 0; i < 130; ++i) {
    matmul(Transpose::no, as_matrix(std::as_const(a)).row_block(i, 1), Transpose::no, rows_of(b),
           as_matrix(parts).row_block(i, 1), Accumulate::no, serial);
  }
  CHECK(same_tensor(parts, whole));
}

TEST_CASE("matmul reads column-major tensors and strided rows in place", "[attention]") {
  const auto a = random_tensor<double, 2>({40, 30}, 1), b = random_tensor<double, 2>({30, 20}, 2);
  const Eigen::Tensor<double, 2, Eigen::ColMajor, Index> a_columns =
      a.swap_layout().shuffle(Eigen::array<int, 2>{1, 0});
  const View<const double, 2> b_half(b.data(), {15, 20}, {40, 1});  // every other row
  Tensor<double, 2> wanted(40, 20), found(40, 20);
  matmul(Transpose::no, a, Transpose::no, b, wanted, Accumulate::no);
  matmul(Transpose::no, a_columns, Transpose::no, b, found, Accumulate::no);
  CHECK(same_tensor(found, wanted));
  const Tensor<double, 2> a_half = a.slice(Eigen::array<Index, 2>{0, 0}, Eigen::array<Index, 2>{40, 15});
  const Tensor<double, 2> b_copy = b.stride(Eigen::array<Index, 2>{2, 1});
  matmul(Transpose::no, a_half, Transpose::no, b_half, found, Accumulate::no);
  CHECK(close_tensor(found, product(a_half, b_copy)));
}

TEST_CASE("matmul refuses shapes that do not fit and overlapping memory, and writes nothing", "[attention]") {
  const Tensor<float, 2> a(3, 4), b(5, 6), b_fits(4, 6);
  Tensor<float, 2> c(3, 6), small(3, 5);
  c.setConstant(7);
  CHECK(mentions(error_of([&] { matmul(Transpose::no, a, Transpose::no, b, c, Accumulate::no); }),
                 {"matmul", "op(a) has shape (3, 4)", "op(b) (5, 6)"}));
  CHECK(mentions(error_of([&] { matmul(Transpose::yes, a, Transpose::no, b_fits, c, Accumulate::no); }), {"(4, 3)"}));
  CHECK(mentions(error_of([&] { matmul(Transpose::no, a, Transpose::no, b_fits, small, Accumulate::no); }),
                 {"c has shape (3, 5)", "(3, 6)"}));
  Tensor<float, 2> square(4, 4);
  square.setConstant(7);
  CHECK(mentions(error_of([&] { matmul(Transpose::no, square, Transpose::no, square, square, Accumulate::no); }),
                 {"c overlaps a"}));
  const View<const float, 2> skewed(a.data(), {2, 2}, {5, 2});
  CHECK(mentions(
      error_of([&] { matmul(Transpose::no, skewed, Transpose::no, skewed, Tensor<float, 2>(2, 2), Accumulate::no); }),
      {"a has strides (5, 2)", "contiguous"}));
  CHECK(c(2, 5) == 7);
  CHECK(square(3, 3) == 7);
}
