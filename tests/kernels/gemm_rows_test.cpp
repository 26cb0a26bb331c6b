#include <heed/kernels/gemm_rows.hpp>

#include "kernels/gemm_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;

TEMPLATE_TEST_CASE("few rows are chains too, for every number of rows it takes and every tail", "[kernels]", float,
                   double) {
  using T = TestType;
  using Arch = heed::default_arch;
  using namespace heed::gemm_detail;
  for (const Transpose tb : {Transpose::no, Transpose::yes})
    for (Index rows = 1; rows <= few_rows<T, Arch>(tb); ++rows)
      for (const Index n : {1, 7, 16, 31, 64, 100})
        for (const Index k : {0, 1, 3, 16, 17, 50})
          for (const Transpose ta : {Transpose::no, Transpose::yes}) {
            const Accumulate accumulate = k % 2 == 0 ? Accumulate::no : Accumulate::yes;
            const Operand<T> a(ta, rows, k, 1, 1), b(tb, k, n, 2, 2);
            std::vector<T> wanted = random_numbers<T>(rows * (n + 1), 3), found = wanted;
            chain_product(a, b, k, MatrixView<T>(wanted.data(), rows, n, n + 1), accumulate);
            const Scratch<T> scratch(k * heed::lanes<T>);
            const Index row_step = ta == Transpose::no ? a.stride : 1, k_step = ta == Transpose::no ? 1 : a.stride;
            multiply_few_rows<T, Arch>(rows, k, {a.storage.data(), row_step, k_step}, tb, b.view(),
                                       {found.data(), n + 1, accumulate}, n, scratch.data());
            CHECK(all_same_bits(found, wanted));
          }
}
