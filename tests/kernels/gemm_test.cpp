#include <heed/kernels/gemm.hpp>

#include "kernels/gemm_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;

namespace {

template <class T>
void run(const Operand<T>& a, const Operand<T>& b, Index k, MatrixView<T> c, Accumulate accumulate) {
  const Scratch<T> scratch(heed::gemm_scratch_size<T>(c.rows, c.cols, k));
  heed::gemm<T>(a.transpose, a.view(), b.transpose, b.view(), c, accumulate, scratch.data());
}
template <class T>
void run_packed(const Operand<T>& a, const Operand<T>& b, Index k, MatrixView<T> c, Accumulate accumulate) {
  const Scratch<T> packed(heed::packed_size<T>(k, c.cols));
  heed::pack_b<T>(b.transpose, b.view(), packed.data());
  heed::gemm_packed<T>(a.transpose, a.view(), packed.data(), c, k, accumulate);
}

// gemm and gemm_packed against the chain, in a c whose rows are `gap` elements apart.
template <class T>
bool equals_chain(Index m, Index n, Index k, Transpose ta, Transpose tb, Accumulate accumulate, Index gap) {
  const Operand<T> a(ta, m, k, gap, 1), b(tb, k, n, gap, 2);
  std::vector<T> wanted = random_numbers<T>(m * (n + gap), 3), found = wanted, packed = wanted;
  chain_product(a, b, k, MatrixView<T>(wanted.data(), m, n, n + gap), accumulate);
  run(a, b, k, MatrixView<T>(found.data(), m, n, n + gap), accumulate);
  run_packed(a, b, k, MatrixView<T>(packed.data(), m, n, n + gap), accumulate);
  return all_same_bits(found, wanted) && all_same_bits(packed, wanted);  // the gaps of c too
}

constexpr Transpose both[] = {Transpose::no, Transpose::yes};

}  // namespace

TEMPLATE_TEST_CASE("every element is one chain over k, whatever the shape, orientation or path", "[kernels]", float,
                   double) {
  for (const Index m : {1, 2, 4, 5, 6, 7, 13, 40})
    for (const Index n : {1, 3, 8, 15, 16, 17, 33, 64, 65, 130})
      for (const Index k : {1, 2, 3, 4, 5, 17, 64})
        for (const Transpose ta : both)
          for (const Transpose tb : both) {
            INFO("m " << m << " n " << n << " k " << k << " ta " << int(ta) << " tb " << int(tb));
            CHECK(equals_chain<TestType>(m, n, k, ta, tb, (m + n + k) % 2 ? Accumulate::yes : Accumulate::no, n % 3));
          }
}

TEMPLATE_TEST_CASE("the chain goes on through blocks of k and of columns", "[kernels]", float, double) {
  const Index depth = heed::gemm_detail::Blocks<TestType, heed::default_arch>::depth;
  for (const Index k : {depth - 1, depth, depth + 1, 2 * depth + 3})
    for (const Index m : {1, 3, 9})
      for (const Transpose t : both) {
        const Transpose other = t == Transpose::no ? Transpose::yes : Transpose::no;
        CHECK(equals_chain<TestType>(m, 21, k, t, t, Accumulate::no, 1));
        CHECK(equals_chain<TestType>(m, 21, k, t, other, Accumulate::yes, 0));
      }
  CHECK(equals_chain<TestType>(8, 1100, depth + 2, Transpose::no, Transpose::yes, Accumulate::no, 1));
  CHECK(equals_chain<TestType>(8, 1100, depth + 2, Transpose::yes, Transpose::no, Accumulate::yes, 0));
}

TEMPLATE_TEST_CASE("a row has the same bits alone as among a hundred", "[kernels]", float, double) {
  using T = TestType;
  const Index m = 100, n = 77, k = 500;
  for (const Transpose tb : both) {
    const Operand<T> a(Transpose::no, m, k, 0, 4), b(tb, k, n, 0, 5);
    auto all = filled<T>(m * n, not_a_number<T>);
    run(a, b, k, matrix(all, m, n), Accumulate::no);
    for (const Index i : {0, 1, 50, 95, 99}) {
      auto row = filled<T>(n, not_a_number<T>);
      const Scratch<T> scratch(heed::gemm_scratch_size<T>(1, n, k));
      heed::gemm<T>(Transpose::no, a.view().row_block(i, 1), tb, b.view(), matrix(row, 1, n), Accumulate::no,
                    scratch.data());
      CHECK(std::equal(row.begin(), row.end(), all.begin() + i * n, same_bits<T>));
    }
  }
}

