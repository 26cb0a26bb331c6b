#pragma once
// Adagrad: the gradient over the root of the sum of all its squares.
// J. Duchi, E. Hazan, Y. Singer, JMLR 2011.

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

struct AdagradOptions {
  double learning_rate = 1e-2;
  double rate_decay = 0;    // rate / (1 + steps done * rate_decay)
  double epsilon = 1e-10;   // Keras' own default is 1e-7
  double initial_sum = 0;   // Keras' own default is 0.1
  double weight_decay = 0;  // not for Role::no_decay
  Decay decay = Decay::l2;
  Convention convention = Convention::torch;  // torch: sqrt(sum) + epsilon; keras: sqrt(sum + epsilon)
  FrozenFilter frozen = {};
};

/// Adagrad optimizer(model, {.learning_rate = 0.1}); optimizer.step(model, grad).
template <class Model>
struct Adagrad {
  AdagradOptions options;
  Tensor<double, 1> progress = step_state(1);  // steps done
  Model square;                                // sum of squared gradients

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("square", self.square...);
  }

  Adagrad() = default;
  /// Throws heed::Error for an option outside its range.
  explicit Adagrad(const Model& model, AdagradOptions chosen = {}) : options(std::move(chosen)), square(model) {
    check_options();
    const double start = options.initial_sum;
    for_each_parameter(
        [start](std::string_view, Role, auto& tensor) { tensor.setConstant(scalar_t<decltype(tensor)>(start)); },
        square);
  }

  /// model -= learning_rate * direction, in place; grad is not changed. grad has the model's structure and shapes.
  void step(Model& model, const Model& grad, ExecutorRef executor = default_executor()) {
    check_options();
    const double rate = options.learning_rate / (1 + progress(0) * options.rate_decay);
    step_parameters([&]<class T>(T, Role role) { return Rule<T>(options, role, rate); }, options.frozen, executor,
                    model, grad, square);
    progress(0) += 1;
  }

 private:
  template <class T>
  struct Rule {
    T rate, epsilon;
    WeightDecay<T> decay;
    Convention convention;

    Rule(const AdagradOptions& o, Role role, double rate_now)
        : rate(T(rate_now)), epsilon(T(o.epsilon)), decay(o, role), convention(o.convention) {}

    void operator()(Batch<T>& value, Batch<T> grad, Batch<T>& squares) const {
      decay.apply(value, grad);
      squares = fma(grad, grad, squares);
      const Batch<T> root =
          convention == Convention::torch ? sqrt(squares) + broadcast(epsilon) : sqrt(squares + broadcast(epsilon));
      value = fnma(broadcast(rate), divide(grad, root), value);
    }
  };

  void check_options() const {
    check_common_options("Adagrad", options);
    check_option("Adagrad", "rate_decay", options.rate_decay, 0, largest_rate);
    check_option("Adagrad", "initial_sum", options.initial_sum, 0, largest_rate);
  }
};

}  // namespace heed::inline HEED_ABI
