#pragma once
// RMSprop: the gradient over the root of its running mean square, optionally centred and with momentum.
// T. Tieleman, G. Hinton, "Lecture 6.5 - RMSProp", COURSERA 2012; centred: A. Graves, arXiv:1308.0850, eq. 38-45.

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

enum class MeanSquare {
  plain,
  centered
};  // centered: minus the square of the mean gradient, an estimate of the variance

struct RmspropOptions {
  double learning_rate = 1e-2;  // Keras' own default is 1e-3
  double smoothing = 0.99;      // torch's alpha, Keras' rho (0.9 there)
  double epsilon = 1e-8;        // Keras' own default is 1e-7
  double momentum = 0;
  MeanSquare mean_square = MeanSquare::plain;
  double weight_decay = 0;  // not for Role::no_decay
  Decay decay = Decay::l2;
  Convention convention = Convention::torch;  // torch: sqrt(v) + epsilon, the rate outside the momentum buffer; keras:
                                              // sqrt(v + epsilon), the rate inside
  FrozenFilter frozen = {};
};

/// Rmsprop optimizer(model, {.learning_rate = 1e-3}); optimizer.step(model, grad).
template <class Model>
struct Rmsprop {
  RmspropOptions options;
  Tensor<double, 1> progress = step_state(1);  // steps done
  Model square, mean, velocity;                // running mean square, mean gradient (centered), momentum buffer

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("square", self.square...);
    visit("mean", self.mean...);
    visit("velocity", self.velocity...);
  }

  Rmsprop() = default;
  /// Throws heed::Error for a rate, smoothing, epsilon, momentum or decay outside its range.
  explicit Rmsprop(const Model& model, RmspropOptions chosen = {})
      : options(std::move(chosen)), square(zeros_like(model)), mean(square), velocity(square) {
    check_options();
  }

  /// model -= learning_rate * direction, in place; grad is not changed. grad has the model's structure and shapes.
  void step(Model& model, const Model& grad, ExecutorRef executor = default_executor()) {
    check_options();
    step_parameters([&]<class T>(T, Role role) { return Rule<T>(options, role); }, options.frozen, executor, model,
                    grad, square, mean, velocity);
    progress(0) += 1;
  }

 private:
  template <class T>
  struct Rule {
    T rate, smoothing, input, epsilon, momentum;
    WeightDecay<T> decay;
    MeanSquare mean_square;
    Convention convention;

    Rule(const RmspropOptions& o, Role role)
        : rate(T(o.learning_rate)),
          smoothing(T(o.smoothing)),
          input(T(1 - o.smoothing)),
          epsilon(T(o.epsilon)),
          momentum(T(o.momentum)),
          decay(o, role),
          mean_square(o.mean_square),
          convention(o.convention) {}

    void operator()(Batch<T>& value, Batch<T> grad, Batch<T>& squares, Batch<T>& means, Batch<T>& buffer) const {
      decay.apply(value, grad);
      squares = fma(broadcast(smoothing), squares, broadcast(input) * grad * grad);
      Batch<T> power = squares;
      if (mean_square == MeanSquare::centered) {
        means = fma(broadcast(smoothing), means, broadcast(input) * grad);
        power = maximum(fnma(means, means, squares), broadcast(T(0)));  // a variance that rounding made negative is 0
      }
      const bool torch = convention == Convention::torch;
      Batch<T> step = divide(grad, torch ? sqrt(power) + broadcast(epsilon) : sqrt(power + broadcast(epsilon)));
      if (!torch) step *= broadcast(rate);
      if (momentum > T(0)) step = buffer = fma(broadcast(momentum), buffer, step);
      value = torch ? fnma(broadcast(rate), step, value) : value - step;
    }
  };

  void check_options() const {
    check_common_options("Rmsprop", options);
    check_option("Rmsprop", "smoothing", options.smoothing, 0, 1);
    check_option("Rmsprop", "momentum", options.momentum, 0, largest_rate);
  }
};

}  // namespace heed::inline HEED_ABI
