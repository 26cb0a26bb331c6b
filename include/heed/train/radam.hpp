#pragma once
// RAdam: Adam whose adaptive rate is scaled by how well its variance is known, and left out while it is not.
// L. Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020, algorithm 2.

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

struct RadamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // not for Role::no_decay
  Decay decay = Decay::l2;
  FrozenFilter frozen = {};
};

/// Radam optimizer(model); optimizer.step(model, grad).
template <class Model>
struct Radam {
  RadamOptions options;
  Tensor<double, 1> progress = step_state(1);  // steps done
  Model first, second;                         // averages of the gradient and of its square

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("first", self.first...);
    visit("second", self.second...);
  }

  Radam() = default;
  /// Throws heed::Error for an option outside its range.
  explicit Radam(const Model& model, RadamOptions chosen = {})
      : options(std::move(chosen)), first(zeros_like(model)), second(first) {
    check_options();
  }

  /// model -= learning_rate * direction, in place; grad is not changed. grad has the model's structure and shapes.
  void step(Model& model, const Model& grad, ExecutorRef executor = default_executor()) {
    check_options();
    const double count = progress(0) + 1;
    step_parameters([&]<class T>(T, Role role) { return Rule<T>(options, role, count); }, options.frozen, executor,
                    model, grad, first, second);
    progress(0) = count;
  }

 private:
  template <class T>
  struct Rule {
    T beta1, input1, beta2, input2, epsilon, rate;
    bool adaptive;
    WeightDecay<T> decay;

    Rule(const RadamOptions& o, Role role, double count)
        : beta1(T(o.beta1)),
          input1(T(1 - o.beta1)),
          beta2(T(o.beta2)),
          input2(T(1 - o.beta2)),
          epsilon(T(o.epsilon)),
          decay(o, role) {
      const double power = std::pow(o.beta2, count);
      const double longest = 2 / (1 - o.beta2) - 1;  // the length of the average, in the limit and now
      const double length = longest - 2 * count * power / (1 - power);
      const double plain = o.learning_rate / (1 - std::pow(o.beta1, count));
      adaptive = length > 5;
      const double known = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length);
      rate = T(adaptive ? plain * std::sqrt(known) * std::sqrt(1 - power) : plain);
    }

    void operator()(Batch<T>& value, Batch<T> grad, Batch<T>& m, Batch<T>& v) const {
      decay.apply(value, grad);
      m = fma(broadcast(beta1), m, broadcast(input1) * grad);
      v = fma(broadcast(beta2), v, broadcast(input2) * grad * grad);
      value = fnma(broadcast(rate), adaptive ? divide(m, sqrt(v) + broadcast(epsilon)) : m, value);
    }
  };

  void check_options() const {
    check_common_options("Radam", options);
    check_option("Radam", "beta1", options.beta1, 0, 1, Bound::open);
    check_option("Radam", "beta2", options.beta2, 0, 1, Bound::open);
  }
};

}  // namespace heed::inline HEED_ABI
