#pragma once
// Lion: steps of one size, in the direction of the sign of an interpolated gradient.
// X. Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023, program 1.

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

struct LionOptions {
  double learning_rate = 1e-4;
  double beta1 = 0.9;       // of the step's direction
  double beta2 = 0.99;      // of the average that is kept
  double weight_decay = 0;  // not for Role::no_decay
  Decay decay = Decay::decoupled;
  FrozenFilter frozen = {};
};

/// Lion optimizer(model); optimizer.step(model, grad).
template <class Model>
struct Lion {
  LionOptions options;
  Tensor<double, 1> progress = step_state(1);  // steps done
  Model first;                                 // average of the gradient

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("first", self.first...);
  }

  Lion() = default;
  /// Throws heed::Error for an option outside its range.
  explicit Lion(const Model& model, LionOptions chosen = {}) : options(std::move(chosen)), first(zeros_like(model)) {
    check_options();
  }

  /// model -= learning_rate * sign(direction), in place; grad is not changed and has the model's structure and shapes.
  void step(Model& model, const Model& grad, ExecutorRef executor = default_executor()) {
    check_options();
    step_parameters([&]<class T>(T, Role role) { return Rule<T>(options, role); }, options.frozen, executor, model,
                    grad, first);
    progress(0) += 1;
  }

 private:
  template <class T>
  struct Rule {
    T beta1, input1, beta2, input2, rate;
    WeightDecay<T> decay;

    Rule(const LionOptions& o, Role role)
        : beta1(T(o.beta1)),
          input1(T(1 - o.beta1)),
          beta2(T(o.beta2)),
          input2(T(1 - o.beta2)),
          rate(T(o.learning_rate)),
          decay(o, role) {}

    void operator()(Batch<T>& value, Batch<T> grad, Batch<T>& m) const {
      decay.apply(value, grad);
      const Batch<T> direction = fma(broadcast(beta1), m, broadcast(input1) * grad);
      const Batch<T> zero = broadcast(T(0)), step = broadcast(rate);
      m = fma(broadcast(beta2), m, broadcast(input2) * grad);
      const Batch<T> down = select(direction < zero, value + step, value);  // 0 has no sign; NaN reaches the weight
      value = select(direction > zero, value - step, select(direction == direction, down, direction));
    }
  };

  void check_options() const {
    check_option("Lion", "learning_rate", options.learning_rate, 0, largest_rate);
    check_option("Lion", "weight_decay", options.weight_decay, 0, largest_rate);
    check_option("Lion", "beta1", options.beta1, 0, 1, Bound::open);
    check_option("Lion", "beta2", options.beta2, 0, 1, Bound::open);
  }
};

}  // namespace heed::inline HEED_ABI
