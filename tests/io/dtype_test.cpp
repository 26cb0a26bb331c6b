#include <heed/io/dtype.hpp>

#include <cmath>

#include "support/catch.hpp"

using heed::DType;

TEST_CASE("every dtype finds itself by its name, and the table is in the enum's order", "[io]") {
  for (std::size_t i = 0; i < heed::dtype_table.size(); ++i) {
    const heed::DTypeInfo& info = heed::dtype_table[i];
    CHECK(static_cast<std::size_t>(info.dtype) == i);
    CHECK(heed::dtype_from_name(info.name) == info.dtype);
  }
  CHECK(!heed::dtype_from_name("F33"));
  CHECK(!heed::dtype_from_name(""));
}

TEST_CASE("C++ types have their dtypes", "[io]") {
  CHECK(heed::dtype_of<float> == DType::f32);
  CHECK(heed::dtype_of<double> == DType::f64);
  CHECK(heed::dtype_of<bool> == DType::boolean);
  CHECK(heed::dtype_of<std::int64_t> == DType::i64);
  CHECK(heed::dtype_of<heed::Index> == DType::i64);
  CHECK(heed::dtype_of<std::uint16_t> == DType::u16);
  CHECK(heed::dtype_of<signed char> == DType::i8);
}

TEST_CASE("all 65536 halves agree with their definition", "[io]") {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const int exponent = static_cast<int>(bits >> 10) & 31;
    const double fraction = bits & 1023, sign = (bits & 0x8000) != 0 ? -1 : 1;
    const float got = heed::float_from_half(static_cast<std::uint16_t>(bits));
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) {
      CHECK((fraction == 0 ? std::isinf(got) && (got > 0) == (sign > 0) : std::isnan(got)));
    } else if (static_cast<double>(got) != sign * magnitude || std::signbit(got) != (sign < 0)) {
      CHECK(bits == 65536);
    }
  }
}

TEST_CASE("bfloat16 is the upper half of a float", "[io]") {
  CHECK(heed::float_from_bfloat16(0x3F80) == 1.0F);
  CHECK(heed::float_from_bfloat16(0xC049) == -3.140625F);
  CHECK(std::isnan(heed::float_from_bfloat16(0x7FC0)));
}

TEST_CASE("every half and bfloat16 is its own nearest, and between two neighbours the even one wins a tie", "[io]") {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float of_half = heed::float_from_half(half), of_bfloat16 = heed::float_from_bfloat16(half);
    if (!std::isnan(of_half) && heed::half_from_float(of_half) != half) CHECK(bits == 65536);
    if (!std::isnan(of_bfloat16) && heed::bfloat16_from_float(of_bfloat16) != half) CHECK(bits == 65536);
    const auto next = static_cast<std::uint16_t>(bits + 1);
    const double middle = (double(of_half) + double(heed::float_from_half(next))) / 2;
    if (!std::isfinite(middle) || (bits & 0x7FFF) == 0x7FFF) continue;
    const auto even = (bits & 1) == 0 ? half : next;
    const float tie = static_cast<float>(middle);
    if (heed::half_from_float(tie) != even) CHECK(bits == 65536);
    if (heed::half_from_float(std::nextafter(tie, std::copysign(1e9F, of_half))) != next) CHECK(bits == 65536);
  }
}

TEST_CASE("what no 16-bit number holds becomes infinite, NaN stays NaN", "[io]") {
  CHECK(heed::half_from_float(65504.0F) == 0x7BFF);
  CHECK(heed::half_from_float(65519.9F) == 0x7BFF);
  CHECK(heed::half_from_float(65520.0F) == 0x7C00);
  CHECK(heed::half_from_float(-1e30F) == 0xFC00);
  CHECK(heed::half_from_float(-1e-30F) == 0x8000);
  CHECK(heed::bfloat16_from_float(3.4e38F) == 0x7F80);
  CHECK(heed::bfloat16_from_float(-3.140625F) == 0xC049);
  CHECK(std::isnan(heed::float_from_half(heed::half_from_float(std::nanf("")))));
  CHECK(std::isnan(heed::float_from_bfloat16(heed::bfloat16_from_float(std::nanf("")))));
}
