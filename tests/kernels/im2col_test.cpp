#include <heed/kernels/im2col.hpp>

#include <vector>

#include "support/catch.hpp"

using heed::Index;
using heed::MatrixView;
using heed::WindowAxis;
using heed::WindowShape;

namespace {

/// The input under row `row` of position p: -1 for padding.
Index source(const WindowShape& s, Index row, Index p) {
  const Index taps = s.height.kernel * s.width.kernel;
  const Index i = s.height.source(p / s.width.output, row % taps / s.width.kernel);
  const Index j = s.width.source(p % s.width.output, row % s.width.kernel);
  if (i < 0 || i >= s.height.input || j < 0 || j >= s.width.input) return -1;
  return (row / taps * s.height.input + i) * s.width.input + j;
}

Index outputs(Index input, Index kernel, Index stride, Index dilation, Index padding) {
  return (input + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

}  // namespace

TEST_CASE("columns are the inputs under the kernel, whatever the block of positions", "[kernels]") {
  const Index stride = GENERATE(1, 2, 3), dilation = GENERATE(1, 2), padding = GENERATE(0, 1, 3);
  const WindowAxis height{7, outputs(7, 3, stride, dilation, padding), 3, stride, dilation, padding};
  const WindowAxis width{9, outputs(9, 2, stride, dilation, padding), 2, stride, dilation, padding};
  const WindowShape shape{2, height, width};
  std::vector<double> x(static_cast<std::size_t>(shape.input_size()));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = double(i) + 1;
  for (const Index block : {Index{1}, Index{4}, shape.positions()}) {
    std::vector<double> d_x(x.size(), 0.5), wanted_d(x.size(), 0.5);
    for (Index first = 0; first < shape.positions(); first += block) {
      const Index count = std::min(block, shape.positions() - first);
      std::vector<double> storage(static_cast<std::size_t>(shape.rows() * count), -7.0);
      const MatrixView<double> columns(storage.data(), shape.rows(), count);
      heed::im2col(shape, x.data(), first, columns, 0, 3);
      heed::im2col(shape, x.data(), first, columns, 3, shape.rows() - 3);
      bool same = true;
      for (Index row = 0; row < shape.rows(); ++row) {
        for (Index p = 0; p < count; ++p) {
          const Index from = source(shape, row, first + p);
          same = same && columns(row, p) == (from < 0 ? 0 : x[static_cast<std::size_t>(from)]);
          columns(row, p) = double(row + 3 * p);
          if (from >= 0) wanted_d[static_cast<std::size_t>(from)] += columns(row, p);
        }
      }
      CHECK(same);
      heed::col2im<double>(shape, columns, first, d_x.data());
    }
    CHECK(d_x == wanted_d);
  }
}
