// optimizer: steps of torch's and Keras' optimizers, and gradient clipping.

#include <functional>

#include <heed/train/adadelta.hpp>
#include <heed/train/adagrad.hpp>
#include <heed/train/adam.hpp>
#include <heed/train/clip.hpp>
#include <heed/train/lion.hpp>
#include <heed/train/nadam.hpp>
#include <heed/train/radam.hpp>
#include <heed/train/rmsprop.hpp>
#include <heed/train/sgd.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

/// The two tensors of every case.
template <class T>
struct Pair {
  Tensor<T, 2> w;
  Tensor<T, 1> b;
  static void fields(auto&& visit, auto&... self) {
    visit("w", self.w...);
    visit("b", self.b...);
  }
};

/// X_0 and grad_X_1 ... of a case.
template <class T>
Pair<T> given_pair(const Case& golden, const std::string& before, const std::string& after) {
  return {golden.given<T, 2>(before + "w" + after), golden.given<T, 1>(before + "b" + after)};
}

/// Steps as often as there are gradients and hands back the weights after each; change(grad) comes before each step.
template <class T, class Optimizer>
void run_steps(Case& golden, typename std::type_identity_t<decltype(Optimizer::options)> options,
               const std::function<void(Pair<T>&)>& change = {}) {
  Pair<T> model = given_pair<T>(golden, "", "_0");
  Optimizer optimizer(model, std::move(options));
  for (int step = 1; golden.gives("grad_w_" + std::to_string(step)); ++step) {
    const std::string at = "_" + std::to_string(step);
    Pair<T> grad = given_pair<T>(golden, "grad_", at);
    if (change) change(grad);
    optimizer.step(model, grad);
    golden.answer("w" + at, model.w);
    golden.answer("b" + at, model.b);
  }
}

/// Options that are set and that heed does not know make another optimizer.
void refuse_options(const Case& golden, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (golden.has_option(name) && golden.option<bool>(name)) throw NotOffered(std::string("the option ") + name);
  }
}

template <class T>
void run_torch_sgd(Case& golden) {
  refuse_options(golden, {"maximize"});
  run_steps<T, heed::Sgd<Pair<T>>>(
      golden, {.learning_rate = golden.option<double>("lr"),
               .momentum = golden.option<double>("momentum", 0),
               .dampening = golden.option<double>("dampening", 0),
               .kind = golden.option<bool>("nesterov", false) ? heed::Momentum::nesterov : heed::Momentum::classical,
               .weight_decay = golden.option<double>("weight_decay", 0)});
}

template <class T>
void run_torch_adam(Case& golden) {
  refuse_options(golden, {"maximize"});
  const auto betas = golden.option<std::vector<double>>("betas");
  const bool decoupled =
      golden.operation() == "torch.optim.AdamW" || golden.option<bool>("decoupled_weight_decay", false);
  run_steps<T, heed::Adam<Pair<T>>>(
      golden, {.learning_rate = golden.option<double>("lr"),
               .beta1 = betas.at(0),
               .beta2 = betas.at(1),
               .epsilon = golden.option<double>("eps"),
               .weight_decay = golden.option<double>("weight_decay", 0),
               .decay = decoupled ? heed::Decay::decoupled : heed::Decay::l2,
               .second_moment = golden.option<bool>("amsgrad", false) ? heed::SecondMoment::largest
                                                                      : heed::SecondMoment::average});
}

template <class T>
void run_torch_rmsprop(Case& golden) {
  refuse_options(golden, {"maximize"});
  run_steps<T, heed::Rmsprop<Pair<T>>>(
      golden, {.learning_rate = golden.option<double>("lr"),
               .smoothing = golden.option<double>("alpha"),
               .epsilon = golden.option<double>("eps"),
               .momentum = golden.option<double>("momentum", 0),
               .mean_square = golden.option<bool>("centered", false) ? heed::MeanSquare::centered : heed::MeanSquare::plain,
               .weight_decay = golden.option<double>("weight_decay", 0)});
}

template <class T>
void run_torch_adagrad(Case& golden) {
  refuse_options(golden, {"maximize"});
  run_steps<T, heed::Adagrad<Pair<T>>>(golden, {.learning_rate = golden.option<double>("lr"),
                                                .rate_decay = golden.option<double>("lr_decay", 0),
                                                .epsilon = golden.option<double>("eps"),
                                                .initial_sum = golden.option<double>("initial_accumulator_value", 0),
                                                .weight_decay = golden.option<double>("weight_decay", 0)});
}

template <class T>
void run_torch_adadelta(Case& golden) {
  refuse_options(golden, {"maximize"});
  run_steps<T, heed::Adadelta<Pair<T>>>(golden, {.learning_rate = golden.option<double>("lr"),
                                                 .smoothing = golden.option<double>("rho"),
                                                 .epsilon = golden.option<double>("eps"),
                                                 .weight_decay = golden.option<double>("weight_decay", 0)});
}

