#pragma once
// Gradient accumulation: a batch that does not fit is run as several micro-batches whose gradients make the gradient of
// the mean over all counted tokens, not the mean of the micro-batches' means, and without a second gradient in memory.

#include <cmath>
#include <string>

#include <heed/train/clip.hpp>

namespace heed::inline HEED_ABI {

/// Joins the gradients of means over micro-batches, weighted by what each mean divides by.
///
///   GradientMean mean;
///   set_zero(grad);
///   for (const TokenBatch& part : parts) {
///     const auto loss = model.loss(part, {}, &cache);
///     mean.begin(grad, loss.weight);  // between loss and backward
///     model.backward(cache, grad);
///   }
///   mean.finish(grad);                // now the gradient of the mean over all parts; then clip and step
///
/// While parts are added, grad is the weighted sum over the weight of the part that comes: a part's backward adds its
/// own mean as it is. One part alone leaves the bits of a step without accumulation.
struct GradientMean {
  double total = 0;  // weight of all parts begun
  double last = 0;   // weight of the last part that counted

  /// Prepares grad for the backward of a part whose mean divides by `weight` (CrossEntropyLoss::weight, or the number
  /// of samples). A part of weight 0 adds nothing. Throws heed::Error for a weight that is negative or not finite.
  template <class Model>
  void begin(Model& grad, double weight, ExecutorRef executor = default_executor()) {
    check(weight >= 0 && std::isfinite(weight), [&] {
      return "GradientMean::begin: weight is " + std::to_string(weight) + ", wanted a finite number from 0 up";
    });
    if (weight == 0) return;
    if (last != 0) scale(grad, last / weight, executor);
    total += weight;
    last = weight;
  }

  /// Makes grad the gradient of the mean over all parts and starts anew. Nothing counted: grad is left as it is.
  template <class Model>
  void finish(Model& grad, ExecutorRef executor = default_executor()) {
    if (total != last) scale(grad, last / total, executor);
    total = last = 0;
  }

 private:
  template <class Model>
  static void scale(Model& grad, double factor, ExecutorRef executor) {
    for_each_parameter(
        [&](std::string_view, Role role, auto& tensor) {
          if (role != Role::buffer) detail::scale_elements(tensor.data(), tensor.size(), factor, executor);
        },
        grad);
  }
};

}  // namespace heed::inline HEED_ABI
