#pragma once
// Stochastic gradient descent with momentum, dampening, Nesterov's look-ahead and weight decay.
// I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

enum class Momentum { classical, nesterov };

struct SgdOptions {
  double learning_rate = 1e-2;
  double momentum = 0;   // 0: none
  double dampening = 0;  // torch only: buffer = momentum * buffer + (1 - dampening) * gradient
  Momentum kind = Momentum::classical;
  double weight_decay = 0;  // not for Role::no_decay
  Decay decay = Decay::l2;
  Convention convention = Convention::torch;  // keras: the learning rate is inside the buffer
  FrozenFilter frozen = {};
};

/// Sgd optimizer(model, {.learning_rate = 0.1}); optimizer.step(model, grad). The learning rate may be changed between
/// steps: optimizer.options.learning_rate = schedule(step).
template <class Model>
struct Sgd {
  SgdOptions options;
  Tensor<double, 1> progress = step_state(1);  // steps done
  Model velocity;                              // the momentum buffer

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("velocity", self.velocity...);
  }

  Sgd() = default;
  /// Throws heed::Error for a rate, momentum or decay outside its range.
  explicit Sgd(const Model& model, SgdOptions chosen = {}) : options(std::move(chosen)), velocity(zeros_like(model)) {
    check_options();
  }

  /// model -= learning_rate * direction, in place; grad is not changed. grad has the model's structure and shapes.
  void step(Model& model, const Model& grad, ExecutorRef executor = default_executor()) {
    check_options();
    const bool first = progress(0) == 0;
    step_parameters([&]<class T>(T, Role role) { return Rule<T>(options, role, first); }, options.frozen, executor,
                    model, grad, velocity);
    progress(0) += 1;
  }

 private:
  template <class T>
  struct Rule {
    T rate, momentum, input;
    WeightDecay<T> decay;
    Momentum kind;
    Convention convention;

    Rule(const SgdOptions& o, Role role, bool first)
        : rate(T(o.learning_rate)),
          momentum(T(o.momentum)),
          input(T(first ? 1 : 1 - o.dampening)),
          decay(o, role),
          kind(o.kind),
          convention(o.convention) {}

    void operator()(Batch<T>& value, Batch<T> grad, Batch<T>& buffer) const {
      decay.apply(value, grad);
      if (momentum == T(0)) {
        value = fnma(broadcast(rate), grad, value);
      } else if (convention == Convention::keras) {
        buffer = fnma(broadcast(rate), grad, buffer * broadcast(momentum));
        value += kind == Momentum::nesterov ? fnma(broadcast(rate), grad, buffer * broadcast(momentum)) : buffer;
      } else {
        buffer = fma(broadcast(momentum), buffer, broadcast(input) * grad);
        const Batch<T> step = kind == Momentum::nesterov ? fma(broadcast(momentum), buffer, grad) : buffer;
        value = fnma(broadcast(rate), step, value);
      }
    }
  };

  void check_options() const {
    check_common_options("Sgd", options);
    check_option("Sgd", "momentum", options.momentum, 0, largest_rate);
    check_option("Sgd", "dampening", options.dampening, -largest_rate, largest_rate);
    const bool plain = options.momentum > 0 && options.dampening == 0;
    check(options.kind == Momentum::classical || plain,
          [] { return std::string("Sgd: kind is nesterov, wanted with it a momentum above 0 and no dampening"); });
  }
};

}  // namespace heed::inline HEED_ABI
