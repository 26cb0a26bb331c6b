// Passes one strided view to code built for AVX2 and for AVX-512 in turn, itself built for the baseline.

#include <cstdio>
#include <vector>

#include <heed/simd/row.hpp>

#include "plane.hpp"

int main() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq")) {
    std::printf("skipped: this CPU has no AVX-512BW/DQ\n");
    return 77;
  }
  constexpr std::ptrdiff_t rows = 5, cols = 37, stride = 41;
  std::vector<float> numbers(rows * stride, -1.0f);  // the gap between rows must stay as it is
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    for (std::ptrdiff_t j = 0; j < cols; ++j) numbers[std::size_t(i * stride + j)] = float(j % 4);
  const Plane plane{numbers.data(), rows, cols, stride};
  double before = 0;  // small whole numbers: every order of summation gives the same
  for (std::ptrdiff_t i = 0; i < rows; ++i) before += double(heed::sum(plane.data + i * stride, cols));

  scale_rows_avx2(plane, 2);
  scale_rows_avx512(plane, 4);
  const bool right = before == 270 && sum_avx512(plane) == 8 * before && sum_avx2(plane) == 8 * before;
  bool gap = true;
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    for (std::ptrdiff_t j = cols; j < stride; ++j) gap = gap && numbers[std::size_t(i * stride + j)] == -1.0f;
  std::printf("sum %g, avx2 %g, avx512 %g, gap %s\n", before, sum_avx2(plane), sum_avx512(plane),
              gap ? "kept" : "broken");
  return right && gap ? 0 : 1;
}
