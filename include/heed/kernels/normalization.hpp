#pragma once
// Layer normalisation (Ba, Kiros, Hinton 2016) and RMS normalisation (Zhang, Sennrich 2019) of one row, and backward.
//
//   layer: y = (x - mean) / sqrt(variance + epsilon) * weight + bias        (variance over size, not size - 1)
//   rms:   y = x / sqrt(mean(x^2) + epsilon) * weight
//
// Mean first, then the sum of squared distances (no cancellation), each in T and in a fixed order that depends on the
// row's size alone. Rows are independent: a batch is a loop over rows. weight and bias (size) may be null for 1 and 0.

#include <cmath>

#include <heed/kernels/registers.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// What backward needs of a normalised row besides x.
template <Real T>
struct RowMoments {
  T mean;
  T inverse_deviation;  ///< 1 / sqrt(variance + epsilon)
};

namespace normalization_detail {

/// The elements of a weight or bias that may be absent.
template <class T, class Part>
auto load_or(const Part& part, const T* x, Index j, T otherwise) {
  return x ? part.load(x + j) : decltype(part.load(x))(otherwise);
}

/// sum_j (x_j - shift)^2.
template <class T, class Arch>
T squared_distance(const T* x, T shift, Index size) {
  TurnSum<T, Arch> squares;
  for_each_register<T, Arch>(size, [&](Index j, auto part, int turn) {
    const Batch<T, Arch> distance = part.inside(part.load(x + j) - Batch<T, Arch>(shift));
    squares.add_product(turn, distance, distance);
  });
  return squares.total();
}

}  // namespace normalization_detail

/// x (size) -> y (size); size >= 1. y may be x. Returns what layer_norm_backward_row needs.
template <Real T, class Arch = default_arch>
RowMoments<T> layer_norm_row(const T* x, const T* weight, const T* bias, T epsilon, T* y, Index size) {
  using namespace normalization_detail;
  using B = Batch<T, Arch>;
  assert(size > 0);
  const T count = static_cast<T>(size);
  const T mean = sum<T, Arch>(x, size) / count;
  const T variance = squared_distance<T, Arch>(x, mean, size) / count;
  const T inverse = T(1) / std::sqrt(variance + epsilon);
  map_registers<T, Arch>(size, [&](Index j, auto part) {
    const B normal = (part.load(x + j) - B(mean)) * B(inverse);
    part.store(y + j, fma(normal, load_or(part, weight, j, T(1)), load_or(part, bias, j, T(0))));
  });
  return {mean, inverse};
}

/// x and d_y (size) and the forward's moments -> d_x (size), written; d_weight (size) and d_bias (size) are added to
/// and may be null. d_x may be d_y. With g = d_y * weight and n = (x - mean) / deviation:
/// d_x = (g - mean(g) - n mean(g n)) / deviation.
template <Real T, class Arch = default_arch>
void layer_norm_backward_row(const T* x, const T* weight, RowMoments<T> moments, const T* d_y, T* d_x, T* d_weight,
                             T* d_bias, Index size) {
  using namespace normalization_detail;
  using B = Batch<T, Arch>;
  assert(size > 0);
  const B mean(moments.mean), inverse(moments.inverse_deviation);
  TurnSum<T, Arch> sum_g, sum_g_normal;
  for_each_register<T, Arch>(
      size, [&](Index j, auto part, int turn) __attribute__((always_inline)) {
        const B d = part.load(d_y + j), w = load_or(part, weight, j, T(1));
        const B normal = part.inside((part.load(x + j) - mean) * inverse);
        sum_g.add_product(turn, d, w);
        sum_g_normal.add_product(turn, d * w, normal);
        if (d_weight) part.store(d_weight + j, fma(d, normal, part.load(d_weight + j)));
        if (d_bias) part.store(d_bias + j, d + part.load(d_bias + j));
      });
  const T count = static_cast<T>(size);
  const B minus_mean_g(-sum_g.total() / count), mean_g_normal(sum_g_normal.total() / count);
  map_registers<T, Arch>(size, [&](Index j, auto part) {
    const B normal = (part.load(x + j) - mean) * inverse;
    const B centred = fma(part.load(d_y + j), load_or(part, weight, j, T(1)), minus_mean_g);
    part.store(d_x + j, fnma(normal, mean_g_normal, centred) * inverse);
  });
}

/// x (size) -> y (size); size >= 1. y may be x. Returns 1 / sqrt(mean(x^2) + epsilon), which backward needs.
template <Real T, class Arch = default_arch>
T rms_norm_row(const T* x, const T* weight, T epsilon, T* y, Index size) {
  using namespace normalization_detail;
  assert(size > 0);
  const T mean_square = squared_distance<T, Arch>(x, T(0), size) / static_cast<T>(size);
  const T factor = T(1) / std::sqrt(mean_square + epsilon);
  map_registers<T, Arch>(size, [&](Index j, auto part) {
    part.store(y + j, part.load(x + j) * Batch<T, Arch>(factor) * load_or(part, weight, j, T(1)));
  });
  return factor;
}

/// x and d_y (size) and the forward's factor -> d_x (size), written; d_weight (size) is added to and may be null. d_x
/// may be d_y. With g = d_y * weight and n = x * factor: d_x = (g - n mean(g n)) * factor.
template <Real T, class Arch = default_arch>
void rms_norm_backward_row(const T* x, const T* weight, T factor, const T* d_y, T* d_x, T* d_weight, Index size) {
  using namespace normalization_detail;
  using B = Batch<T, Arch>;
  assert(size > 0);
  TurnSum<T, Arch> sum_g_normal;
  for_each_register<T, Arch>(size, [&](Index j, auto part, int turn) {
    const B d = part.load(d_y + j), normal = part.load(x + j) * B(factor);
    sum_g_normal.add_product(turn, d * load_or(part, weight, j, T(1)), normal);
    if (d_weight) part.store(d_weight + j, fma(d, normal, part.load(d_weight + j)));
  });
  const B mean_g_normal(sum_g_normal.total() / static_cast<T>(size));
  map_registers<T, Arch>(size, [&](Index j, auto part) {
    const B normal = part.load(x + j) * B(factor);
    const B g = part.load(d_y + j) * load_or(part, weight, j, T(1));
    part.store(d_x + j, fnma(normal, mean_g_normal, g) * B(factor));
  });
}

}  // namespace heed::inline HEED_ABI
