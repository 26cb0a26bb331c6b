#pragma once
// The element types that a safetensors file may hold, and how heed reads each of them.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// Element types of safetensors 0.8. heed loads those up to `boolean`; the rest can be listed, not loaded.
enum class DType {
  f64,
  f32,
  f16,
  bf16,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  f6_e2m3,
  f6_e3m2,
  f4,
  c64,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;  // as the file spells it
  Index bits;
};

inline constexpr std::array<DTypeInfo, 22> dtype_table{{
    {DType::f64, "F64", 64},
    {DType::f32, "F32", 32},
    {DType::f16, "F16", 16},
    {DType::bf16, "BF16", 16},
    {DType::i64, "I64", 64},
    {DType::i32, "I32", 32},
    {DType::i16, "I16", 16},
    {DType::i8, "I8", 8},
    {DType::u64, "U64", 64},
    {DType::u32, "U32", 32},
    {DType::u16, "U16", 16},
    {DType::u8, "U8", 8},
    {DType::boolean, "BOOL", 8},
    {DType::f8_e4m3, "F8_E4M3", 8},
    {DType::f8_e5m2, "F8_E5M2", 8},
    {DType::f8_e8m0, "F8_E8M0", 8},
    {DType::f8_e4m3fnuz, "F8_E4M3FNUZ", 8},
    {DType::f8_e5m2fnuz, "F8_E5M2FNUZ", 8},
    {DType::f6_e2m3, "F6_E2M3", 6},
    {DType::f6_e3m2, "F6_E3M2", 6},
    {DType::f4, "F4", 4},
    {DType::c64, "C64", 64},
}};

constexpr const DTypeInfo& dtype_info(DType dtype) { return dtype_table[static_cast<std::size_t>(dtype)]; }

constexpr std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& info : dtype_table) {
    if (info.name == name) return info.dtype;
  }
  return std::nullopt;
}

/// Whether heed has a type to load these elements into.
constexpr bool is_loadable(DType dtype) { return dtype <= DType::boolean; }

constexpr bool is_floating(DType dtype) { return dtype <= DType::bf16; }

/// The dtype that a C++ element type is written as.
template <class T>
inline constexpr DType dtype_of = [] {
  if constexpr (std::is_same_v<T, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<T, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<T, bool>)
    return DType::boolean;
  else {
    static_assert(std::is_integral_v<T>, "safetensors: no dtype for this element type");
    constexpr bool is_signed = std::is_signed_v<T>;
    switch (sizeof(T)) {
      case 8:
        return is_signed ? DType::i64 : DType::u64;
      case 4:
        return is_signed ? DType::i32 : DType::u32;
      case 2:
        return is_signed ? DType::i16 : DType::u16;
      default:
        return is_signed ? DType::i8 : DType::u8;
    }
  }
}();

/// IEEE 754 half precision, exactly, subnormals, infinities and NaN included.
inline float float_from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU, fraction = half & 0x3FFU;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24 is exact in float
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign == 0 ? magnitude : -magnitude;
  }
  const std::uint32_t rebased = exponent == 0x1F ? 0xFFU : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (rebased << 23) | (fraction << 13));
}

/// bfloat16 is the upper half of a float.
inline float float_from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// The nearest half, ties to even; beyond the largest one infinity, NaN stays NaN.
inline std::uint16_t half_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (magnitude >= 0x47800000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // 65536 and more
  if (magnitude < 0x38800000U) {  // below 2^-14, the smallest normal half: adding 1/2 rounds to units of 2^-24
    const float unit = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(unit) - 0x3F000000U));
  }
  const std::uint32_t rounded = magnitude + 0xFFFU + (magnitude >> 13 & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

/// The nearest bfloat16, ties to even; NaN stays NaN.
inline std::uint16_t bfloat16_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

namespace detail {

template <class Raw>
Raw read_raw(const std::byte* at) {
  Raw raw;
  std::memcpy(&raw, at, sizeof raw);
  return raw;
}

}  // namespace detail

/// Calls f(element) with element number `i` of a packed array at `data`, as float, double, bool or an integer.
/// Elements are copied, never read through a cast pointer: file offsets need not be aligned. Not for types that
/// is_loadable refuses.
template <class F>
auto with_element(DType dtype, const std::byte* data, Index i, F&& f) {
  const std::byte* at = data + i * (dtype_info(dtype).bits / 8);
  switch (dtype) {
    case DType::f64:
      return f(detail::read_raw<double>(at));
    case DType::f32:
      return f(detail::read_raw<float>(at));
    case DType::f16:
      return f(float_from_half(detail::read_raw<std::uint16_t>(at)));
    case DType::bf16:
      return f(float_from_bfloat16(detail::read_raw<std::uint16_t>(at)));
    case DType::i64:
      return f(detail::read_raw<std::int64_t>(at));
    case DType::i32:
      return f(detail::read_raw<std::int32_t>(at));
    case DType::i16:
      return f(detail::read_raw<std::int16_t>(at));
    case DType::i8:
      return f(detail::read_raw<std::int8_t>(at));
    case DType::u64:
      return f(detail::read_raw<std::uint64_t>(at));
    case DType::u32:
      return f(detail::read_raw<std::uint32_t>(at));
    case DType::u16:
      return f(detail::read_raw<std::uint16_t>(at));
    case DType::u8:
      return f(detail::read_raw<std::uint8_t>(at));
    default:
      return f(detail::read_raw<std::uint8_t>(at) != 0);
  }
}

}  // namespace heed::inline HEED_ABI
