#pragma once
// Activation functions of contiguous rows and their derivatives, computed in T with simd/math's errors.
//
// Derivatives are recomputed from the input x, so nothing has to be kept but x. NaN gives NaN in both directions.
// gelu: Hendrycks, Gimpel 2016; silu: Elfwing et al. 2017; elu: Clevert et al. 2015.

#include <numbers>

#include <heed/kernels/registers.hpp>
#include <heed/simd/math.hpp>

namespace heed::inline HEED_ABI {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"  // g++ takes the enumerator tanh for a shadow of heed::tanh
enum class Activation {
  identity,
  relu,       ///< max(x, 0); slope 0 at 0
  gelu,       ///< x Phi(x)
  gelu_tanh,  ///< x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  silu,       ///< x sigmoid(x)
  tanh,
  sigmoid,
  elu,           ///< x above 0, alpha (exp(x) - 1) below
  leaky_relu,    ///< x above 0, alpha x below
  softplus,      ///< log(1 + exp(x))
  hard_sigmoid,  ///< clip(x/6 + 1/2, 0, 1)
};
#pragma GCC diagnostic pop

/// alpha is read by elu (commonly 1) and leaky_relu (commonly 0.01) only.
struct ActivationOptions {
  double alpha = 1;
};

namespace activation_detail {

// Every function is a pair: value(x) and slope(x) = d value / d x, both lane by lane.

struct Identity {
  template <class B>
  B value(const B& x) const {
    return x;
  }
  template <class B>
  B slope(const B&) const {
    return B(1);
  }
};

struct Relu {
  template <class B>
  B value(const B& x) const {
    return select(x <= B(0), B(0), x);
  }
  template <class B>
  B slope(const B& x) const {
    return select(x <= B(0), B(0), select(is_nan(x), x, B(1)));
  }
};

struct LeakyRelu {
  double alpha;
  template <class B>
  B value(const B& x) const {
    using T = typename B::value_type;
    return select(x > B(0), x, B(static_cast<T>(alpha)) * x);
  }
  template <class B>
  B slope(const B& x) const {
    using T = typename B::value_type;
    return select(x > B(0), B(1), select(is_nan(x), x, B(static_cast<T>(alpha))));
  }
};

struct Tanh {
  template <class B>
  B value(const B& x) const {
    return tanh(x);
  }
  template <class B>
  B slope(const B& x) const {
    const B t = tanh(x);
    return fnma(t, t, B(1));
  }
};

struct Sigmoid {
  template <class B>
  B value(const B& x) const {
    return sigmoid(x);
  }
  template <class B>
  B slope(const B& x) const {
    const B s = sigmoid(x);
    return fnma(s, s, s);
  }
};

struct HardSigmoid {
  template <class B>
  B value(const B& x) const {
    using T = typename B::value_type;
    const B line = fma(x, B(T(1) / T(6)), B(T(0.5)));
    return minimum(maximum(line, B(0)), B(1));
  }
  template <class B>
  B slope(const B& x) const {
    using T = typename B::value_type;
    const B inside = select(x < B(T(3)), B(T(1) / T(6)), B(0));
    return select(is_nan(x), x, select(x > B(T(-3)), inside, B(0)));
  }
};

struct Silu {
  template <class B>
  B value(const B& x) const {
    return x * sigmoid(x);
  }
  template <class B>
  B slope(const B& x) const {
    const B s = sigmoid(x);
    return s * fma(x, B(1) - s, B(1));
  }
};

struct Gelu {
  template <class B>
  B value(const B& x) const {
    using T = typename B::value_type;
    const B half = B(T(0.5)) * x;
    return fma(half, erf(x * B(T(1 / std::numbers::sqrt2))), half);
  }
  template <class B>
  B slope(const B& x) const {
    using T = typename B::value_type;
    const B phi = B(T(0.5) * T(std::numbers::inv_sqrtpi * std::numbers::sqrt2)) * exp(B(T(-0.5)) * x * x);
    const B distribution = fma(B(T(0.5)), erf(x * B(T(1 / std::numbers::sqrt2))), B(T(0.5)));
    return fma(x, phi, distribution);
  }
};

struct GeluTanh {
  static constexpr double root = std::numbers::inv_sqrtpi * std::numbers::sqrt2;  // sqrt(2 / pi)
  template <class B>
  B inner(const B& x) const {
    using T = typename B::value_type;
    return tanh(x * fma(B(T(root * 0.044715)), x * x, B(T(root))));
  }
  template <class B>
  B value(const B& x) const {
    using T = typename B::value_type;
    const B half = B(T(0.5)) * x;
    return fma(half, inner(x), half);
  }
  template <class B>
  B slope(const B& x) const {
    using T = typename B::value_type;
    // beyond 20 the slope is 0 or 1 in float and double, and x * x of the largest x would be infinite
    const B bounded = minimum(maximum(x, B(T(-20))), B(T(20)));
    const B t = inner(bounded);
    const B half = B(T(0.5));
    const B d_inner = fma(B(T(3 * root * 0.044715)), bounded * bounded, B(T(root)));
    return fma(half * bounded * fnma(t, t, B(1)), d_inner, fma(half, t, half));
  }
};

struct Elu {
  double alpha;
  /// exp(x) - 1 without cancellation for x <= 0: 2 t / (1 - t) with t = tanh(x / 2).
  template <class B>
  static B minus_one(const B& x) {
    using T = typename B::value_type;
    const B t = tanh(B(T(0.5)) * x);
    return divide(t + t, B(1) - t);
  }
  template <class B>
  B value(const B& x) const {
    using T = typename B::value_type;
    return select(x > B(0), x, B(static_cast<T>(alpha)) * minus_one(select(x > B(0), B(0), x)));
  }
  template <class B>
  B slope(const B& x) const {
    using T = typename B::value_type;
    return select(x > B(0), B(1), B(static_cast<T>(alpha)) * exp(select(x > B(0), B(0), x)));
  }
};

struct Softplus {
  /// max(x, 0) + log(1 + u), u = exp(-|x|); log(1 + u) is corrected for what the sum 1 + u lost (Kahan).
  template <class B>
  B value(const B& x) const {
    const B u = exp(select(x > B(0), B(0) - x, x));
    const B sum = B(1) + u;
    const B kept = sum - B(1);
    const B log_sum = select(kept == B(0), u, log(sum) * divide(u, select(kept == B(0), B(1), kept)));
    return fma(log_sum, B(1), select(x > B(0), x, B(0)));
  }
  template <class B>
  B slope(const B& x) const {
    return sigmoid(x);
  }
};

/// Calls use(function object) for the chosen function.
template <class Use>
void choose(Activation activation, ActivationOptions options, Use&& use) {
  switch (activation) {
    case Activation::identity:
      return use(Identity{});
    case Activation::relu:
      return use(Relu{});
    case Activation::gelu:
      return use(Gelu{});
    case Activation::gelu_tanh:
      return use(GeluTanh{});
    case Activation::silu:
      return use(Silu{});
    case Activation::tanh:
      return use(Tanh{});
    case Activation::sigmoid:
      return use(Sigmoid{});
    case Activation::elu:
      return use(Elu{options.alpha});
    case Activation::leaky_relu:
      return use(LeakyRelu{options.alpha});
    case Activation::softplus:
      return use(Softplus{});
    case Activation::hard_sigmoid:
      return use(HardSigmoid{});
  }
}

}  // namespace activation_detail

/// y = activation(x), both (size). y may be x.
template <Real T, class Arch = default_arch>
void activation_row(Activation activation, const T* x, T* y, Index size, ActivationOptions options = {}) {
  activation_detail::choose(activation, options, [&](auto function) {
    map_registers<T, Arch>(size, [&](Index j, auto part) { part.store(y + j, function.value(part.load(x + j))); });
  });
}

/// d_x = d_y * activation'(x), all (size). d_x may be x or d_y.
template <Real T, class Arch = default_arch>
void activation_backward_row(Activation activation, const T* x, const T* d_y, T* d_x, Index size,
                             ActivationOptions options = {}) {
  activation_detail::choose(activation, options, [&](auto function) {
    map_registers<T, Arch>(
        size, [&](Index j, auto part) { part.store(d_x + j, part.load(d_y + j) * function.slope(part.load(x + j))); });
  });
}

}  // namespace heed::inline HEED_ABI
