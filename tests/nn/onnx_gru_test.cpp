#include <heed/nn/onnx_gru.hpp>

#include <vector>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"

using namespace heed;

TEST_CASE("ONNX's gates z, r, h land in the rows of r, z, n, and so do both halves of B", "[nn]") {
  const Index hidden = 2, input = 3;
  std::vector<double> w(18), r(12), b(12);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = double(i);
  for (std::size_t i = 0; i < r.size(); ++i) r[i] = 100 + double(i);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = 1000 + double(i);
  const auto cell =
      gru_cell_from_onnx<double>({.w = {w.data(), 3 * hidden, input}, .r = {r.data(), 3 * hidden, hidden}, .b = b});
  CHECK(cell.reset == GruReset::before);
  const std::vector<Index> rows{2, 3, 0, 1, 4, 5};  // of ONNX's, in heed's order
  for (Index row = 0; row < 6; ++row) {
    const Index from = rows[std::size_t(row)];
    for (Index i = 0; i < input; ++i) CHECK(cell.weight_ih(row, i) == double(from * input + i));
    for (Index i = 0; i < hidden; ++i) CHECK(cell.weight_hh(row, i) == 100 + double(from * hidden + i));
    CHECK(cell.bias_ih(row) == 1000 + double(from));
    CHECK(cell.bias_hh(row) == 1000 + double(6 + from));
  }
  const auto plain =
      gru_cell_from_onnx<double>({.w = {w.data(), 6, input}, .r = {r.data(), 6, hidden}, .reset = GruReset::after});
  CHECK(plain.reset == GruReset::after);
  CHECK(plain.bias_ih.size() == 0);
}

TEST_CASE("ONNX weights that do not fit are refused by name", "[nn]") {
  const std::vector<float> w(18), r(12), b(11);
  CHECK_THROWS_WITH(gru_cell_from_onnx<float>({.w = {w.data(), 5, 3}, .r = {r.data(), 6, 2}}),
                    "gru_cell_from_onnx: w has shape (5, 3), wanted (6, any)");
  CHECK_THROWS_WITH(gru_cell_from_onnx<float>({.w = {w.data(), 6, 3}, .r = {r.data(), 5, 2}}),
                    "gru_cell_from_onnx: r has shape (5, 2), wanted (6, 2)");
  CHECK_THROWS_WITH(gru_cell_from_onnx<float>({.w = {w.data(), 6, 3}, .r = {r.data(), 6, 2}, .b = b}),
                    "gru_cell_from_onnx: b has size 11, wanted 12");
}
