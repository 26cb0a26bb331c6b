#pragma once
// exp, log, tanh, sigmoid and erf of a register, lane by lane; a scalar is one lane of the same code and has the same
// bits. Worst errors against the true value, in units in the last place (swept by tests/simd/math_test.cpp):
//
//             exp    tanh   sigmoid  log    erf
//   float     1.2    1.6    2.4      1.0    1.4
//   double    1.2    1.6    2.4      1.0    1.4
//
// Without fused multiply-add (SSE2, AVX) tanh is within 2.
//
// NaN stays NaN, exp(-inf) is exactly 0, exp overflows to inf just where T does (88.72, 709.78), log(0) = -inf, log of
// less = NaN. Results below the smallest normal number are rounded to subnormal ones, once. Each polynomial is one fma
// chain; arguments are reduced as in W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980.

#include <array>
#include <limits>
#include <numbers>

#include <heed/simd/bits.hpp>

namespace heed::inline HEED_ABI {

namespace simd_detail {

/// c[0] + x c[1] + x^2 c[2] + ... by Horner's rule.
template <class T, class Arch, std::size_t N>
inline Batch<T, Arch> polynomial(const Batch<T, Arch>& x, const std::array<T, N>& c) {
  Batch<T, Arch> sum(c[N - 1]);
  for (std::size_t i = N - 1; i-- > 0;) sum = heed::fma(sum, x, Batch<T, Arch>(c[i]));
  return sum;
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

/// The smaller of x and a limit that is no NaN; a NaN in x survives.
template <class T, class Arch>
inline Batch<T, Arch> at_most(const Batch<T, Arch>& x, T limit) {
  const Batch<T, Arch> bound(limit);
#if defined(__AVX512F__)  // x86's min gives its second operand where either is NaN
  if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_min_ps(0xffff, bound, x);
  if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_min_pd(0xff, bound, x);
#endif
#if defined(__SSE2__)
  return xsimd::min(bound, x);
#else
  return heed::minimum(bound, x);
#endif
}

// With h = (exp(2 |x|) - 1) / 2, tanh |x| = h / (1 + h) = a - a a / (1 + h) where a = min(h, 1): the last form rounds a
// and the difference, what comes between hardly counts. |x| = n ln 2 / 2 + r, h = 2^n (exp(2 r) - 1) / 2 + (2^n - 1) / 2.
// n is 0 a bit longer than nearest rounding has it: where h is not a sum, it is more exact.
template <class T, class Arch>
inline Batch<T, Arch> tanh_batch(const Batch<T, Arch>& x) {
  using B = Batch<T, Arch>;
  using C = MathConstants<T>;
  const B size = at_most<T, Arch>(xsimd::abs(x), C::tanh_saturates), half(T(0.5));
  const B magic(C::round_magic + C::bias);
  const B biased = heed::fma(size - B(C::tanh_shift), B(2 * std::numbers::log2e_v<T>), magic);
  const B n = biased - magic;
  const B power = from_bits<T, Arch>(to_exponent<T, Arch>(to_bits<T, Arch>(biased)));  // 2^n
  B r;
  if constexpr (fused)
    r = heed::fnma(n, B(std::numbers::ln2_v<T> / 2), size);
  else
    r = heed::fnma(n, B(C::ln2_low / 2), heed::fnma(n, B(C::ln2_high / 2), size));
  const B q = heed::fma(r, heed::fma(r, r * polynomial<T, Arch>(r, C::tanh), r), r);
  const B h = heed::fma(power, q, heed::fma(power, half, -half));
  const B a = at_most<T, Arch>(h, T(1));
  return with_sign_of(heed::fnma(a, heed::divide(a, h + B(T(1))), a), x);
}

// exp(-|x|) never overflows: 1 / (1 + e) for x >= 0, e / (1 + e) for x < 0.
template <class T, class Arch>
inline Batch<T, Arch> sigmoid_batch(const Batch<T, Arch>& x) {
  using B = Batch<T, Arch>;
  const B one(T(1));
  const B e = exp_batch<T, Arch>(-xsimd::abs(x));
  return heed::divide(heed::select(x < B(T(0)), e, one), one + e);
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
  B n = from_bits<T, Arch>(exponent_bits<T, Arch>(bits) | to_bits<T, Arch>(offset)) - (offset + B(C::bias));
  n = n + heed::select(large, one, B(T(0))) - heed::select(tiny, B(C::subnormal_shift), B(T(0)));
  const B f = heed::select(large, m * B(T(0.5)), m) - one;
  const B s = heed::divide(f, f + B(T(2)));
  const B z = s * s;
  const B correction = heed::fnma(z, polynomial<T, Arch>(z, C::log), f);
  const B value = heed::fma(n, B(C::ln2_high), f - heed::fnma(n, B(C::ln2_low), s * correction));
  const B finite = heed::select(x < B(Limits::infinity()), value, x);  // +inf and NaN are their own logarithm
  return heed::select(x < B(T(0)), B(Limits::quiet_NaN()), heed::select(x == B(T(0)), B(-Limits::infinity()), finite));
}

template <class T, class Arch>
inline Batch<T, Arch> sqrt_batch(const Batch<T, Arch>& x) {
#if defined(__AVX512F__)  // the unmasked forms: g++ 12 warns of its own header
  if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_sqrt_ps(0xffff, x);
  if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_sqrt_pd(0xff, x);
#elif defined(__aarch64__)  // xsimd 8.1 refines an estimate here too
  if constexpr (std::same_as<T, float>) return vsqrtq_f32(x);
#endif
  return xsimd::sqrt(x);
}

template <class T, class Arch>
inline Batch<T, Arch> floor_batch(const Batch<T, Arch>& x) {
#if defined(__AVX512F__)
  constexpr int down = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_roundscale_ps(0xffff, x, down);
  if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_roundscale_pd(0xff, x, down);
#endif
  return xsimd::floor(x);
}

// erf(x) = x + x P(x^2) near 0, else 1 - exp(-x^2) Q((|x| - 2) / (|x| + 2)).
template <class T, class Arch>
inline Batch<T, Arch> erf_batch(const Batch<T, Arch>& x) {
  using B = Batch<T, Arch>;
  using C = MathConstants<T>;
  const B size = heed::minimum(B(C::erf_saturates), xsimd::abs(x)), square = size * size;
  const B near_zero = heed::fma(size, polynomial<T, Arch>(square, C::erf), size);
  const B q = polynomial<T, Arch>(heed::divide(size - B(T(2)), size + B(T(2))), C::erfc);
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
  template <class X, class Self = Derived>  // Self: clang 14 looks into Derived, which is not complete here
  auto operator()(const X& x) const -> decltype(apply_to(Self(), x)) {
    return apply_to(Self(), x);
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
struct Abs : Elementwise<Abs> {
  static auto apply(const auto& x) { return xsimd::abs(x); }
};
struct Floor : Elementwise<Floor> {
  static auto apply(const auto& x) { return floor_batch(x); }
};
struct Sqrt : Elementwise<Sqrt> {
  static auto apply(const auto& x) { return sqrt_batch(x); }
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
// Functions, not objects: an enumerator or a local of one of these common names would hide an object (-Wshadow).
inline auto abs(const auto& x) { return simd_detail::Abs()(x); }
/// The largest whole number that is not above x.
inline auto floor(const auto& x) { return simd_detail::Floor()(x); }
inline auto sqrt(const auto& x) { return simd_detail::Sqrt()(x); }

}  // namespace heed::inline HEED_ABI
