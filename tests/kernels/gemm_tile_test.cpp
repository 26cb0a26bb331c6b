#include <heed/kernels/gemm_tile.hpp>

#include "kernels/gemm_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed_test;
using heed::gemm_detail::Blocks;

namespace {

// A tile of Rows x Vectors registers whose last register holds `tail` columns, a row-major or column-major.
template <class T, int Rows, int Vectors>
bool tile_equals_chain(Index k, Index tail, Transpose ta, Accumulate accumulate) {
  using Arch = heed::default_arch;
  constexpr Index width = heed::lanes<T>, padded = Vectors * width;
  const Index cols = padded - width + tail;
  const Operand<T> a(ta, Rows, k, 2, 1), b(Transpose::no, k, padded, 0, 2);
  std::vector<T> wanted = random_numbers<T>(Rows * (cols + 1), 3), found = wanted;
  chain_product(a, b, k, MatrixView<T>(wanted.data(), Rows, cols, cols + 1), accumulate);
  const Index row_step = ta == Transpose::no ? a.stride : 1, k_step = ta == Transpose::no ? 1 : a.stride;
  heed::gemm_detail::multiply_tile<T, Arch, Rows, Vectors>(k, {a.storage.data(), row_step, k_step}, b.storage.data(),
                                                           padded, {found.data(), cols + 1, accumulate}, cols);
  return all_same_bits(found, wanted);
}

}  // namespace

TEMPLATE_TEST_CASE("a tile is a chain per element, with full and partial last registers", "[kernels]", float, double) {
  using T = TestType;
  constexpr int rows = Blocks<T, heed::default_arch>::rows, vectors = Blocks<T, heed::default_arch>::vectors;
  for (const Index k : {0, 1, 9})
    for (const Transpose ta : {Transpose::no, Transpose::yes})
      for (const Accumulate accumulate : {Accumulate::no, Accumulate::yes})
        for (Index tail = 1; tail <= heed::lanes<T>; ++tail) {
          CHECK(tile_equals_chain<T, rows, vectors>(k, tail, ta, accumulate));
          CHECK(tile_equals_chain<T, 1, vectors>(k, tail, ta, accumulate));
          CHECK(tile_equals_chain<T, rows, 1>(k, tail, ta, accumulate));
          CHECK(tile_equals_chain<T, 3, 2>(k, tail, ta, accumulate));
        }
}

TEMPLATE_TEST_CASE("a tile's registers fit the register file", "[kernels]", float, double) {
  using Tile = Blocks<TestType, heed::default_arch>;
  CHECK(Tile::rows * Tile::vectors + Tile::vectors + 1 <= heed::simd_detail::registers<heed::default_arch>);
}
