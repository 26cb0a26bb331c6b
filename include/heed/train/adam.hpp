#pragma once
// Adam, AMSGrad and AdamW: step = m' / (sqrt(v') + epsilon) with the bias-corrected moments of the gradient.
// D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1; S. Reddi et al., "On the
// Convergence of Adam and Beyond", ICLR 2018 (AMSGrad). AdamW is .decay = Decay::decoupled. Moments are of the
// model's type.

#include <optional>

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

enum class SecondMoment { average, largest };  // largest: AMSGrad

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;    // Keras' own default is 1e-7
  double weight_decay = 0;  // not for Role::no_decay
  Decay decay = Decay::l2;  // decoupled: AdamW
  SecondMoment second_moment = SecondMoment::average;
  Convention convention = Convention::torch;  // below the line: torch sqrt(v / (1 - beta2^t)) + epsilon, keras
                                              // sqrt(v) + epsilon with the correction outside
  FrozenFilter frozen = {};
};

/// Adam optimizer(model, {.learning_rate = 1e-3}); optimizer.step(model, grad). The learning rate may be changed
/// between steps: optimizer.options.learning_rate = schedule(step).
template <class Model>
struct Adam {
  AdamOptions options;
  Tensor<double, 1> progress = step_state(1);  // steps done
  Model first, second;                         // averages of the gradient and of its square
  std::optional<Model> largest;                // of `second`, AMSGrad only

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("first", self.first...);
    visit("second", self.second...);
    visit("largest", self.largest...);
  }

  Adam() = default;
  /// Throws heed::Error for a rate, beta, epsilon or decay outside its range.
  explicit Adam(const Model& model, AdamOptions chosen = {})
      : options(std::move(chosen)), first(zeros_like(model)), second(first) {
    check_options();
    if (options.second_moment == SecondMoment::largest) largest = first;
  }

  /// model -= learning_rate * direction, in place; grad is not changed. grad has the model's structure and shapes.
  void step(Model& model, const Model& grad, ExecutorRef executor = default_executor()) {
    check_options();
    const double count = progress(0) + 1;
    const auto rule = [&]<class T>(T, Role role) { return Rule<T>(options, role, count); };
    if (options.second_moment == SecondMoment::largest) {
      check(largest.has_value(), [] { return std::string("Adam: second_moment was changed after construction"); });
      step_parameters(rule, options.frozen, executor, model, grad, first, second, *largest);
    } else {
      step_parameters(rule, options.frozen, executor, model, grad, first, second);
    }
    progress(0) = count;
  }

 private:
  template <class T>
  struct Rule {
    T beta1, input1, beta2, input2, rate, root_scale, epsilon;
    WeightDecay<T> decay;

    // value -= rate * m / (sqrt(v) * root_scale + epsilon); both conventions are this with other constants
    Rule(const AdamOptions& o, Role role, double count)
        : beta1(T(o.beta1)),
          input1(T(1 - o.beta1)),
          beta2(T(o.beta2)),
          input2(T(1 - o.beta2)),
          epsilon(T(o.epsilon)),
          decay(o, role) {
      const double correction1 = 1 - std::pow(o.beta1, count);
      const double correction2 = std::sqrt(1 - std::pow(o.beta2, count));
      const bool torch = o.convention == Convention::torch;
      rate = T(o.learning_rate / correction1 * (torch ? 1 : correction2));
      root_scale = T(torch ? 1 / correction2 : 1);
    }

    void operator()(Batch<T>& value, Batch<T> grad, Batch<T>& m, Batch<T>& v) const {
      moments(value, grad, m, v);
      apply(value, m, v);
    }
    void operator()(Batch<T>& value, Batch<T> grad, Batch<T>& m, Batch<T>& v, Batch<T>& peak) const {
      moments(value, grad, m, v);
      peak = maximum(peak, v);
      apply(value, m, peak);
    }

   private:
    void moments(Batch<T>& value, Batch<T> grad, Batch<T>& m, Batch<T>& v) const {
      decay.apply(value, grad);
      m = fma(broadcast(beta1), m, broadcast(input1) * grad);
      v = fma(broadcast(beta2), v, broadcast(input2) * grad * grad);
    }
    void apply(Batch<T>& value, const Batch<T>& m, const Batch<T>& v) const {
      const Batch<T> root = fma(sqrt(v), broadcast(root_scale), broadcast(epsilon));
      value = fnma(broadcast(rate), divide(m, root), value);
    }
  };

  void check_options() const {
    check_common_options("Adam", options);
    check_option("Adam", "beta1", options.beta1, 0, 1, Bound::open);
    check_option("Adam", "beta2", options.beta2, 0, 1, Bound::open);
  }
};

}  // namespace heed::inline HEED_ABI
