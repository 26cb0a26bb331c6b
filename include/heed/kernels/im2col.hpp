#pragma once
// Convolutions as matrix products: the inputs under a kernel, one column per output position, and the way back.
//   K. Chellapilla, S. Puri, P. Simard, "High Performance Convolutional Neural Networks for Document Processing", 2006.
// Positions run over output rows, then columns; a column's rows over channels, kernel rows, kernel columns, the order
// of a weight (out, channels, kernel height, kernel width). A convolution over one axis has height 1.

#include <algorithm>

#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// One axis of a convolution or a pooling: output o reads inputs o * stride - padding + k * dilation, k < kernel.
struct WindowAxis {
  Index input = 1, output = 1;  // extents
  Index kernel = 1, stride = 1, dilation = 1;
  Index padding = 0;  // positions in front of the first input

  /// The input that output o sees through place k of the kernel; outside [0, input) it is padding.
  Index source(Index o, Index k) const { return o * stride - padding + k * dilation; }

  /// Outputs [first, end) that see an input, not padding, through place k.
  struct Span {
    Index first, end;
  };
  Span inside(Index k) const {
    const Index lead = padding - k * dilation;  // source(o, k) = o * stride - lead
    const Index first = lead <= 0 ? 0 : (lead + stride - 1) / stride;
    const Index end = lead + input <= 0 ? 0 : (lead + input - 1) / stride + 1;
    return {std::min(first, output), std::clamp(end, std::min(first, output), output)};
  }
};

/// What a window slides over: one sample's (channels, height.input, width.input), contiguous.
struct WindowShape {
  Index channels = 1;
  WindowAxis height, width;

  Index rows() const { return channels * height.kernel * width.kernel; }  // of a column
  Index positions() const { return height.output * width.output; }
  Index input_size() const { return channels * height.input * width.input; }
};

namespace im2col_detail {

/// Calls body(row, input row or -1 for padding, k, first position of the part, output columns [begin, end)) for every
/// part of positions [first, first + count) that lies in one output row.
template <class Body>
void for_each_part(const WindowShape& shape, Index row, Index first, Index count, const Body& body) {
  const Index taps = shape.height.kernel * shape.width.kernel;
  const Index channel = row / taps, kh = row % taps / shape.width.kernel;
  for (Index p = first; p < first + count;) {
    const Index oh = p / shape.width.output, begin = p % shape.width.output;
    const Index end = std::min(shape.width.output, begin + first + count - p);
    const Index ih = shape.height.source(oh, kh);
    const bool seen = ih >= 0 && ih < shape.height.input;
    body(seen ? (channel * shape.height.input + ih) * shape.width.input : Index{-1}, p - first, begin, end);
    p += end - begin;
  }
}

}  // namespace im2col_detail

/// x -> columns (shape.rows(), count) of positions [first, first + count): rows [first_row, first_row + row_count) of
/// them. Padding is 0.
template <class T>
void im2col(const WindowShape& shape, const T* x, Index first, const MatrixView<T>& columns, Index first_row,
            Index row_count) {
  for (Index row = first_row; row < first_row + row_count; ++row) {
    T* const to = columns.row(row);
    const Index kw = row % shape.width.kernel;
    const WindowAxis::Span inside = shape.width.inside(kw);
    im2col_detail::for_each_part(shape, row, first, columns.cols, [&](Index from, Index place, Index begin, Index end) {
      const Index low = from < 0 ? end : std::clamp(inside.first, begin, end);
      const Index high = std::clamp(inside.end, low, end);
      T* const part = to + place - begin;
      std::fill(part + begin, part + low, T(0));
      if (from >= 0 && shape.width.stride == 1) {
        const T* const line = x + from + shape.width.source(low, kw);
        std::copy(line, line + (high - low), part + low);
      } else {
        for (Index o = low; o < high; ++o) part[o] = x[from + shape.width.source(o, kw)];
      }
      std::fill(part + high, part + end, T(0));
    });
  }
}

/// The gradient of im2col: adds columns (shape.rows(), count) of positions [first, first + count) to d_x, row by row.
template <class T>
void col2im(const WindowShape& shape, const MatrixView<const T>& columns, Index first, T* d_x) {
  for (Index row = 0; row < columns.rows; ++row) {
    const T* const from = columns.row(row);
    const Index kw = row % shape.width.kernel;
    const WindowAxis::Span inside = shape.width.inside(kw);
    im2col_detail::for_each_part(shape, row, first, columns.cols, [&](Index to, Index place, Index begin, Index end) {
      if (to < 0) return;
      const Index low = std::clamp(inside.first, begin, end), high = std::clamp(inside.end, low, end);
      for (Index o = low; o < high; ++o) d_x[to + shape.width.source(o, kw)] += from[place + o - begin];
    });
  }
}

}  // namespace heed::inline HEED_ABI
