#pragma once
// Is a hand-written backward right? Compares the gradients it adds with central differences of the loss, in double,
// parameter by parameter and for the inputs too.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <heed/core/tensor.hpp>
#include <heed/nn/parameters.hpp>

namespace heed::inline HEED_ABI {

struct GradientCheckOptions {
  double step = 1e-5;               // x +- step * max(1, |x|): with double the error is near step^2
  Index elements_per_tensor = 200;  // larger tensors are sampled evenly
};

/// What the check found: the largest |found - wanted| / max(1, |found|, |wanted|) and where. NaN counts as infinite.
struct GradientCheckResult {
  double worst_error = 0;
  std::string worst_name;   // "weight" or "input 0"
  Index worst_element = 0;  // in memory order
  Index checked = 0;        // elements compared
};

namespace detail {

inline void compare_gradient(GradientCheckResult& result, std::string_view name, Index element, double found,
                             double wanted) {
  const double scale = std::max({1.0, std::abs(found), std::abs(wanted)});
  const double distance = std::abs(found - wanted) / scale;
  const double error = std::isnan(distance) ? std::numeric_limits<double>::infinity() : distance;
  ++result.checked;
  if (error <= result.worst_error && !result.worst_name.empty()) return;
  result.worst_error = error;
  result.worst_name = name;
  result.worst_element = element;
}

template <class Loss, int Rank>
void check_tensor_gradient(GradientCheckResult& result, std::string_view name, Tensor<double, Rank>& value,
                           const Tensor<double, Rank>& grad, const Loss& loss, const GradientCheckOptions& options) {
  check(value.size() == grad.size(), [&] {
    return "check_gradients: the gradient of " + std::string(name) + " has " + std::to_string(grad.size()) +
           " elements, wanted " + std::to_string(value.size());
  });
  const Index stride =
      std::max<Index>(1, (value.size() + options.elements_per_tensor - 1) / options.elements_per_tensor);
  for (Index i = 0; i < value.size(); i += stride) {
    double& element = value.data()[i];
    const double kept = element;
    const double step = options.step * std::max(1.0, std::abs(kept));
    element = kept + step;
    const double above = element, loss_above = loss();
    element = kept - step;
    const double below = element, loss_below = loss();
    element = kept;
    compare_gradient(result, name, i, grad.data()[i], (loss_above - loss_below) / (above - below));
  }
}

}  // namespace detail

/// Checks the gradient of `model` (a layer with fields, of double) and of any number of (input, gradient) pairs of
/// tensors. `loss()` computes a number from model and inputs as they are at that moment; `grad` is what backward added
/// to zeros. Buffers are left out. Every value is as before when the call returns.
///
///   const auto result = check_gradients(layer, grad, [&] { return total(layer.forward(x)); }, std::tie(x, d_x));
///   REQUIRE(result.worst_error < 1e-8);
template <HasFields Model, class Loss, class... Pairs>
GradientCheckResult check_gradients(Model& model, const Model& grad, const Loss& loss, const Pairs&... inputs) {
  return check_gradients(GradientCheckOptions{}, model, grad, loss, inputs...);
}

/// The same with options.
template <HasFields Model, class Loss, class... Pairs>
GradientCheckResult check_gradients(const GradientCheckOptions& options, Model& model, const Model& grad,
                                    const Loss& loss, const Pairs&... inputs) {
  GradientCheckResult result;
  for_each_parameter(
      [&](std::string_view name, Role role, auto& value, const auto& d_value) {
        if (role != Role::buffer) detail::check_tensor_gradient(result, name, value, d_value, loss, options);
      },
      model, grad);
  Index number = 0;
  [[maybe_unused]] const auto check_input_pair = [&](const auto& pair) {
    detail::check_tensor_gradient(result, "input " + std::to_string(number++), std::get<0>(pair), std::get<1>(pair),
                                  loss, options);
  };
  (check_input_pair(inputs), ...);
  return result;
}

}  // namespace heed::inline HEED_ABI
