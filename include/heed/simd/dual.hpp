#pragma once
// Dual numbers, value + derivative * e with e * e = 0: a function that is written for batches or scalars gives its
// derivative by one variable when it is called with one of these.
//   R. E. Wengert, "A simple automatic derivative evaluation program", CACM 1964.

#include <concepts>
#include <numbers>
#include <type_traits>

#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

namespace simd_detail {

/// x as a V, which may be a batch.
template <class V, class X>
V constant(const X& x) {
  if constexpr (std::is_arithmetic_v<V>)
    return static_cast<V>(x);
  else if constexpr (std::is_arithmetic_v<X>)
    return V(static_cast<typename V::value_type>(x));
  else
    return V(x);
}

}  // namespace simd_detail

/// A value with its derivative by the variable in question. V is a batch or a scalar; whatever converts to V is a
/// constant, of derivative 0. Works with + - * /, comparisons (of values), heed::select, fma, maximum, minimum and the
/// functions of simd/math.hpp.
template <class V>
struct Dual {
  V value;
  V derivative;

  template <class X>
    requires std::convertible_to<const X&, V>
  Dual(const X& x) : value(simd_detail::constant<V>(x)), derivative(simd_detail::constant<V>(0)) {}
  Dual(const V& x, const V& d) : value(x), derivative(d) {}

  friend Dual operator+(const Dual& a, const Dual& b) { return {a.value + b.value, a.derivative + b.derivative}; }
  friend Dual operator-(const Dual& a, const Dual& b) { return {a.value - b.value, a.derivative - b.derivative}; }
  friend Dual operator-(const Dual& a) { return {-a.value, -a.derivative}; }
  friend Dual operator*(const Dual& a, const Dual& b) {
    return {a.value * b.value, heed::fma(a.derivative, b.value, a.value * b.derivative)};
  }
  friend Dual operator/(const Dual& a, const Dual& b) {
    const V quotient = heed::divide(a.value, b.value);
    return {quotient, heed::divide(heed::fnma(quotient, b.derivative, a.derivative), b.value)};
  }
  Dual& operator+=(const Dual& b) { return *this = *this + b; }
  Dual& operator-=(const Dual& b) { return *this = *this - b; }
  Dual& operator*=(const Dual& b) { return *this = *this * b; }
  Dual& operator/=(const Dual& b) { return *this = *this / b; }

  friend auto operator<(const Dual& a, const Dual& b) { return a.value < b.value; }
  friend auto operator>(const Dual& a, const Dual& b) { return a.value > b.value; }
  friend auto operator<=(const Dual& a, const Dual& b) { return a.value <= b.value; }
  friend auto operator>=(const Dual& a, const Dual& b) { return a.value >= b.value; }
  friend auto operator==(const Dual& a, const Dual& b) { return a.value == b.value; }

  // What heed::select, fma, maximum and minimum call for types that are neither batches nor scalars.
  template <class M>
  friend Dual select_of(const M& mask, const Dual& a, const Dual& b) {
    return {heed::select(mask, a.value, b.value), heed::select(mask, a.derivative, b.derivative)};
  }
  friend Dual fma_of(const Dual& a, const Dual& b, const Dual& c) {
    return {heed::fma(a.value, b.value, c.value),
            heed::fma(a.value, b.derivative, heed::fma(a.derivative, b.value, c.derivative))};
  }
  friend Dual fnma_of(const Dual& a, const Dual& b, const Dual& c) { return fma_of(-a, b, c); }
  friend Dual maximum_of(const Dual& a, const Dual& b) { return select_of(!(a.value <= b.value), a, b); }
  friend Dual minimum_of(const Dual& a, const Dual& b) { return select_of(!(a.value >= b.value), a, b); }

  /// f(value) with f's own derivative.
  template <class F>
  friend Dual apply_to(const F& f, const Dual& x) {
    const V y = f(x.value);
    return {y, x.derivative * derivative_of(f, x.value, y)};
  }
};

namespace simd_detail {


// f'(x), given x and y = f(x).
template <class V>
V derivative_of(Exp, const V&, const V& y) {
  return y;
}
template <class V>
V derivative_of(Log, const V& x, const V&) {
  return heed::divide(constant<V>(1), x);
}
template <class V>
V derivative_of(Tanh, const V&, const V& y) {
  return heed::fnma(y, y, constant<V>(1));
}
template <class V>
V derivative_of(Sigmoid, const V&, const V& y) {
  return heed::fnma(y, y, y);
}
template <class V>
V derivative_of(Erf, const V& x, const V&) {
  return constant<V>(2 * std::numbers::inv_sqrtpi) * heed::exp(-(x * x));
}
template <class V>
V derivative_of(Abs, const V& x, const V&) {
  return heed::select(x < constant<V>(0), -constant<V>(1), constant<V>(1));
}
template <class V>
V derivative_of(Floor, const V&, const V&) {
  return constant<V>(0);
}
template <class V>
V derivative_of(Sqrt, const V&, const V& y) {
  return heed::divide(constant<V>(0.5), y);
}

}  // namespace simd_detail

/// The derivative of f at x: f takes a Dual where it takes an X. 0 where f's result does not depend on its argument.
template <class F, class V>
Dual<V> differentiate(const F& f, const V& x) {
  return Dual<V>(f(Dual<V>{x, simd_detail::constant<V>(1)}));
}

}  // namespace heed::inline HEED_ABI
