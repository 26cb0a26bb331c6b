// optimizer: steps of Keras' optimizers.

#include <heed/train/adagrad.hpp>
#include <heed/train/adam.hpp>
#include <heed/train/clip.hpp>
#include <heed/train/lion.hpp>
#include <heed/train/nadam.hpp>
#include <heed/train/rmsprop.hpp>
#include <heed/train/sgd.hpp>

#include "optimizer_steps.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

/// What Keras does to a gradient before any optimizer sees it.
template <class T>
std::function<void(Pair<T>&)> keras_clipping(const Case& golden) {
  refuse_options(golden, {"use_ema", "loss_scale_factor", "gradient_accumulation_steps"});
  const auto limit = [&](const char* name) { return golden.option<double>(name, -1); };
  const double each = limit("clipnorm"), global = limit("global_clipnorm"), value = limit("clipvalue");
  return [=](Pair<T>& grad) {
    if (each >= 0) heed::clip_each_by_norm(grad, {.limit = each, .convention = heed::Convention::keras});
    if (global >= 0) heed::clip_by_global_norm(grad, {.limit = global, .convention = heed::Convention::keras});
    if (value >= 0) heed::clip_by_value(grad, value);
  };
}

template <class T>
void run_keras_sgd(Case& golden) {
  run_steps<T, heed::Sgd<Pair<T>>>(
      golden,
      {.learning_rate = golden.option<double>("learning_rate"),
       .momentum = golden.option<double>("momentum", 0),
       .kind = golden.option<bool>("nesterov", false) ? heed::Momentum::nesterov : heed::Momentum::classical,
       .weight_decay = golden.option<double>("weight_decay", 0),
       .decay = heed::Decay::decoupled,
       .convention = heed::Convention::keras},
      keras_clipping<T>(golden));
}

template <class T>
void run_keras_adam(Case& golden) {
  run_steps<T, heed::Adam<Pair<T>>>(
      golden,
      {.learning_rate = golden.option<double>("learning_rate"),
       .beta1 = golden.option<double>("beta_1"),
       .beta2 = golden.option<double>("beta_2"),
       .epsilon = golden.option<double>("epsilon"),
       .weight_decay = golden.option<double>("weight_decay", 0),
       .decay = heed::Decay::decoupled,
       .second_moment =
           golden.option<bool>("amsgrad", false) ? heed::SecondMoment::largest : heed::SecondMoment::average,
       .convention = heed::Convention::keras},
      keras_clipping<T>(golden));
}

template <class T>
void run_keras_rmsprop(Case& golden) {
  run_steps<T, heed::Rmsprop<Pair<T>>>(
      golden,
      {.learning_rate = golden.option<double>("learning_rate"),
       .smoothing = golden.option<double>("rho"),
       .epsilon = golden.option<double>("epsilon"),
       .momentum = golden.option<double>("momentum", 0),
       .mean_square = golden.option<bool>("centered", false) ? heed::MeanSquare::centered : heed::MeanSquare::plain,
       .weight_decay = golden.option<double>("weight_decay", 0),
       .decay = heed::Decay::decoupled,
       .convention = heed::Convention::keras},
      keras_clipping<T>(golden));
}

template <class T>
void run_keras_adagrad(Case& golden) {
  run_steps<T, heed::Adagrad<Pair<T>>>(golden,
                                       {.learning_rate = golden.option<double>("learning_rate"),
                                        .epsilon = golden.option<double>("epsilon"),
                                        .initial_sum = golden.option<double>("initial_accumulator_value"),
                                        .weight_decay = golden.option<double>("weight_decay", 0),
                                        .decay = heed::Decay::decoupled,
                                        .convention = heed::Convention::keras},
                                       keras_clipping<T>(golden));
}

template <class T>
void run_keras_nadam(Case& golden) {
  run_steps<T, heed::Nadam<Pair<T>>>(golden,
                                     {.learning_rate = golden.option<double>("learning_rate"),
                                      .beta1 = golden.option<double>("beta_1"),
                                      .beta2 = golden.option<double>("beta_2"),
                                      .epsilon = golden.option<double>("epsilon"),
                                      .momentum_decay = 1,
                                      .weight_decay = golden.option<double>("weight_decay", 0),
                                      .decay = heed::Decay::decoupled},
                                     keras_clipping<T>(golden));
}

template <class T>
void run_keras_lion(Case& golden) {
  run_steps<T, heed::Lion<Pair<T>>>(golden,
                                    {.learning_rate = golden.option<double>("learning_rate"),
                                     .beta1 = golden.option<double>("beta_1"),
                                     .beta2 = golden.option<double>("beta_2"),
                                     .weight_decay = golden.option<double>("weight_decay", 0)},
                                    keras_clipping<T>(golden));
}

}  // namespace

void add_keras_optimizer(Registry& registry) {
  registry.add("keras.optimizers.SGD", run_keras_sgd<float>, run_keras_sgd<double>);
  registry.add("keras.optimizers.Adam", run_keras_adam<float>, run_keras_adam<double>);
  registry.add("keras.optimizers.AdamW", run_keras_adam<float>, run_keras_adam<double>);
  registry.add("keras.optimizers.RMSprop", run_keras_rmsprop<float>, run_keras_rmsprop<double>);
  registry.add("keras.optimizers.Adagrad", run_keras_adagrad<float>, run_keras_adagrad<double>);
  registry.add("keras.optimizers.Nadam", run_keras_nadam<float>, run_keras_nadam<double>);
  registry.add("keras.optimizers.Lion", run_keras_lion<float>, run_keras_lion<double>);
}

}  // namespace conformance
