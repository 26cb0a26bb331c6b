#pragma once
// Adadelta: steps in the weight's own unit, from running means of squared gradients and of squared steps.
// M. D. Zeiler, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701, algorithm 1.

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

struct AdadeltaOptions {
  double learning_rate = 1;
  double smoothing = 0.9;  // rho
  double epsilon = 1e-6;
  double weight_decay = 0;  // not for Role::no_decay
  Decay decay = Decay::l2;
  FrozenFilter frozen = {};
};

/// Adadelta optimizer(model); optimizer.step(model, grad).
template <class Model>
struct Adadelta {
  AdadeltaOptions options;
  Tensor<double, 1> progress = step_state(1);  // steps done
  Model square, moved;                         // running means of the squares of gradients and of steps

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("square", self.square...);
    visit("moved", self.moved...);
  }

  Adadelta() = default;
  /// Throws heed::Error for an option outside its range.
  explicit Adadelta(const Model& model, AdadeltaOptions chosen = {})
      : options(std::move(chosen)), square(zeros_like(model)), moved(square) {
    check_options();
  }

  /// model -= learning_rate * direction, in place; grad is not changed. grad has the model's structure and shapes.
  void step(Model& model, const Model& grad, ExecutorRef executor = default_executor()) {
    check_options();
    step_parameters([&]<class T>(T, Role role) { return Rule<T>(options, role); }, options.frozen, executor, model,
                    grad, square, moved);
    progress(0) += 1;
  }

 private:
  template <class T>
  struct Rule {
    T rate, smoothing, input, epsilon;
    WeightDecay<T> decay;

    Rule(const AdadeltaOptions& o, Role role)
        : rate(T(o.learning_rate)),
          smoothing(T(o.smoothing)),
          input(T(1 - o.smoothing)),
          epsilon(T(o.epsilon)),
          decay(o, role) {}

    void operator()(Batch<T>& value, Batch<T> grad, Batch<T>& squares, Batch<T>& steps) const {
      decay.apply(value, grad);
      squares = fma(broadcast(smoothing), squares, broadcast(input) * grad * grad);
      const Batch<T> step = divide(sqrt(steps + broadcast(epsilon)), sqrt(squares + broadcast(epsilon))) * grad;
      steps = fma(broadcast(smoothing), steps, broadcast(input) * step * step);
      value = fnma(broadcast(rate), step, value);
    }
  };

  void check_options() const {
    check_common_options("Adadelta", options);
    check_option("Adadelta", "smoothing", options.smoothing, 0, 1);
  }
};

}  // namespace heed::inline HEED_ABI
