#pragma once
// exp, log, tanh, sigmoid and erf of a register, lane by lane; a scalar is one lane of the same code, so it has the same
// bits. Worst errors against the true value, in units in the last place (swept by tests/simd/math_test.cpp):
//
//             exp    tanh   sigmoid  log    erf
//   float     1.2    1.6    2.4      1.0    1.4
//   double    1.2    1.6    2.4      1.0    1.4
//
// NaN stays NaN, exp(-inf) is exactly 0, exp overflows to inf just where T does (88.72, 709.78), log(0) = -inf, log of
// less = NaN. Results below the smallest normal number are rounded to subnormal ones, once. Polynomials are our own
// minimax fits (Remez exchange in 60 digits), evaluated as one fma chain each; arguments are reduced as in W. J. Cody
// and W. Waite, Software Manual for the Elementary Functions, 1980.

#include <array>
#include <cstdint>
#include <limits>
#include <numbers>

#include <heed/simd/batch.hpp>

namespace heed::inline HEED_ABI {

namespace simd_detail {

/// c[0] + x c[1] + x^2 c[2] + ... by Horner's rule.
template <class T, class Arch, std::size_t N>
inline Batch<T, Arch> polynomial(const Batch<T, Arch>& x, const std::array<T, N>& c) {
  Batch<T, Arch> sum(c[N - 1]);
  for (std::size_t i = N - 1; i-- > 0;) sum = heed::fma(sum, x, Batch<T, Arch>(c[i]));
  return sum;
}

/// What differs between float and double: bit layout and coefficients.
template <class T>
struct MathConstants;

template <>
struct MathConstants<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr float bias = 127.f;
  static constexpr float round_magic = 12582912.f;    // 1.5 * 2^23: adding it leaves an integer in the low bits
  static constexpr float exp_lowest = -104.f;         // exp of it rounds to 0
  static constexpr float exp_highest = 89.f;          // exp of it overflows
  static constexpr float tanh_split = 0.55f, tanh_saturates = 10.f;  // tanh of the last rounds to 1
  static constexpr float ln2_high = 0.693359375f;     // n * ln2_high is exact
  static constexpr float ln2_low = -2.12194440e-4f;   // ln 2 - ln2_high
  static constexpr float subnormal_scale = 33554432.f;  // 2^25
  static constexpr float subnormal_shift = 25.f;
  static constexpr float erf_split = 0.92f, erf_saturates = 4.f;
  // (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2, relative to e^r (2^-28.3)
  static constexpr std::array<float, 5> exp = {0.499999934f, 0.166665204f, 0.0416683906f, 0.00836874531f,
                                               0.00138145516f};
  // (tanh(x) / x - 1) / x^2 in x^2 (2^-29.9)
  static constexpr std::array<float, 5> tanh = {-0.33333318f, 0.133326017f, -0.0538538569f, 0.0210777546f,
                                                -0.0062824685f};
  // (2 atanh(s) - 2 s) / s^3 in s^2 (2^-30.2)
  static constexpr std::array<float, 3> log = {0.666667767f, 0.399774956f, 0.298730739f};
  // erf(x) / x - 1 in x^2 (2^-31.3); exp(x^2) erfc(x) in (x - 2) / (x + 2), relative to exp(x^2) (2^-32.8)
  static constexpr std::array<float, 7> erf = {0.128379167f,   -0.376126343f,   0.112837033f,  -0.0268597986f,
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
  static constexpr double tanh_split = 0.55, tanh_saturates = 20.;
  static constexpr double ln2_high = 0x1.62e42feep-1;  // 33 bits: n * ln2_high is exact
  static constexpr double ln2_low = 0x1.a39ef35793c76p-33;
  static constexpr double subnormal_scale = 18014398509481984.;  // 2^54
  static constexpr double subnormal_shift = 54.;
  static constexpr double erf_split = 0.99, erf_saturates = 6.;
  static constexpr std::array<double, 11> exp = {
      0.5, 0.16666666666666682, 0.041666666666666095, 0.0083333333333169817, 0.0013888888889116351,
      0.00019841269896515699, 2.4801586925737804e-05, 2.75572347272697e-06, 2.7557582265051931e-07,
      2.5112084689970408e-08, 2.0826587870129446e-09};
  static constexpr std::array<double, 11> tanh = {
      -0.33333333333333298, 0.13333333333326833, -0.053968253963878603, 0.021869488389102975, -0.0088632326527854997,
      0.0035920925325390036, -0.0014555459842547891, 0.00058845705051168015, -0.000233412733855235,
      8.33600792894974e-05, -1.9521035163586508e-05};
  static constexpr std::array<double, 7> log = {0.66666666666667351, 0.39999999999411079, 0.28571428743266031,
                                                0.22222198475682856, 0.18183569753348161, 0.15313902953024489,
                                                0.14797510179747114};
  static constexpr std::array<double, 13> erf = {
      0.12837916709551259, -0.37612638903183748, 0.11283791670954885, -0.026866170645077871, 0.0052239776248283985,
      -0.00085483269814241338, 0.0001205533113291957, -1.4925595771640748e-05, 1.6461008473901569e-06,
      -1.6350396226460748e-07, 1.4660329014757929e-08, -1.1374957778836955e-09, 5.9606901559648601e-11};
  static constexpr std::array<double, 13> erfc = {
      0.25539567631050575, -0.42718584741395665, 0.24165819424246499, -0.078978581016534849, 0.0037328923984064127,
      0.0069974617976409038, -0.00084714252497564916, -0.00098197671597791397, 4.353353953965705e-05,
      0.00017428485940841892, 2.7644866152810616e-05, -2.653279793295688e-05, -1.2568675606029384e-05};
};

template <class T, class Arch>
using BitsBatch = xsimd::batch<typename MathConstants<T>::Bits, Arch>;

template <class T, class Arch>
inline BitsBatch<T, Arch> to_bits(const Batch<T, Arch>& x) {
#if XSIMD_VERSION_MAJOR < 11
  return xsimd::bitwise_cast<BitsBatch<T, Arch>>(x);
#else
  return xsimd::bitwise_cast<typename MathConstants<T>::Bits>(x);
#endif
}
template <class T, class Arch>
inline Batch<T, Arch> from_bits(const BitsBatch<T, Arch>& x) {
#if XSIMD_VERSION_MAJOR < 11
  return xsimd::bitwise_cast<Batch<T, Arch>>(x);
#else
  return xsimd::bitwise_cast<T>(x);
#endif
}

/// 2^n for an integer n in the normal range: the sum's low bits are n + bias, shifted into the exponent.
template <class T, class Arch>
inline Batch<T, Arch> power_of_two(const Batch<T, Arch>& n) {
  using C = MathConstants<T>;
  const Batch<T, Arch> biased = n + Batch<T, Arch>(C::round_magic + C::bias);
  return from_bits<T, Arch>(to_bits<T, Arch>(biased) << C::mantissa_bits);
}

/// x = n ln 2 + r with n an integer and |r| <= ln 2 / 2.
template <class T, class Arch>
struct Reduced {
  Batch<T, Arch> n, r;
  explicit Reduced(const Batch<T, Arch>& x) {
    using C = MathConstants<T>;
    using B = Batch<T, Arch>;
    n = heed::fma(x, B(std::numbers::log2e_v<T>), B(C::round_magic)) - B(C::round_magic);
    r = heed::fnma(n, B(C::ln2_low), heed::fnma(n, B(C::ln2_high), x));
  }
};

/// p 2^n, rounded once where it is subnormal.
template <class T, class Arch>
inline Batch<T, Arch> scale_by_power(const Batch<T, Arch>& p, const Batch<T, Arch>& n) {
#if defined(__AVX512F__)
  if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_scalef_ps(0xffff, p, n);
  if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_scalef_pd(0xff, p, n);
#endif
  using B = Batch<T, Arch>;
  const B magic(MathConstants<T>::round_magic);
  const B half = heed::fma(n, B(T(0.5)), magic) - magic;  // n may leave the exponent's range, its halves do not
  return p * power_of_two<T, Arch>(half) * power_of_two<T, Arch>(n - half);
}

/// e^r on |r| <= ln 2 / 2.
template <class T, class Arch>
inline Batch<T, Arch> exp_reduced(const Batch<T, Arch>& r) {
  const Batch<T, Arch> one(T(1));
  return heed::fma(heed::fma(polynomial<T, Arch>(r, MathConstants<T>::exp), r, one), r, one);
}

/// x >= 0 with the sign bit of y.
template <class T, class Arch>
inline Batch<T, Arch> with_sign_of(const Batch<T, Arch>& x, const Batch<T, Arch>& y) {
  return from_bits<T, Arch>(to_bits<T, Arch>(x) | (to_bits<T, Arch>(y) & to_bits<T, Arch>(Batch<T, Arch>(T(-0.0)))));
}

template <class T, class Arch>
inline Batch<T, Arch> exp_batch(const Batch<T, Arch>& x) {
  using B = Batch<T, Arch>;
  using C = MathConstants<T>;
  const Reduced<T, Arch> reduced(heed::maximum(B(C::exp_lowest), heed::minimum(B(C::exp_highest), x)));
  return scale_by_power<T, Arch>(exp_reduced<T, Arch>(reduced.r), reduced.n);
}

// tanh |x| = x + x^3 P(x^2) where that is below 1/2, else 1 - 2 / (exp(2 |x|) + 1).
template <class T, class Arch>
inline Batch<T, Arch> tanh_batch(const Batch<T, Arch>& x) {
  using B = Batch<T, Arch>;
  using C = MathConstants<T>;
  const B one(T(1)), size = heed::minimum(B(C::tanh_saturates), xsimd::abs(x)), square = size * size;
  const B near_zero = heed::fma(size * square, polynomial<T, Arch>(square, C::tanh), size);
  const Reduced<T, Arch> reduced(size + size);
  const B e = exp_reduced<T, Arch>(reduced.r) * power_of_two<T, Arch>(reduced.n);
  return with_sign_of(heed::select(size < B(C::tanh_split), near_zero, one - B(T(2)) / (e + one)), x);
}

// exp(-|x|) never overflows: 1 / (1 + e) for x >= 0, e / (1 + e) for x < 0.
template <class T, class Arch>
inline Batch<T, Arch> sigmoid_batch(const Batch<T, Arch>& x) {
  using B = Batch<T, Arch>;
  const B one(T(1));
  const B e = exp_batch<T, Arch>(-xsimd::abs(x));
  return heed::select(x < B(T(0)), e, one) / (one + e);
}

// x = 2^n m, m in (sqrt(1/2), sqrt 2]; log m = 2 atanh(s) with f = m - 1, s = f / (2 + f); 2 s = f - s f keeps f exact.
template <class T, class Arch>
inline Batch<T, Arch> log_batch(const Batch<T, Arch>& x) {
  using B = Batch<T, Arch>;
  using C = MathConstants<T>;
  using Limits = std::numeric_limits<T>;
  const B one(T(1)), offset(T(1) / Limits::epsilon());  // its low bits, or-ed with an integer, count in ones
  const auto tiny = x < B(Limits::min());
  const auto bits = to_bits<T, Arch>(heed::select(tiny, x * B(C::subnormal_scale), x));
  const auto fraction = to_bits<T, Arch>(B(Limits::min())) - 1u;  // the mantissa's bits
  const B m = from_bits<T, Arch>((bits & fraction) | to_bits<T, Arch>(one));
  const auto large = m > B(std::numbers::sqrt2_v<T>);
  B n = from_bits<T, Arch>((bits >> C::mantissa_bits) | to_bits<T, Arch>(offset)) - (offset + B(C::bias));
  n = n + heed::select(large, one, B(T(0))) - heed::select(tiny, B(C::subnormal_shift), B(T(0)));
  const B f = heed::select(large, m * B(T(0.5)), m) - one;
  const B s = f / (f + B(T(2)));
  const B z = s * s;
  const B correction = heed::fnma(z, polynomial<T, Arch>(z, C::log), f);
  const B value = heed::fma(n, B(C::ln2_high), f - heed::fnma(n, B(C::ln2_low), s * correction));
  const B finite = heed::select(x < B(Limits::infinity()), value, x);  // +inf and NaN are their own logarithm
  return heed::select(x < B(T(0)), B(Limits::quiet_NaN()), heed::select(x == B(T(0)), B(-Limits::infinity()), finite));
}

// erf(x) = x + x P(x^2) near 0, else 1 - exp(-x^2) Q((|x| - 2) / (|x| + 2)).
template <class T, class Arch>
inline Batch<T, Arch> erf_batch(const Batch<T, Arch>& x) {
  using B = Batch<T, Arch>;
  using C = MathConstants<T>;
  const B size = heed::minimum(B(C::erf_saturates), xsimd::abs(x)), square = size * size;
  const B near_zero = heed::fma(size, polynomial<T, Arch>(square, C::erf), size);
  const B q = polynomial<T, Arch>((size - B(T(2))) / (size + B(T(2))), C::erfc);
  const B far = heed::fnma(exp_batch<T, Arch>(-square), q, B(T(1)));
  return with_sign_of(heed::select(size < B(C::erf_split), near_zero, far), x);
}

/// A function of batches that takes scalars too, as one lane.
template <class Derived>
struct Elementwise {
  template <Real T, class Arch>
  Batch<T, Arch> operator()(const Batch<T, Arch>& x) const {
    return Derived::apply(x);
  }
  template <Real T>
  T operator()(T x) const {
    alignas(64) std::array<T, static_cast<std::size_t>(lanes<T>)> buffer;
    heed::store(buffer.data(), Derived::apply(Batch<T>(x)));
    return buffer[0];
  }
};
struct Exp : Elementwise<Exp> {
  static auto apply(const auto& x) { return exp_batch(x); }
};
struct Log : Elementwise<Log> {
  static auto apply(const auto& x) { return log_batch(x); }
};
struct Tanh : Elementwise<Tanh> {
  static auto apply(const auto& x) { return tanh_batch(x); }
};
struct Sigmoid : Elementwise<Sigmoid> {
  static auto apply(const auto& x) { return sigmoid_batch(x); }
};
struct Erf : Elementwise<Erf> {
  static auto apply(const auto& x) { return erf_batch(x); }
};

}  // namespace simd_detail

/// e^x. A batch or a scalar.
inline constexpr simd_detail::Exp exp;
/// The natural logarithm.
inline constexpr simd_detail::Log log;
inline constexpr simd_detail::Tanh tanh;
/// 1 / (1 + e^-x)
inline constexpr simd_detail::Sigmoid sigmoid;
/// 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.
inline constexpr simd_detail::Erf erf;

}  // namespace heed::inline HEED_ABI
