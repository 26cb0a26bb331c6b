#pragma once
// What all optimizers share: the walk over a model, its gradient and the optimizer's moments, cut into fixed blocks
// that threads take, one fused pass over memory per block. An optimizer is a value: its options, a step count and
// moments that are values of the model's own struct; its `fields` save and load like a model's.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <heed/core/check.hpp>
#include <heed/core/executor.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/simd/batch.hpp>

namespace heed::inline HEED_ABI {

/// Whose formulas an optimizer follows where the two frameworks differ: above all where epsilon is added.
enum class Convention { torch, keras };

/// How weights decay: added to the gradient (L2 penalty), or taken from the weight itself before the step (AdamW:
/// Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019).
enum class Decay { l2, decoupled };

/// Says by its dotted name that a parameter is left as it is: [](std::string_view name) { return name == "bias"; }.
/// Empty: nothing is frozen.
using FrozenFilter = std::function<bool(std::string_view)>;

/// Refuses an option outside [low, high] (or [low, high) when `open`); NaN is always refused.
enum class Bound { closed, open };
inline void check_option(std::string_view owner, std::string_view option, double found, double low, double high,
                         Bound upper = Bound::closed) {
  check(found >= low && (upper == Bound::open ? found < high : found <= high), [&] {
    return std::string(owner) + ": " + std::string(option) + " is " + std::to_string(found) + ", wanted " +
           std::to_string(low) + " to " + (upper == Bound::open ? "below " : "") + std::to_string(high);
  });
}
inline constexpr double largest_rate = 1e30;  // "finite", with a number that prints

/// The count of steps done, and other numbers that move with it: saved with the moments, in double.
inline Tensor<double, 1> step_state(Index size) {
  Tensor<double, 1> state(size);
  state.setZero();
  return state;
}

namespace detail {

// 8192 elements of five arrays in float are 160 KiB: a share worth handing to a thread, and small against any model.
inline constexpr Index optimizer_block = 8192;

template <class T, std::size_t arrays>
using ElementPointers = std::array<T*, arrays>;

// rule(value, grad, state...) on every element of [first, first + count), in registers; state and value are written
// back.
template <class T, class Rule, std::size_t... s>
void step_block(const Rule rule, T* value, const T* grad, const ElementPointers<T, sizeof...(s)>& state, Index count,
                std::index_sequence<s...>) {
  constexpr Index width = lanes<T>;
  Index i = 0;
  for (; i + width <= count; i += width) {
    Batch<T> w = load(value + i);
    std::tuple moments{load(state[s] + i)...};
    rule(w, load(grad + i), std::get<s>(moments)...);
    store(value + i, w);
    (store(state[s] + i, std::get<s>(moments)), ...);
  }
  if (const Index rest = count - i; rest > 0) {
    Batch<T> w = load_partial(value + i, rest);
    std::tuple moments{load_partial(state[s] + i, rest)...};
    rule(w, load_partial(grad + i, rest), std::get<s>(moments)...);
    store_partial(value + i, w, rest);
    (store_partial(state[s] + i, std::get<s>(moments), rest), ...);
  }
}

template <class T, class Rule, std::size_t states>
void step_tensor(const Rule& rule, T* value, const T* grad, const ElementPointers<T, states>& state, Index size,
                 ExecutorRef executor) {
  const Index blocks = (size + optimizer_block - 1) / optimizer_block;
  for_each_task(executor, blocks, [&](Index block, Index) {
    const Index first = block * optimizer_block;
    ElementPointers<T, states> moved = state;
    for (T*& pointer : moved) pointer += first;
    step_block<T>(rule, value + first, grad + first, moved, std::min(optimizer_block, size - first),
                  std::make_index_sequence<states>{});
  });
}

}  // namespace detail

/// One step of an optimizer: for every parameter that is neither a buffer nor frozen, make_rule(T(), role) gives the
/// rule of its element type, and rule(Batch& value, Batch grad, Batch& state...) is run on all its elements. The
/// structures of model, gradient and states are compared before anything is written. Bits depend on no thread count:
/// elements do not mix.
template <class MakeRule, class Model, class... States>
void step_parameters(const MakeRule& make_rule, const FrozenFilter& frozen, ExecutorRef executor, Model& model,
                     const Model& grad, States&... states) {
  for_each_parameter([](std::string_view, Role, const auto&...) {}, model, grad, states...);
  for_each_parameter(
      [&](std::string_view name, Role role, auto& value, const auto& d_value, auto&... state) {
        if (role == Role::buffer || (frozen && frozen(name))) return;
        using T = scalar_t<decltype(value)>;
        const detail::ElementPointers<T, sizeof...(States)> pointers{state.data()...};
        detail::step_tensor<T>(make_rule(T(), role), value.data(), d_value.data(), pointers, value.size(), executor);
      },
      model, grad, states...);
}

/// The weight decay of one parameter: Role::no_decay has none.
template <class T>
struct WeightDecay {
  T to_gradient = 0, shrink = 1;

  template <class Options>
  WeightDecay(const Options& o, Role role) {
    if (role != Role::parameter) return;
    if (o.decay == Decay::l2) to_gradient = T(o.weight_decay);
    if (o.decay == Decay::decoupled) shrink = T(1 - o.learning_rate * o.weight_decay);
  }
  /// grad += decay * value, or value *= 1 - rate * decay.
  void apply(Batch<T>& value, Batch<T>& grad) const {
    if (to_gradient != T(0)) grad = fma(broadcast(to_gradient), value, grad);
    if (shrink != T(1)) value *= broadcast(shrink);
  }
};

/// Refuses learning rates, decays and epsilons that no optimizer takes.
template <class Options>
void check_common_options(std::string_view owner, const Options& options) {
  check_option(owner, "learning_rate", options.learning_rate, 0, largest_rate);
  check_option(owner, "weight_decay", options.weight_decay, 0, largest_rate);
  if constexpr (requires { options.epsilon; }) check_option(owner, "epsilon", options.epsilon, 0, largest_rate);
}

}  // namespace heed::inline HEED_ABI