heed::Decay torch_decay(const Case& golden) {
  return golden.option<bool>("decoupled_weight_decay", false) ? heed::Decay::decoupled : heed::Decay::l2;
}

template <class T>
void run_torch_nadam(Case& golden) {
  refuse_options(golden, {"maximize"});
  const auto betas = golden.option<std::vector<double>>("betas");
  run_steps<T, heed::Nadam<Pair<T>>>(golden, {.learning_rate = golden.option<double>("lr"),
                                              .beta1 = betas.at(0),
                                              .beta2 = betas.at(1),
                                              .epsilon = golden.option<double>("eps"),
                                              .momentum_decay = golden.option<double>("momentum_decay"),
                                              .weight_decay = golden.option<double>("weight_decay", 0),
                                              .decay = torch_decay(golden)});
}

template <class T>
void run_torch_radam(Case& golden) {
  refuse_options(golden, {"maximize"});
  const auto betas = golden.option<std::vector<double>>("betas");
  run_steps<T, heed::Radam<Pair<T>>>(golden, {.learning_rate = golden.option<double>("lr"),
                                              .beta1 = betas.at(0),
                                              .beta2 = betas.at(1),
                                              .epsilon = golden.option<double>("eps"),
                                              .weight_decay = golden.option<double>("weight_decay", 0),
                                              .decay = torch_decay(golden)});
}

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
  run_steps<T, heed::Adam<Pair<T>>>(golden,
                                    {.learning_rate = golden.option<double>("learning_rate"),
                                     .beta1 = golden.option<double>("beta_1"),
                                     .beta2 = golden.option<double>("beta_2"),
                                     .epsilon = golden.option<double>("epsilon"),
                                     .weight_decay = golden.option<double>("weight_decay", 0),
                                     .decay = heed::Decay::decoupled,
                                     .second_moment = golden.option<bool>("amsgrad", false)
                                                          ? heed::SecondMoment::largest
                                                          : heed::SecondMoment::average,
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

/// Two gradients of rank 1 and 2, clipped together.
template <class T>
struct TwoGradients {
  Tensor<T, 2> a;
  Tensor<T, 1> b;
  static void fields(auto&& visit, auto&... self) {
    visit("a", self.a...);
    visit("b", self.b...);
  }
};

template <class T>
void run_clipping(Case& golden) {
  const auto kind = golden.option<std::string>("kind");
  const double limit = golden.option<double>("limit");
  TwoGradients<T> grad{golden.given<T, 2>("grad_a"), golden.given<T, 1>("grad_b")};
  if (kind.starts_with("norm2") || kind == "norm_inf") {
    const heed::Norm norm = kind == "norm_inf" ? heed::Norm::largest : heed::Norm::euclidean;
    golden.answer_number("total_norm", heed::clip_by_global_norm(grad, {.limit = limit, .norm = norm}));
  } else if (kind == "value") {
    heed::clip_by_value(grad, limit);
  } else {
    throw NotOffered("gradient clipping by " + kind);
  }
  golden.answer("clipped_a", grad.a);
  golden.answer("clipped_b", grad.b);
}

}  // namespace

void add_optimizer(Registry& registry) {
  registry.add("torch.optim.SGD", run_torch_sgd<float>, run_torch_sgd<double>);
  registry.add("torch.optim.Adam", run_torch_adam<float>, run_torch_adam<double>);
  registry.add("torch.optim.AdamW", run_torch_adam<float>, run_torch_adam<double>);
  registry.add("torch.optim.RMSprop", run_torch_rmsprop<float>, run_torch_rmsprop<double>);
  registry.add("keras.optimizers.SGD", run_keras_sgd<float>, run_keras_sgd<double>);
  registry.add("keras.optimizers.Adam", run_keras_adam<float>, run_keras_adam<double>);
  registry.add("keras.optimizers.AdamW", run_keras_adam<float>, run_keras_adam<double>);
  registry.add("keras.optimizers.RMSprop", run_keras_rmsprop<float>, run_keras_rmsprop<double>);
  registry.add("torch.optim.Adagrad", run_torch_adagrad<float>, run_torch_adagrad<double>);
  registry.add("torch.optim.Adadelta", run_torch_adadelta<float>, run_torch_adadelta<double>);
  registry.add("torch.optim.NAdam", run_torch_nadam<float>, run_torch_nadam<double>);
  registry.add("torch.optim.RAdam", run_torch_radam<float>, run_torch_radam<double>);
  registry.add("keras.optimizers.Adagrad", run_keras_adagrad<float>, run_keras_adagrad<double>);
  registry.add("keras.optimizers.Nadam", run_keras_nadam<float>, run_keras_nadam<double>);
  registry.add("keras.optimizers.Lion", run_keras_lion<float>, run_keras_lion<double>);
  registry.add("gradient clipping", run_clipping<float>, run_clipping<double>);
}

}  // namespace conformance
