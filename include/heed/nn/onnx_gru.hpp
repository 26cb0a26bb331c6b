#pragma once
// ONNX's GRU weights as a GruCell (SEMANTICS 23): gates lie in the order z, r, h there, r, z, n here.
//   https://onnx.ai/onnx/operators/onnx__GRU.html

#include <algorithm>
#include <span>

#include <heed/core/check.hpp>
#include <heed/core/view.hpp>
#include <heed/nn/gru_cell.hpp>

namespace heed::inline HEED_ABI {

/// One direction of the operator: W (3 hidden, input), R (3 hidden, hidden), B (6 hidden: of W, then of R) or none.
template <class T>
struct OnnxGruWeights {
  MatrixView<const T> w, r;
  std::span<const T> b = {};
  GruReset reset = GruReset::before;  // after where linear_before_reset is not 0
};

/// Throws heed::Error for sizes that do not fit each other.
template <class T>
GruCell<T> gru_cell_from_onnx(const OnnxGruWeights<T>& from) {
  const char* const function = "gru_cell_from_onnx";
  const Index hidden = from.r.cols, gates = 3 * hidden;
  check_shape(function, "w", Extents<2>{from.w.rows, from.w.cols}, Extents<2>{gates, -1});
  check_shape(function, "r", Extents<2>{from.r.rows, from.r.cols}, Extents<2>{gates, hidden});
  if (!from.b.empty()) check_extent(function, "b", "size", static_cast<Index>(from.b.size()), 2 * gates);
  const auto place = [hidden](Index row) {
    return row < hidden ? row + hidden : row < 2 * hidden ? row - hidden : row;
  };
  GruCell<T> cell;
  cell.reset = from.reset;
  cell.weight_ih.resize(gates, from.w.cols);
  cell.weight_hh.resize(gates, hidden);
  cell.bias_ih.resize(from.b.empty() ? 0 : gates);
  cell.bias_hh.resize(from.b.empty() ? 0 : gates);
  for (Index row = 0; row < gates; ++row) {
    std::copy_n(from.w.row(row), from.w.cols, &cell.weight_ih(place(row), 0));
    std::copy_n(from.r.row(row), hidden, &cell.weight_hh(place(row), 0));
    if (from.b.empty()) continue;
    cell.bias_ih(place(row)) = from.b[static_cast<std::size_t>(row)];
    cell.bias_hh(place(row)) = from.b[static_cast<std::size_t>(gates + row)];
  }
  return cell;
}

}  // namespace heed::inline HEED_ABI
