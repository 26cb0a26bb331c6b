#pragma once
// The exponential moving average of a model's parameters, which often does better than the parameters of any one step.
//   B. T. Polyak, A. B. Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; the warm-up of the
//   decay is TensorFlow's: min(decay, (1 + n) / (warmup + n)) at update n, so that the start is forgotten early.

#include <algorithm>
#include <utility>

#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

struct EmaOptions {
  double decay = 0.999;
  double warmup = 10;  // 0: the decay is the same from the first update on
};

/// Ema average(model); after each step average.update(model); to validate with the average
///   { const auto averaged = average.swapped_into(model); validate(model); }
/// `fields` save and load its state as a model's.
template <class Model>
struct Ema {
  EmaOptions options;
  Tensor<double, 1> progress = step_state(1);  // updates done
  Model average;

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("average", self.average...);
  }

  Ema() = default;
  /// Starts from the model as it is. Throws heed::Error for a decay outside 0 to 1 or a negative warmup.
  explicit Ema(const Model& model, EmaOptions chosen = {}) : options(chosen), average(model) { check_options(); }

  /// What the next update keeps of the average.
  double next_decay() const {
    const double count = progress(0);
    return options.warmup > 0 ? std::min(options.decay, (1 + count) / (options.warmup + count)) : options.decay;
  }

  /// average = decay * average + (1 - decay) * model; buffers (running statistics) are copied. The model has the
  /// structure and shapes of the first one. Bits depend on no thread count.
  void update(const Model& model, ExecutorRef executor = default_executor()) {
    check_options();
    for_each_parameter([](std::string_view, Role, const auto&, const auto&) {}, average, model);
    const double input = 1 - next_decay();
    for_each_parameter(
        [&](std::string_view, Role role, auto& mean, const auto& value) {
          if (role == Role::buffer) {
            mean = value;
            return;
          }
          using T = scalar_t<decltype(mean)>;
          const auto rule = [input](Batch<T>& m, const Batch<T>& x) { m = fma(broadcast(T(input)), x - m, m); };
          detail::step_tensor<T>(rule, mean.data(), value.data(), detail::ElementPointers<T, 0>{}, mean.size(),
                                 executor);
        },
        average, model);
    progress(0) += 1;
  }

  /// Exchanges the average's parameters and the model's. Twice is as before; no update may come between.
  void swap(Model& model) {
    for_each_parameter([](std::string_view, Role, const auto&, const auto&) {}, average, model);
    for_each_parameter([](std::string_view, Role, auto& mean,
                          auto& value) { std::swap_ranges(mean.data(), mean.data() + mean.size(), value.data()); },
                       average, model);
  }

  /// The average stands in the model as long as this lives.
  class Swapped {
   public:
    Swapped(Ema& ema, Model& model) : ema_(&ema), model_(&model) { ema.swap(model); }
    Swapped(const Swapped&) = delete;
    Swapped& operator=(const Swapped&) = delete;
    ~Swapped() { ema_->swap(*model_); }

   private:
    Ema* ema_;
    Model* model_;
  };
  [[nodiscard]] Swapped swapped_into(Model& model) { return Swapped(*this, model); }

 private:
  void check_options() const {
    check_option("Ema", "decay", options.decay, 0, 1);
    check_option("Ema", "warmup", options.warmup, 0, largest_rate);
  }
};

}  // namespace heed::inline HEED_ABI
