#pragma once
// Losses that compare numbers one by one: mean squared error, smooth L1 (P. J. Huber, 1964; R. Girshick, ICCV 2015,
// eq. 3), binary cross-entropy of logits. Each gives its gradient in the same pass.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// What a loss of many rows or elements becomes: left as they are, their mean, their sum.
enum class Reduction { none, mean, sum };

template <class T>
struct ElementwiseLossOptions {
  Reduction reduction = Reduction::mean;
  std::span<const T> upstream =
      {};  // what the gradient is multiplied by: empty 1, one number, or one per element (none)
};

/// loss is the mean, or the sum for `sum` and `none`; 0 where there are no elements. losses: one per element for
/// `none`.
template <class T, int Rank>
struct ElementwiseLoss {
  double loss = 0;
  double sum = 0;
  Index count = 0;
  Tensor<T, Rank> losses;
};

namespace detail {

/// Sums term(x, target) = {loss, derivative by x} over all elements; writes the derivatives, scaled, where d_x is
/// given.
template <class T, int Rank, class Term>
ElementwiseLoss<T, Rank> reduce_elements(const char* function, const Tensor<T, Rank>& x, const Tensor<T, Rank>& target,
                                         const ElementwiseLossOptions<T>& options, Tensor<T, Rank>* d_x,
                                         const Term& term) {
  check_shape(function, "target", extents(target), extents(x));
  const bool each = options.reduction == Reduction::none;
  if (!options.upstream.empty())
    check_extent(function, "upstream", "size", static_cast<Index>(options.upstream.size()), each ? x.size() : 1);
  ElementwiseLoss<T, Rank> result;
  result.count = x.size();
  if (each) result.losses = Tensor<T, Rank>(x.dimensions());
  Tensor<T, Rank> gradient;
  if (d_x) gradient = Tensor<T, Rank>(x.dimensions());
  const T share = options.reduction == Reduction::mean ? T(1) / static_cast<T>(x.size()) : T(1);
  for (Index i = 0; i < x.size(); ++i) {
    const auto [loss, slope] = term(x.data()[i], target.data()[i]);
    result.sum += static_cast<double>(loss);
    if (each) result.losses.data()[i] = loss;
    const T upstream = options.upstream.empty() ? T(1) : options.upstream[each ? static_cast<std::size_t>(i) : 0];
    if (d_x) gradient.data()[i] = slope * share * upstream;
  }
  result.loss = options.reduction == Reduction::mean && result.count > 0
                    ? result.sum / static_cast<double>(result.count)
                    : result.sum;
  if (d_x) *d_x = std::move(gradient);
  return result;
}

template <class T>
struct LossTerm {
  T loss, slope;
};

}  // namespace detail

/// (x - target)^2. x and target of the same shape; d_x, where given, is overwritten.
template <class T, int Rank>
ElementwiseLoss<T, Rank> mean_squared_error(const Tensor<T, Rank>& x, const Tensor<T, Rank>& target,
                                            const std::type_identity_t<ElementwiseLossOptions<T>>& options = {},
                                            Tensor<T, Rank>* d_x = nullptr) {
  return detail::reduce_elements("mean_squared_error", x, target, options, d_x, [](T a, T b) {
    const T distance = a - b;
    return detail::LossTerm<T>{distance * distance, 2 * distance};
  });
}

/// d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, for d = x - target; beta 0 is the absolute error. Throws
/// heed::Error for a beta that is negative or not finite.
template <class T, int Rank>
ElementwiseLoss<T, Rank> smooth_l1(const Tensor<T, Rank>& x, const Tensor<T, Rank>& target, double beta = 1,
                                   const std::type_identity_t<ElementwiseLossOptions<T>>& options = {},
                                   Tensor<T, Rank>* d_x = nullptr) {
  check(beta >= 0 && std::isfinite(beta),
        [&] { return "smooth_l1: beta is " + std::to_string(beta) + ", wanted a finite number from 0 up"; });
  const T knee = static_cast<T>(beta);
  return detail::reduce_elements("smooth_l1", x, target, options, d_x, [knee](T a, T b) {
    const T distance = a - b, size = std::abs(distance);
    if (size < knee) return detail::LossTerm<T>{distance * distance / (2 * knee), distance / knee};
    return detail::LossTerm<T>{size - knee / 2, distance > 0 ? T(1) : distance < 0 ? T(-1) : distance};
  });
}

/// -(t log sigmoid(x) + (1 - t) log(1 - sigmoid(x))) with t = target (1 - label_smoothing) + label_smoothing / 2,
/// without overflow for any x. Throws heed::Error for a label_smoothing outside [0, 1].
template <class T, int Rank>
ElementwiseLoss<T, Rank> binary_cross_entropy(const Tensor<T, Rank>& logits, const Tensor<T, Rank>& target,
                                              double label_smoothing = 0,
                                              const std::type_identity_t<ElementwiseLossOptions<T>>& options = {},
                                              Tensor<T, Rank>* d_logits = nullptr) {
  check(label_smoothing >= 0 && label_smoothing <= 1, [&] {
    return "binary_cross_entropy: label_smoothing is " + std::to_string(label_smoothing) + ", wanted 0 to 1";
  });
  const T keep = static_cast<T>(1 - label_smoothing), half = static_cast<T>(label_smoothing / 2);
  return detail::reduce_elements("binary_cross_entropy", logits, target, options, d_logits, [=](T x, T raw) {
    const T t = raw * keep + half;
    const T decay = std::exp(-std::abs(x));  // in (0, 1]
    const T probability = (x >= 0 ? T(1) : decay) / (1 + decay);
    return detail::LossTerm<T>{std::max(x, T(0)) - x * t + std::log1p(decay), probability - t};
  });
}

}  // namespace heed::inline HEED_ABI
