#pragma once
// Reading columns of a row-major matrix as registers. A register is filled from 16-byte pieces of as many rows as it
// has lanes, so only the shuffles inside 16 bytes are left: two per register for float, one for double.

#include <heed/simd/batch.hpp>

namespace heed::inline HEED_ABI {

/// Columns that load_columns reads at once: what fits 16 bytes.
template <class T>
inline constexpr Index column_group = 16 / static_cast<Index>(sizeof(T));

namespace simd_detail {

/// Where the 16-byte pieces of a register come from: every group-th row.
template <class T, class Arch>
struct PieceRows {
  static constexpr Index count = lanes<T, Arch> / column_group<T>;
  const T* row[count];
  PieceRows(const T* p, Index stride) {
    row[0] = p;
    for (Index i = 1; i < count; ++i) {
      row[i] = row[i - 1] + column_group<T> * stride;
      keep_in_register(row[i]);  // or gcc keeps the offsets of all rows, for which there are no registers
    }
  }
};

// One register: the pieces at row[i] + offset.
template <class T, class Arch>
inline Batch<T, Arch> load_pieces(const PieceRows<T, Arch>& rows, Index offset) {
  if constexpr (PieceRows<T, Arch>::count == 1) return heed::load<T, Arch>(rows.row[0] + offset);
#if defined(__AVX512F__)
  if constexpr (avx512<Arch>) {
    const auto piece = [&](Index i) { return _mm_loadu_ps(reinterpret_cast<const float*>(rows.row[i] + offset)); };
    __m512 x = _mm512_castps128_ps512(piece(0));
    x = _mm512_mask_broadcast_f32x4(x, 0x00f0, piece(1));
    x = _mm512_mask_broadcast_f32x4(x, 0x0f00, piece(2));
    x = _mm512_mask_broadcast_f32x4(x, 0xf000, piece(3));
    if constexpr (std::same_as<T, float>)
      return x;
    else
      return _mm512_castps_pd(x);
  }
#endif
#if defined(__AVX2__)
  if constexpr (avx2<Arch> && std::same_as<T, float>)
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(rows.row[0] + offset)),
                                _mm_loadu_ps(rows.row[1] + offset), 1);
  if constexpr (avx2<Arch> && std::same_as<T, double>)
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(rows.row[0] + offset)),
                                _mm_loadu_pd(rows.row[1] + offset), 1);
#endif
}

// Interleaves inside every 16 bytes: the lower or upper halves of a and b. (Full masks: gcc 12 warns of the undefined
// operand that its header gives the unmasked forms.)
template <class T, class Arch>
inline Batch<T, Arch> zip_low(const Batch<T, Arch>& a, const Batch<T, Arch>& b) {
#if defined(__AVX512F__)
  if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_unpacklo_ps(0xffff, a, b);
  if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_unpacklo_pd(0xff, a, b);
#endif
#if defined(__AVX2__)
  if constexpr (avx2<Arch> && std::same_as<T, float>) return _mm256_unpacklo_ps(a, b);
  if constexpr (avx2<Arch> && std::same_as<T, double>) return _mm256_unpacklo_pd(a, b);
#endif
  return xsimd::zip_lo(a, b);
}
template <class T, class Arch>
inline Batch<T, Arch> zip_high(const Batch<T, Arch>& a, const Batch<T, Arch>& b) {
#if defined(__AVX512F__)
  if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_unpackhi_ps(0xffff, a, b);
  if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_unpackhi_pd(0xff, a, b);
#endif
#if defined(__AVX2__)
  if constexpr (avx2<Arch> && std::same_as<T, float>) return _mm256_unpackhi_ps(a, b);
  if constexpr (avx2<Arch> && std::same_as<T, double>) return _mm256_unpackhi_pd(a, b);
#endif
  return xsimd::zip_hi(a, b);
}

template <class T, class Arch>
inline constexpr bool shuffles = avx512<Arch> || avx2<Arch> || lanes<T, Arch> == column_group<T>;

}  // namespace simd_detail

/// Columns 0 to column_group<T> - 1 of the lanes<T, Arch> rows p, p + stride, p + 2 stride, ...: lane i of out[j] is
/// p[i * stride + j].
template <Real T, class Arch = default_arch>
inline void load_columns(const T* p, Index stride, Batch<T, Arch> (&out)[column_group<T>]) {
  using namespace simd_detail;
  constexpr Index width = lanes<T, Arch>, group = column_group<T>;
  if constexpr (!shuffles<T, Arch>) {
    alignas(64) T buffer[width];
    for (Index j = 0; j < group; ++j) {
      for (Index i = 0; i < width; ++i) buffer[i] = p[i * stride + j];
      out[j] = heed::load<T, Arch>(buffer);
    }
  } else if constexpr (group == 2) {
    const PieceRows<T, Arch> rows(p, stride);
    const auto even = load_pieces(rows, 0), odd = load_pieces(rows, stride);
    out[0] = zip_low(even, odd), out[1] = zip_high(even, odd);
  } else {
    // rows 0 2 and 1 3 of every 16 bytes, then their results, are interleaved
    const PieceRows<T, Arch> rows(p, stride);
    const auto r0 = load_pieces(rows, 0), r1 = load_pieces(rows, stride);
    const auto r2 = load_pieces(rows, 2 * stride), r3 = load_pieces(rows, 3 * stride);
    const auto low02 = zip_low(r0, r2), low13 = zip_low(r1, r3), high02 = zip_high(r0, r2), high13 = zip_high(r1, r3);
    out[0] = zip_low(low02, low13), out[1] = zip_high(low02, low13);
    out[2] = zip_low(high02, high13), out[3] = zip_high(high02, high13);
  }
}

/// The matrix whose rows are these lanes<T, Arch> registers becomes its transpose.
template <Real T, class Arch>
inline void transpose(Batch<T, Arch>* rows) {
  constexpr Index width = lanes<T, Arch>, group = column_group<T>;
  alignas(64) T block[width * width];
  for (Index i = 0; i < width; ++i) heed::store(block + i * width, rows[i]);
  for (Index j = 0; j < width; j += group) {
    Batch<T, Arch> columns[group];
    load_columns<T, Arch>(block + j, width, columns);
    for (Index q = 0; q < group; ++q) rows[j + q] = columns[q];
  }
}

}  // namespace heed::inline HEED_ABI
