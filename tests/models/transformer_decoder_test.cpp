#include <heed/models/transformer_decoder.hpp>

#include "nn/transformer_layer_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

struct Stacks {
  TransformerEncoder<double> encoder;
  TransformerDecoder<double> decoder;
  static void fields(auto&& visit, auto&... self) {
    visit("encoder", self.encoder...);
    visit("decoder", self.decoder...);
  }
};

Stacks make(NormPlace place, FinalNorm final_norm, Positions positions = Positions::none) {
  Rng rng{1, 0};
  TransformerStackConfig config{small_layer(place, NormKind::layer, Gate::no, 0), 2, final_norm};
  config.positions = positions;
  config.position_options = {.buckets = 6, .max_distance = 4};
  config.position_options.rotary.scaling = {.kind = RotaryStretch::yarn, .factor = 2, .trained_length = 9};
  config.max_length = 9;
  return with_random_parameters(Stacks{{config, rng}, {config, rng}});
}

/// score - slope[head] distance, learned.
struct Slopes {
  Tensor<double, 1> slope = Tensor<double, 1>(2);
  static void fields(auto&& visit, auto&... self) { visit("slope", self.slope...); }
  auto operator()(auto score, auto at) const { return score - slope(at.head) * distance(at); }
  void backward(double, auto at, double d_score, Slopes& grad) const { grad.slope(at.head) -= d_score * distance(at); }
};

struct StacksWithSlopes {
  Stacks stacks;
  Slopes slopes;
  static void fields(auto&& visit, auto&... self) {
    visit("stacks", self.stacks...);
    visit("slopes", self.slopes...);
  }
};

}  // namespace

TEST_CASE("the gradients of both stacks equal central differences", "[models]") {
  const NormPlace place = GENERATE(NormPlace::after, NormPlace::before);
  auto model = make(place, GENERATE(FinalNorm::no, FinalNorm::yes));
  auto source = random_tensor<double>(1, 2, 3, 4), target = random_tensor<double>(2, 2, 4, 4);
  const auto d_y = random_tensor<double>(3, 2, 4, 4);
  const std::vector<Index> lengths{3, 2};
  const MultiHeadOptions<double> source_options{.mask = key_lengths(lengths)};
  TransformerDecoder<double>::Options options;
  options.self.mask = causal();
  options.memory.mask = key_lengths(lengths);
  TransformerEncoder<double>::Cache encoder_cache;
  TransformerDecoder<double>::Cache decoder_cache;
  const auto memory = model.encoder.forward(source, source_options, &encoder_cache);
  model.decoder.forward(target, memory, options, &decoder_cache);
  auto grad = zeros_like(model);
  auto d = model.decoder.backward(d_y, memory, decoder_cache, options, grad.decoder);
  auto d_source = model.encoder.backward(d.memory, encoder_cache, source_options, grad.encoder);
  const auto loss = [&] {
    return weighted_total(model.decoder.forward(target, model.encoder.forward(source, source_options), options), d_y);
  };
  const auto found = check_gradients(model, grad, loss, std::tie(source, d_source), std::tie(target, d.x));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-6);
}

TEST_CASE("the gradients of positions and of callables in both stacks equal central differences", "[models]") {
  const Positions positions = GENERATE(Positions::none, Positions::sinusoidal, Positions::learned, Positions::rotary,
                                       Positions::alibi, Positions::t5);
  StacksWithSlopes model{make(NormPlace::before, FinalNorm::yes, positions), with_random_parameters(Slopes{})};
  auto source = random_tensor<double>(1, 2, 3, 4), target = random_tensor<double>(2, 2, 4, 4);
  const auto d_y = random_tensor<double>(3, 2, 4, 4);
  const auto run = [&](const CallableRef<double>& callables, StacksWithSlopes* grad, auto& d_source, auto& d_target) {
    const MultiHeadOptions<double> source_options{.callables = callables};
    const TransformerDecoder<double>::Options options{.self = {.mask = causal(), .callables = callables}};
    TransformerEncoder<double>::Cache encoder_cache;
    TransformerDecoder<double>::Cache decoder_cache;
    const auto memory = model.stacks.encoder.forward(source, source_options, &encoder_cache);
    const auto y = model.stacks.decoder.forward(target, memory, options, &decoder_cache);
    if (grad) {
      auto d = model.stacks.decoder.backward(d_y, memory, decoder_cache, options, grad->stacks.decoder);
      d_source = model.stacks.encoder.backward(d.memory, encoder_cache, source_options, grad->stacks.encoder);
      d_target = std::move(d.x);
    }
    return weighted_total(y, d_y);
  };
  StacksWithSlopes grad = zeros_like(model);
  Tensor<double, 3> d_source, d_target;
  run(callables<double>(score(model.slopes, grad.slopes)), &grad, d_source, d_target);
  const auto loss = [&] { return run(callables<double>(model.slopes), nullptr, d_source, d_target); };
  GradientCheckOptions few;
  few.elements_per_tensor = 5;
  const auto found = check_gradients(few, model, grad, loss, std::tie(source, d_source), std::tie(target, d_target));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-6);
}

TEST_CASE("steps behind a past are the whole pass, whatever the positions, one or more at a time", "[models]") {
  const Positions positions = GENERATE(Positions::none, Positions::sinusoidal, Positions::learned, Positions::rotary,
                                       Positions::alibi, Positions::t5);
  const auto decoder = make(NormPlace::after, FinalNorm::yes, positions).decoder;
  const auto slopes = with_random_parameters(Slopes{});
  auto bound = callables<double>(slopes);
  const auto target = random_tensor<double>(2, 2, 6, 4), memory = random_tensor<double>(4, 2, 3, 4);
  TransformerDecoder<double>::Options options{.self = {.mask = causal(), .callables = bound}};
  const auto whole = decoder.forward(target, memory, options);
  auto state = decoder.start(memory, options.memory, 2);
  for (Index t = 0; t < 6;) {
    const Index steps = t == 2 ? 3 : 1;
    Tensor<double, 3> x(2, steps, 4);
    for (Index b = 0; b < 2; ++b) std::copy_n(&target(b, t, 0), steps * 4, &x(b, 0, 0));
    options.self.mask = {};  // where steps stand follows from the past
    if (t == 0) options.self.mask = causal();
    const auto y = decoder.step(x, options, state);
    for (Index b = 0; b < 2; ++b)
      for (Index s = 0; s < steps; ++s)
        for (Index i = 0; i < 4; ++i) CHECK(close(y(b, s, i), whole(b, t + s, i)));
    t += steps;
  }
}