TEMPLATE_TEST_CASE("the product is within its error bound of the product in double", "[kernels]", float, double) {
  using T = TestType;
  const Index m = 20, n = 50, k = 600;
  const Operand<T> a(Transpose::no, m, k, 0, 6), b(Transpose::yes, k, n, 0, 7);
  auto c = filled<T>(m * n, T(0));
  run(a, b, k, matrix(c, m, n), Accumulate::no);
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      long double sum = 0, size = 0;
      for (Index step = 0; step < k; ++step) {
        const long double term = static_cast<long double>(a(i, step)) * static_cast<long double>(b(step, j));
        sum += term, size += std::fabs(term);
      }
      const auto error = std::fabs(static_cast<long double>(c[static_cast<std::size_t>(i * n + j)]) - sum);
      CHECK(error <= k * static_cast<long double>(std::numeric_limits<T>::epsilon()) / 2 * size);
    }
}

TEMPLATE_TEST_CASE("a product over nothing is zero or leaves what it is added to", "[kernels]", float, double) {
  for (const Index m : {1, 9})
    for (const Transpose ta : both)
      for (const Transpose tb : both) {
        CHECK(equals_chain<TestType>(m, 35, 0, ta, tb, Accumulate::no, 1));
        CHECK(equals_chain<TestType>(m, 35, 0, ta, tb, Accumulate::yes, 1));
        CHECK(equals_chain<TestType>(0, 35, 4, ta, tb, Accumulate::no, 0));
        CHECK(equals_chain<TestType>(m, 0, 4, ta, tb, Accumulate::no, 0));
      }
}

TEMPLATE_TEST_CASE("a NaN reaches its own row or column only", "[kernels]", float, double) {
  using T = TestType;
  const Index n = 37, k = 21;
  for (const Index m : {3, 11})
    for (const Transpose tb : both) {
      Operand<T> a(Transpose::no, m, k, 0, 8), b(tb, k, n, 0, 9);
      a.storage[static_cast<std::size_t>(2 * k + 5)] = not_a_number<T>;                                  // row 2
      b.storage[static_cast<std::size_t>(tb == Transpose::no ? 7 * n + 36 : 36 * k + 7)] = infinite<T>;  // column 36
      auto c = filled<T>(m * n, T(0));
      run(a, b, k, matrix(c, m, n), Accumulate::no);
      for (Index i = 0; i < m; ++i)
        for (Index j = 0; j < n; ++j) {
          const T x = c[static_cast<std::size_t>(i * n + j)];
          CHECK(std::isnan(x) == (i == 2));
          if (i != 2) CHECK(std::isinf(x) == (j == 36));
        }
    }
}

TEMPLATE_TEST_CASE("rows of a may overlap or repeat", "[kernels]", float, double) {
  using T = TestType;
  const Index m = 9, n = 20, k = 12;
  const auto a = random_numbers<T>(k, 10), b = random_numbers<T>(k * n, 11);
  auto c = filled<T>(m * n, not_a_number<T>);
  const Scratch<T> scratch(heed::gemm_scratch_size<T>(m, n, k));
  heed::gemm<T>(Transpose::no, {a.data(), m, k, 0}, Transpose::no, matrix(b, k, n), matrix(c, m, n), Accumulate::no,
                scratch.data());
  for (Index i = 1; i < m; ++i) CHECK(std::equal(c.begin(), c.begin() + n, c.begin() + i * n, same_bits<T>));
}

TEMPLATE_TEST_CASE("a batch is its products one by one, with shared operands at step 0", "[kernels]", float, double) {
  using T = TestType;
  const Index batch = 3, m = 7, n = 18, k = 10;
  const auto a = random_numbers<T>(batch * m * k, 12), b = random_numbers<T>(batch * k * n, 13);
  for (const Index b_step : {Index{0}, k * n}) {
    auto found = filled<T>(batch * m * n, T(1)), wanted = found;
    const Scratch<T> scratch(heed::gemm_scratch_size<T>(m, n, k));
    heed::gemm_batched<T>(batch, {m * k, b_step, m * n}, Transpose::no, matrix(a, m, k), Transpose::no, matrix(b, k, n),
                          matrix(found, m, n), Accumulate::yes, scratch.data());
    for (Index i = 0; i < batch; ++i)
      heed::gemm<T>(Transpose::no, {a.data() + i * m * k, m, k}, Transpose::no, {b.data() + i * b_step, k, n},
                    {wanted.data() + i * m * n, m, n}, Accumulate::yes, scratch.data());
    CHECK(all_same_bits(found, wanted));
  }
}
