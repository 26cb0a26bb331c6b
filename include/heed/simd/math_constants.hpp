#pragma once
// Bit layouts and coefficients of simd/math.hpp. The polynomials are our own minimax fits: Remez exchange in 60 digits,
// weighted as each comment says; the largest weighted error is in brackets.

#include <array>
#include <cstdint>

#include <heed/core/numeric.hpp>

namespace heed::inline HEED_ABI {

namespace simd_detail {

/// What differs between float and double: bit layout and coefficients.
template <class T>
struct MathConstants;

template <>
struct MathConstants<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr float bias = 127.f;
  static constexpr float round_magic = 12582912.f;  // 1.5 * 2^23: adding it leaves an integer in the low bits
  static constexpr float exp_lowest = -104.f;       // exp of it rounds to 0
  static constexpr float exp_highest = 89.f;        // exp of it overflows
  static constexpr float tanh_shift = 0.1f, tanh_saturates = 10.f;  // tanh of the last rounds to 1
  static constexpr float ln2_high = 0.693359375f;                   // n * ln2_high is exact
  static constexpr float ln2_low = -2.12194440e-4f;                 // ln 2 - ln2_high
  static constexpr float subnormal_scale = 33554432.f;              // 2^25
  static constexpr float subnormal_shift = 25.f;
  static constexpr float erf_split = 0.92f, erf_saturates = 4.f;
  // (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2, relative to e^r (2^-28.3)
  static constexpr std::array<float, 5> exp = {0.499999934f, 0.166665204f, 0.0416683906f, 0.00836874531f,
                                               0.00138145516f};
  // ((exp(2 r) - 1) / 2 - r - r^2) / r^3 where r - 0.1 is up to ln 2 / 4 large, relative to (exp(2 r) - 1) / 2, below
  // 0 to 1/4 (2^-32.0)
  static constexpr std::array<float, 5> tanh = {0.666666389f, 0.333335429f, 0.133376524f, 0.0438385643f, 0.0152015975f};
  // (2 atanh(s) - 2 s) / s^3 in s^2 (2^-30.2)
  static constexpr std::array<float, 3> log = {0.666667767f, 0.399774956f, 0.298730739f};
  // erf(x) / x - 1 in x^2 (2^-31.3); exp(x^2) erfc(x) in (x - 2) / (x + 2), relative to exp(x^2) (2^-32.8)
  static constexpr std::array<float, 7> erf = {0.128379167f,   -0.376126343f,    0.112837033f,   -0.0268597986f,
                                               0.00520196034f, -0.000815262901f, 8.40992456e-05f};
  static constexpr std::array<float, 6> erfc = {0.255395682f,   -0.427185857f,  0.241655584f,
                                                -0.0790037701f, 0.00367065586f, 0.00714287076f};
};

template <>
struct MathConstants<double> {
  using Bits = std::uint64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr double bias = 1023.;
  static constexpr double round_magic = 6755399441055744.;  // 1.5 * 2^52
  static constexpr double exp_lowest = -746.;
  static constexpr double exp_highest = 710.;
  static constexpr double tanh_shift = 0.1, tanh_saturates = 20.;
  static constexpr double ln2_high = 0x1.62e42feep-1;  // 33 bits: n * ln2_high is exact
  static constexpr double ln2_low = 0x1.a39ef35793c76p-33;
  static constexpr double subnormal_scale = 18014398509481984.;  // 2^54
  static constexpr double subnormal_shift = 54.;
  static constexpr double erf_split = 0.99, erf_saturates = 6.;
  static constexpr std::array<double, 11> exp = {0.5,
                                                 0.16666666666666682,
                                                 0.041666666666666095,
                                                 0.0083333333333169817,
                                                 0.0013888888889116351,
                                                 0.00019841269896515699,
                                                 2.4801586925737804e-05,
                                                 2.75572347272697e-06,
                                                 2.7557582265051931e-07,
                                                 2.5112084689970408e-08,
                                                 2.0826587870129446e-09};
  // 2^-62.1
  static constexpr std::array<double, 10> tanh = {0.6666666666666663,    0.33333333333335635,    0.13333333333324784,
                                                  0.04444444443584919,   0.012698412813737287,   0.003174603352790417,
                                                  0.0007054537274181723, 0.00014121024182258318, 2.518922055748227e-05,
                                                  5.179115080093394e-06};
  static constexpr std::array<double, 7> log = {0.66666666666667351, 0.39999999999411079, 0.28571428743266031,
                                                0.22222198475682856, 0.18183569753348161, 0.15313902953024489,
                                                0.14797510179747114};
  static constexpr std::array<double, 13> erf = {
      0.12837916709551259,    -0.37612638903183748,    0.11283791670954885,    -0.026866170645077871,
      0.0052239776248283985,  -0.00085483269814241338, 0.0001205533113291957,  -1.4925595771640748e-05,
      1.6461008473901569e-06, -1.6350396226460748e-07, 1.4660329014757929e-08, -1.1374957778836955e-09,
      5.9606901559648601e-11};
  static constexpr std::array<double, 13> erfc = {
      0.25539567631050575,    -0.42718584741395665,   0.24165819424246499,     -0.078978581016534849,
      0.0037328923984064127,  0.0069974617976409038,  -0.00084714252497564916, -0.00098197671597791397,
      4.353353953965705e-05,  0.00017428485940841892, 2.7644866152810616e-05,  -2.653279793295688e-05,
      -1.2568675606029384e-05};
};

}  // namespace simd_detail

}  // namespace heed::inline HEED_ABI
