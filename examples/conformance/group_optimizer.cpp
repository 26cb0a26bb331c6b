// optimizer: steps of torch's optimizers, and gradient clipping.

#include <heed/train/adadelta.hpp>
#include <heed/train/adagrad.hpp>
#include <heed/train/adam.hpp>
#include <heed/train/clip.hpp>
#include <heed/train/nadam.hpp>
#include <heed/train/radam.hpp>
#include <heed/train/rmsprop.hpp>
#include <heed/train/sgd.hpp>

#include "optimizer_steps.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

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
               .second_moment =
                   golden.option<bool>("amsgrad", false) ? heed::SecondMoment::largest : heed::SecondMoment::average});
}

template <class T>
void run_torch_rmsprop(Case& golden) {
  refuse_options(golden, {"maximize"});
  run_steps<T, heed::Rmsprop<Pair<T>>>(
      golden,
      {.learning_rate = golden.option<double>("lr"),
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
  registry.add("torch.optim.Adagrad", run_torch_adagrad<float>, run_torch_adagrad<double>);
  registry.add("torch.optim.Adadelta", run_torch_adadelta<float>, run_torch_adadelta<double>);
  registry.add("torch.optim.NAdam", run_torch_nadam<float>, run_torch_nadam<double>);
  registry.add("torch.optim.RAdam", run_torch_radam<float>, run_torch_radam<double>);
  registry.add("gradient clipping", run_clipping<float>, run_clipping<double>);
}

}  // namespace conformance
