#pragma once
// NAdam: Adam with Nesterov's look-ahead.
// T. Dozat, "Incorporating Nesterov Momentum into Adam", ICLR 2016 workshop, algorithm 2.

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

struct NadamOptions {
  double learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;          // Keras' own default is 1e-7
  double momentum_decay = 0.004;  // beta1_t = beta1 (1 - 0.96^(t momentum_decay) / 2); Keras has 1
  double weight_decay = 0;        // not for Role::no_decay
  Decay decay = Decay::l2;
  FrozenFilter frozen = {};
};

/// Nadam optimizer(model); optimizer.step(model, grad).
template <class Model>
struct Nadam {
  NadamOptions options;
  Tensor<double, 1> progress = step_state(2);  // steps done, product of all beta1_t
  Model first, second;                         // averages of the gradient and of its square

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("first", self.first...);
    visit("second", self.second...);
  }

  Nadam() = default;
  /// Throws heed::Error for an option outside its range.
  explicit Nadam(const Model& model, NadamOptions chosen = {})
      : options(std::move(chosen)), first(zeros_like(model)), second(first) {
    check_options();
  }

  /// model -= learning_rate * direction, in place; grad is not changed. grad has the model's structure and shapes.
  void step(Model& model, const Model& grad, ExecutorRef executor = default_executor()) {
    check_options();
    const double count = progress(0) + 1, now = momentum(count), next = momentum(count + 1);
    // PyTorch keeps this product in float whatever the model's type; so that the same steps follow, so does heed
    const double product = static_cast<float>(progress(0) == 0 ? 1 : progress(1)) * static_cast<float>(now);
    const double of_grad = options.learning_rate * (1 - now) / (1 - product);
    const double of_mean = options.learning_rate * next / (1 - product * next);
    const double correction = std::sqrt(1 - std::pow(options.beta2, count));
    step_parameters([&]<class T>(T, Role role) { return Rule<T>(options, role, of_grad, of_mean, correction); },
                    options.frozen, executor, model, grad, first, second);
    progress(0) = count;
    progress(1) = product;
  }

 private:
  double momentum(double count) const {
    return options.beta1 * (1 - 0.5 * std::pow(0.96, count * options.momentum_decay));
  }

  template <class T>
  struct Rule {
    T beta1, input1, beta2, input2, epsilon, root_scale, of_grad, of_mean;
    WeightDecay<T> decay;

    Rule(const NadamOptions& o, Role role, double grad_rate, double mean_rate, double correction)
        : beta1(T(o.beta1)),
          input1(T(1 - o.beta1)),
          beta2(T(o.beta2)),
          input2(T(1 - o.beta2)),
          epsilon(T(o.epsilon)),
          root_scale(T(1 / correction)),
          of_grad(T(grad_rate)),
          of_mean(T(mean_rate)),
          decay(o, role) {}

    void operator()(Batch<T>& value, Batch<T> grad, Batch<T>& m, Batch<T>& v) const {
      decay.apply(value, grad);
      m = fma(broadcast(beta1), m, broadcast(input1) * grad);
      v = fma(broadcast(beta2), v, broadcast(input2) * grad * grad);
      const Batch<T> root = fma(sqrt(v), broadcast(root_scale), broadcast(epsilon));
      value -= divide(fma(broadcast(of_mean), m, broadcast(of_grad) * grad), root);
    }
  };

  void check_options() const {
    check_common_options("Nadam", options);
    check_option("Nadam", "beta1", options.beta1, 0, 1, Bound::open);
    check_option("Nadam", "beta2", options.beta2, 0, 1, Bound::open);
    check_option("Nadam", "momentum_decay", options.momentum_decay, 0, largest_rate);
  }
};

}  // namespace heed::inline HEED_ABI
