#pragma once
// What crosses from a file of one instruction set to a file of another: the fields of a view. The View types themselves
// differ by file, as all of heed does, so that a tensor passed by mistake does not link.

#include <cstddef>

struct Plane {
  float* data;
  std::ptrdiff_t rows, cols, stride;
};

void scale_rows_avx2(Plane plane, float factor);
double sum_avx2(Plane plane);
void scale_rows_avx512(Plane plane, float factor);
double sum_avx512(Plane plane);
