#pragma once
// 2^x of a register for x <= 0, the weights of a softmax whose maximum was taken off: 2.3 units in the last place where
// the result is a normal number, exactly 0 below (so 2^-inf is 0, without a branch), NaN for NaN. Half the work of exp:
// no two-part reduction, and nothing can overflow. x = n + r with n an integer and |r| <= 1/2; the polynomial in r is
// our own minimax fit (Remez exchange, relative error in brackets).

#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

namespace simd_detail {

/// (2^r - 1) / r
template <class T>
struct Exp2Constants;
template <>
struct Exp2Constants<float> {
  static constexpr float lowest = -126.f;  // 2^lowest is the smallest normal number
  static constexpr std::array<float, 5> polynomial = {0.693147004f, 0.240222424f, 0.0555073358f, 0.00967151299f,
                                                      0.00132647273f};  // 2^-23.1
};
template <>
struct Exp2Constants<double> {
  static constexpr double lowest = -1022.;
  static constexpr std::array<double, 11> polynomial = {
      0.69314718055994529,   0.2402265069591013,     0.055504108664820084,   0.0096181291075941207,
      0.001333355814677462,  0.00015403530457112091, 1.5252733493127489e-05, 1.3215435282308488e-06,
      1.0178199571842138e-07, 7.0737832485031337e-09, 4.4347712982003769e-10};  // 2^-55
};

/// x where mask, 0 elsewhere.
template <class T, class Arch>
inline Batch<T, Arch> where_else_zero(const BatchMask<T, Arch>& mask, const Batch<T, Arch>& x) {
#if defined(__AVX512F__)
  if constexpr (avx512<Arch> && std::same_as<T, float>) return _mm512_maskz_mov_ps(mask, x);
  if constexpr (avx512<Arch> && std::same_as<T, double>) return _mm512_maskz_mov_pd(mask, x);
#endif
  return heed::select(mask, x, Batch<T, Arch>(T(0)));
}

}  // namespace simd_detail

/// 2^x for x <= 0 (up to 1 is fine). An object holds the constants in registers: outside a loop it costs the loop no
/// loads (gcc 12 otherwise reads all nine from memory each time, which takes as long as the arithmetic).
template <Real T, class Arch = default_arch>
class Exp2Nonpositive {
  using B = Batch<T, Arch>;
  using C = simd_detail::Exp2Constants<T>;
  static constexpr int degree = static_cast<int>(C::polynomial.size());

 public:
  Exp2Nonpositive()
      : magic_(simd_detail::MathConstants<T>::round_magic + simd_detail::MathConstants<T>::bias),
        lowest_(C::lowest),
        one_(T(1)) {
    for (B* constant : {&magic_, &lowest_, &one_}) keep_in_register(*constant);
    unroll<degree>([&](int i) __attribute__((always_inline)) {
      c_[i] = B(C::polynomial[static_cast<std::size_t>(i)]);
      keep_in_register(c_[i]);
    });
  }
  [[gnu::always_inline]] B operator()(const B& x) const {
    using namespace simd_detail;
    const B shifted = x + magic_, r = x - (shifted - magic_);
    B p = c_[degree - 1];
    unroll<degree - 1>([&](int i) __attribute__((always_inline)) { p = heed::fma(p, r, c_[degree - 2 - i]); });
    p = heed::fma(p, r, one_);
    const B power = from_bits<T, Arch>(to_exponent<T, Arch>(to_bits<T, Arch>(shifted)));
    return where_else_zero<T, Arch>(!(x < lowest_), p * power);  // a product, so that p's NaN stays one
  }

 private:
  B magic_;  // leaves n + bias in the low bits
  B lowest_, one_, c_[degree];
};

}  // namespace heed::inline HEED_ABI
