#include <heed/kernels/gemm_pack.hpp>

#include "kernels/gemm_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;

TEMPLATE_TEST_CASE("panels hold op(b) row by row, from either orientation", "[kernels]", float, double) {
  using T = TestType;
  using Arch = heed::default_arch;
  using namespace heed::gemm_detail;
  constexpr Index panel = Blocks<T, Arch>::cols, width = heed::lanes<T>;
  for (const Index k : {1, 2, 3, 4, 7, 33})
    for (const Index n : {Index{1}, width - 1, width, width + 1, panel, panel + 1, 2 * panel + width + 3})
      for (const Transpose tb : {Transpose::no, Transpose::yes}) {
        const Operand<T> b(tb, k, n, 3, 1);
        const Index row_step = tb == Transpose::no ? 1 : b.stride, k_step = tb == Transpose::no ? b.stride : 1;
        const Scratch<T> packed(k * round_up(n, width));
        pack_panels<T, Arch>({b.storage.data(), row_step, k_step}, k, n, packed.data());
        bool same = true;
        for (Index j = 0; j < n; ++j) {
          const Index first = j / panel * panel, step = round_up(std::min(panel, n - first), width);
          for (Index i = 0; i < k; ++i)
            same = same && same_bits(packed.data()[first * k + i * step + j - first], b(i, j));
        }
        CHECK(same);
      }
}

TEST_CASE("round_up gives the next multiple", "[kernels]") {
  CHECK(heed::gemm_detail::round_up(0, 8) == 0);
  CHECK(heed::gemm_detail::round_up(1, 8) == 8);
  CHECK(heed::gemm_detail::round_up(8, 8) == 8);
  CHECK(heed::gemm_detail::round_up(9, 8) == 16);
}
