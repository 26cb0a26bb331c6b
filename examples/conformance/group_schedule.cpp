// schedule: learning rates of torch's, Keras' and published formulas, step by step.

#include <functional>

#include <heed/train/cyclic_schedule.hpp>
#include <heed/train/plateau.hpp>
#include <heed/train/schedule.hpp>

#include "registry.hpp"

namespace conformance {
namespace {

using Schedule = std::function<double(Index)>;

/// Hands back the rates of steps 0, 1, 2, ..., and the steps themselves where a case asks for them.
void answer_rates(Case& golden, const Schedule& schedule) {
  const std::vector<Index> shape = golden.expected_shape("lr");
  std::vector<double> rates, steps;
  for (Index step = 0; step < shape.at(0); ++step) {
    steps.push_back(static_cast<double>(step));
    rates.push_back(schedule(step));
  }
  golden.answer("lr", shape, rates);
  if (golden.expects("step")) golden.answer("step", shape, steps);
}

double number(const Case& golden, const char* name) { return golden.option<double>(name); }
Index count(const Case& golden, const char* name) { return golden.option<Index>(name); }

Schedule torch_schedule(const Case& golden) {
  const std::string name = golden.operation().substr(golden.operation().rfind('.') + 1);
  const double base = number(golden, "base_lr");
  if (name == "StepLR") {
    return heed::StepSchedule{.rate = base, .steps = count(golden, "step_size"), .factor = number(golden, "gamma")};
  }
  if (name == "MultiStepLR") {
    return heed::MultiStepSchedule{
        .rate = base, .milestones = golden.option<std::vector<Index>>("milestones"), .factor = number(golden, "gamma")};
  }
  if (name == "ExponentialLR") return heed::ExponentialSchedule{.rate = base, .factor = number(golden, "gamma")};
  if (name == "CosineAnnealingLR") {
    return heed::CosineSchedule{.rate = base,
                                .steps = count(golden, "T_max"),
                                .minimum = number(golden, "eta_min"),
                                .after = heed::AfterEnd::go_on};
  }
  if (name == "CosineAnnealingWarmRestarts") {
    return heed::CosineRestartSchedule{.rate = base,
                                       .first_steps = count(golden, "T_0"),
                                       .step_factor = golden.option<double>("T_mult", 1),
                                       .minimum = number(golden, "eta_min")};
  }
  if (name == "LinearLR") {  // a polynomial of power 1 between two shares of the base rate
    return heed::PolynomialSchedule{.rate = base * number(golden, "start_factor"),
                                    .steps = count(golden, "total_iters"),
                                    .end = base * number(golden, "end_factor")};
  }
  if (name == "PolynomialLR") {
    return heed::PolynomialSchedule{
        .rate = base, .steps = count(golden, "total_iters"), .power = number(golden, "power")};
  }
  if (name == "OneCycleLR")
    return heed::OneCycleSchedule{.peak = number(golden, "max_lr"), .steps = count(golden, "total_steps")};
  throw NotOffered("the schedule " + name);
}

Schedule keras_schedule(const Case& golden) {
  const std::string name = golden.operation().substr(golden.operation().rfind('.') + 1);
  if (name == "PiecewiseConstantDecay") {
    return heed::PiecewiseSchedule{.boundaries = golden.option<std::vector<Index>>("boundaries"),
                                   .rates = golden.option<std::vector<double>>("values")};
  }
  const double rate = number(golden, "initial_learning_rate");
  const bool staircase = golden.option<bool>("staircase", false);
  if (name == "ExponentialDecay") {
    const Index steps = count(golden, "decay_steps");
    const double factor = number(golden, "decay_rate");
    if (staircase) return heed::StepSchedule{.rate = rate, .steps = steps, .factor = factor};
    return heed::ExponentialSchedule{.rate = rate, .factor = factor, .steps = steps};
  }
  if (name == "InverseTimeDecay" && !staircase) {
    return heed::InverseTimeSchedule{
        .rate = rate, .factor = number(golden, "decay_rate"), .steps = count(golden, "decay_steps")};
  }
  if (name == "PolynomialDecay") {
    using Repeat = heed::PolynomialSchedule::Repeat;
    return heed::PolynomialSchedule{.rate = rate,
                                    .steps = count(golden, "decay_steps"),
                                    .end = number(golden, "end_learning_rate"),
                                    .power = golden.option<double>("power", 1),
                                    .repeat = golden.option<bool>("cycle", false) ? Repeat::stretched : Repeat::no};
  }
  const double alpha = golden.option<double>("alpha", 0);
  if (name == "CosineDecay") {
    const double peak = golden.option<double>("warmup_target", rate);
    return heed::CosineSchedule{.rate = peak,
                                .steps = count(golden, "decay_steps"),
                                .minimum = alpha * peak,
                                .warmup = golden.option<Index>("warmup_steps", 0),
                                .warmup_rate = rate};
  }
  if (name == "CosineDecayRestarts") {
    return heed::CosineRestartSchedule{.rate = rate,
                                       .first_steps = count(golden, "first_decay_steps"),
                                       .step_factor = golden.option<double>("t_mul", 2),
                                       .peak_factor = golden.option<double>("m_mul", 1),
                                       .minimum = alpha * rate};
  }
  throw NotOffered("the schedule " + name);
}

void run_torch(Case& golden) { answer_rates(golden, torch_schedule(golden)); }
void run_keras(Case& golden) { answer_rates(golden, keras_schedule(golden)); }

void run_warmup_then_cosine(Case& golden) {
  const double base = number(golden, "base_lr");
  answer_rates(golden, heed::CosineSchedule{.rate = base,
                                            .steps = count(golden, "T_max"),
                                            .warmup = count(golden, "warmup"),
                                            .warmup_rate = base * number(golden, "start_factor"),
                                            .after = heed::AfterEnd::go_on});
}

void run_plateau(Case& golden) {
  using Improvement = heed::Improvement;
  const bool lower = golden.option<std::string>("mode") == "min";
  const bool relative = golden.option<std::string>("threshold_mode") == "rel";
  heed::PlateauSchedule plateau(
      {.rate = number(golden, "base_lr"),
       .factor = number(golden, "factor"),
       .patience = count(golden, "patience"),
       .cooldown = count(golden, "cooldown"),
       .minimum = number(golden, "min_lr"),
       .improvement = {lower ? Improvement::Direction::lower : Improvement::Direction::higher,
                       number(golden, "threshold"),
                       relative ? Improvement::Threshold::relative : Improvement::Threshold::absolute}});
  std::vector<double> rates;
  for (const double metric : golden.given_values<double>("metric")) rates.push_back(plateau(metric));
  golden.answer("lr", golden.given_shape("metric"), rates);
}

void run_noam(Case& golden) {
  answer_rates(golden, heed::NoamSchedule{.model_dim = count(golden, "d_model"),
                                          .warmup = count(golden, "warmup"),
                                          .factor = golden.option<double>("factor", 1)});
}

void run_cosine_cycles(Case& golden) {
  const Index warmup = count(golden, "warmup");
  answer_rates(golden, heed::CosineSchedule{.rate = number(golden, "base_lr"),
                                            .steps = std::max<Index>(1, count(golden, "total") - warmup),
                                            .warmup = warmup,
                                            .cycles = number(golden, "num_cycles"),
                                            .after = heed::AfterEnd::go_on});
}

void run_cosine_minimum(Case& golden) {
  const Index warmup = count(golden, "warmup");
  answer_rates(golden, heed::CosineSchedule{.rate = number(golden, "base_lr"),
                                            .steps = count(golden, "total") - warmup,
                                            .minimum = number(golden, "min_lr"),
                                            .warmup = warmup,
                                            .warmup_count = heed::WarmupCount::from_one});
}

void run_linear(Case& golden) {
  const Index warmup = count(golden, "warmup");
  answer_rates(golden, heed::PolynomialSchedule{.rate = number(golden, "base_lr"),
                                                .steps = std::max<Index>(1, count(golden, "total") - warmup),
                                                .warmup = warmup});
}

void run_inverse_sqrt(Case& golden) {
  answer_rates(golden, heed::InverseSqrtSchedule{.rate = number(golden, "base_lr"), .warmup = count(golden, "warmup")});
}

}  // namespace

void add_schedule(Registry& registry) {
  for (const char* name : {"StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
                           "LinearLR", "PolynomialLR", "OneCycleLR"}) {
    registry.add(std::string("torch.optim.lr_scheduler.") + name, run_torch);
  }
  for (const char* name : {"ExponentialDecay", "InverseTimeDecay", "PolynomialDecay", "PiecewiseConstantDecay",
                           "CosineDecay", "CosineDecayRestarts"}) {
    registry.add(std::string("keras.optimizers.schedules.") + name, run_keras);
  }
  registry.add("SequentialLR(LinearLR, CosineAnnealingLR)", run_warmup_then_cosine);
  registry.add("ReduceLROnPlateau", run_plateau);
  registry.add("noam", run_noam);
  registry.add("noam_factor", run_noam);
  registry.add("cosine_warmup_cycles_0.5", run_cosine_cycles);
  registry.add("cosine_warmup_cycles_1.5", run_cosine_cycles);
  registry.add("cosine_warmup_min", run_cosine_minimum);
  registry.add("linear_warmup_decay", run_linear);
  registry.add("inverse_sqrt", run_inverse_sqrt);
}

}  // namespace conformance
