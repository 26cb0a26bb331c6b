#include <heed/simd/row.hpp>

#include "plane.hpp"

void scale_rows_avx512(Plane plane, float factor) {
  const heed::MatrixView<float> view(plane.data, plane.rows, plane.cols, plane.stride);
  for (heed::Index i = 0; i < view.rows; ++i) heed::scale_row(view.row(i), view.cols, factor);
}

double sum_avx512(Plane plane) {
  const heed::MatrixView<const float> view(plane.data, plane.rows, plane.cols, plane.stride);
  double total = 0;
  for (heed::Index i = 0; i < view.rows; ++i) total += double(heed::sum(view.row(i), view.cols));
  return total;
}
