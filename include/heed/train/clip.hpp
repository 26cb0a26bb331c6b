#pragma once
// Gradient clipping: by the norm of all parameters together, of each tensor, or element by element. Sums run in fixed
// blocks in the order of the fields, so the bits depend on no thread count.
// R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1.

#include <vector>

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

enum class Norm { euclidean, largest };  // sqrt of the sum of squares; largest absolute value

/// torch scales by limit / (norm + 1e-6) where that is below 1; keras by limit / max(norm, limit).
struct ClipOptions {
  double limit = 1;
  Norm norm = Norm::euclidean;
  Convention convention = Convention::torch;
};

namespace detail {

inline constexpr Index norm_block = 4096;  // fixed: part of the definition of a norm's bits

// Sum of squares (or largest absolute value) of at most norm_block elements. Four accumulators hide the latency of fma.
template <class T>
T block_power(const T* x, Index count, Norm norm) {
  constexpr Index width = lanes<T>;
  std::array<Batch<T>, 4> sums{broadcast(T(0)), broadcast(T(0)), broadcast(T(0)), broadcast(T(0))};
  for (Index i = 0; i < count; i += width) {
    Batch<T>& sum = sums[static_cast<std::size_t>(i / width % 4)];
    const Batch<T> value = i + width <= count ? load(x + i) : load_partial(x + i, count - i);
    sum = norm == Norm::euclidean ? fma(value, value, sum) : maximum(sum, maximum(value, -value));
  }
  if (norm == Norm::largest) return reduce_max(maximum(maximum(sums[0], sums[1]), maximum(sums[2], sums[3])));
  return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// The sum of squares (largest absolute value) of one tensor; blocks joined in order, in double.
template <class T>
double tensor_power(const T* x, Index size, Norm norm, ExecutorRef executor) {
  std::vector<T> parts(static_cast<std::size_t>((size + norm_block - 1) / norm_block));
  for_each_task(executor, static_cast<Index>(parts.size()), [&](Index block, Index) {
    const Index first = block * norm_block;
    parts[static_cast<std::size_t>(block)] = block_power(x + first, std::min(norm_block, size - first), norm);
  });
  double total = 0;
  for (const T part : parts) total = norm == Norm::euclidean ? total + double(part) : maximum(total, double(part));
  return total;
}

template <class T, class Change>
void change_elements(T* x, Index size, ExecutorRef executor, const Change& change) {
  const auto rule = [&](Batch<T>& value, const Batch<T>&) { value = change(value); };
  step_tensor<T>(rule, x, x, ElementPointers<T, 0>{}, size, executor);
}

template <class T>
void scale_elements(T* x, Index size, double factor, ExecutorRef executor) {
  change_elements(x, size, executor, [factor](const Batch<T>& value) { return value * broadcast(T(factor)); });
}

// NaN norms give NaN factors, as torch's do: a broken gradient stays visible.
inline double clip_factor(double norm, const ClipOptions& options) {
  if (options.convention == Convention::keras) return norm <= options.limit ? 1 : options.limit / norm;
  const double factor = options.limit / (norm + 1e-6);
  return factor > 1 ? 1 : factor;
}

inline void check_clip(std::string_view function, const ClipOptions& options) {
  check_option(function, "limit", options.limit, 0, largest_rate);
}

}  // namespace detail

/// The norm of all parameters of a gradient together (buffers left out).
template <class Model>
double gradient_norm(const Model& grad, Norm norm = Norm::euclidean, ExecutorRef executor = default_executor()) {
  double total = 0;
  for_each_parameter(
      [&](std::string_view, Role role, const auto& tensor) {
        if (role == Role::buffer) return;
        const double power = detail::tensor_power(tensor.data(), tensor.size(), norm, executor);
        total = norm == Norm::euclidean ? total + power : maximum(total, power);
      },
      grad);
  return norm == Norm::euclidean ? std::sqrt(total) : total;
}

/// Scales the whole gradient so that its norm is at most about `limit`; returns the norm before. A norm of NaN makes
/// every element NaN. Throws heed::Error for a limit that is negative or NaN.
template <class Model>
double clip_by_global_norm(Model& grad, const ClipOptions& options = {}, ExecutorRef executor = default_executor()) {
  detail::check_clip("clip_by_global_norm", options);
  const double norm = gradient_norm(grad, options.norm, executor);
  const double factor = detail::clip_factor(norm, options);
  if (factor == 1) return norm;
  for_each_parameter(
      [&](std::string_view, Role role, auto& tensor) {
        if (role != Role::buffer) detail::scale_elements(tensor.data(), tensor.size(), factor, executor);
      },
      grad);
  return norm;
}

/// Scales each tensor by its own norm (Keras' clipnorm).
template <class Model>
void clip_each_by_norm(Model& grad, const ClipOptions& options = {}, ExecutorRef executor = default_executor()) {
  detail::check_clip("clip_each_by_norm", options);
  for_each_parameter(
      [&](std::string_view, Role role, auto& tensor) {
        if (role == Role::buffer) return;
        const double power = detail::tensor_power(tensor.data(), tensor.size(), options.norm, executor);
        const double norm = options.norm == Norm::euclidean ? std::sqrt(power) : power;
        const double factor = detail::clip_factor(norm, options);
        if (factor != 1) detail::scale_elements(tensor.data(), tensor.size(), factor, executor);
      },
      grad);
}

/// Puts every element into [-limit, limit]; NaN stays NaN.
template <class Model>
void clip_by_value(Model& grad, double limit, ExecutorRef executor = default_executor()) {
  check_option("clip_by_value", "limit", limit, 0, largest_rate);
  for_each_parameter(
      [&](std::string_view, Role role, auto& tensor) {
        if (role == Role::buffer) return;
        using T = scalar_t<decltype(tensor)>;
        detail::change_elements(tensor.data(), tensor.size(), executor, [limit](const Batch<T>& value) {
          return maximum(minimum(value, broadcast(T(limit))), broadcast(T(-limit)));
        });
      },
      grad);
}

}  // namespace heed::inline HEED_ABI
