// cross_entropy (torch), the losses of loss (torch) and of keras_layers, ONNX's SoftmaxCrossEntropyLoss.

#include <heed/nn/elementwise_loss.hpp>
#include <heed/nn/loss.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

heed::Reduction reduction_of(const std::string& name) {
  if (name == "mean") return heed::Reduction::mean;
  if (name == "sum") return heed::Reduction::sum;
  if (name == "none") return heed::Reduction::none;
  throw NotOffered("the reduction " + name);
}

/// logits (batch, classes, rest...) as (batch, classes, rest): torch's class axis is the second.
template <class T>
Tensor<T, 3> with_class_axis(const Case& golden, const std::string& name) {
  const std::vector<Index>& shape = golden.given_shape(name);
  if (shape.size() < 2) throw NotOffered("cross-entropy of rank " + std::to_string(shape.size()));
  Index rest = 1;
  for (std::size_t axis = 2; axis < shape.size(); ++axis) rest *= shape[axis];
  Tensor<T, 3> logits(shape[0], shape[1], rest);
  const std::vector<T> values = golden.given_values<T>(name);
  std::copy(values.begin(), values.end(), logits.data());
  return logits;
}

template <class T>
void answer_loss(Case& golden, const heed::CrossEntropyLoss<T>& result, heed::Reduction reduction) {
  if (reduction != heed::Reduction::none) return golden.answer_number("loss", result.loss);
  std::vector<Index> shape = golden.given_shape("logits");
  shape.erase(shape.begin() + 1);
  answer_as(golden, "loss", shape, result.losses);
}

template <class T>
void run_cross_entropy(Case& golden) {
  const Tensor<T, 3> logits = with_class_axis<T>(golden, "logits");
  const std::vector<T> upstream = golden.given_values<T>("grad_loss");
  std::vector<T> weights;
  if (golden.gives("class_weight")) weights = golden.given_values<T>("class_weight");
  const heed::CrossEntropyOptions<T> options{.reduction = reduction_of(golden.option<std::string>("reduction")),
                                             .ignore = golden.option<Index>("ignore_index"),
                                             .label_smoothing = golden.option<double>("label_smoothing"),
                                             .class_weights = weights,
                                             .class_axis = 1,
                                             .upstream = upstream};
  Tensor<T, 3> gradient;
  if (golden.given_dtype("target") == heed::DType::i64) {
    const std::vector<Index> target = given_indices(golden, "target");
    answer_loss(golden, heed::cross_entropy(logits, std::span<const Index>(target), options, &gradient),
                options.reduction);
  } else {
    const Tensor<T, 3> target = with_class_axis<T>(golden, "target");
    answer_loss(golden, heed::cross_entropy(logits, target, options, &gradient), options.reduction);
  }
  answer_as(golden, "grad_logits", golden.given_shape("logits"), gradient);
}

/// ONNX's SoftmaxCrossEntropyLoss, and the log-probabilities that it hands out: minus the loss of a class at each row.
void run_onnx_cross_entropy(Case& golden) {
  const nlohmann::json& attributes = golden.json().at("attributes");
  const Tensor<float, 3> logits = with_class_axis<float>(golden, "input.x");
  const std::vector<Index> target = given_indices(golden, "input.y");
  std::vector<float> weights;
  if (golden.gives("input.w")) weights = golden.given_values<float>("input.w");
  const heed::CrossEntropyOptions<float> options{.reduction = reduction_of(attributes.value("reduction", std::string("mean"))),
                                                 .ignore = attributes.value("ignore_index", Index{-100}),
                                                 .class_weights = weights,
                                                 .class_axis = 1};
  const auto result = heed::cross_entropy(logits, std::span<const Index>(target), options);
  if (options.reduction == heed::Reduction::none)
    answer_as(golden, "output.z", golden.given_shape("input.y"), result.losses);
  else
    golden.answer_number("output.z", result.loss);
  if (!golden.expects("output.log_prob")) return;
  Tensor<float, 3> log_probability(logits.dimensions());
  for (Index c = 0; c < logits.dimension(1); ++c) {
    const std::vector<Index> one_class(target.size(), c);
    const auto losses = heed::cross_entropy(logits, std::span<const Index>(one_class), {.class_axis = 1}).losses;
    log_probability.chip(c, 1) = -losses.reshape(heed::Extents<2>{logits.dimension(0), logits.dimension(2)});
  }
  answer_as(golden, "output.log_prob", golden.given_shape("input.x"), log_probability);
}

template <class T>
void run_keras_loss(Case& golden) {
  const auto kind = golden.option<std::string>("kind");
  const std::vector<T> upstream = golden.given_values<T>("grad_loss");
  const Tensor<T, 2> logits = golden.given<T, 2>("logits");
  const double smoothing = golden.option<double>("label_smoothing");
  Tensor<T, 2> gradient;
  if (golden.given_dtype("target") == heed::DType::i64) {
    const std::vector<Index> target = given_indices(golden, "target");
    const auto result = heed::cross_entropy(
        logits, std::span<const Index>(target),
        {.ignore = golden.option<Index>("ignore_class", -1), .label_smoothing = smoothing, .upstream = upstream},
        &gradient);
    golden.answer_number("loss", result.loss);
  } else if (kind.starts_with("bce")) {
    const auto target = golden.given<T, 2>("target");
    const auto result = heed::binary_cross_entropy(logits, target, smoothing, {.upstream = upstream}, &gradient);
    golden.answer_number("loss", result.loss);
  } else if (kind.starts_with("ce")) {
    const auto target = golden.given<T, 2>("target");
    const auto result =
        heed::cross_entropy(logits, target, {.label_smoothing = smoothing, .upstream = upstream}, &gradient);
    golden.answer_number("loss", result.loss);
  } else {
    throw NotOffered("the loss " + kind);
  }
  golden.answer("grad_logits", gradient);
}

/// A loss of two matrices: loss(x, target, options, gradient).
template <class T, class Loss>
void run_elementwise(Case& golden, const Loss& loss) {
  const std::vector<T> upstream = golden.given_values<T>("grad_loss");
  const heed::ElementwiseLossOptions<T> options{.reduction = reduction_of(golden.option<std::string>("reduction")),
                                                .upstream = upstream};
  Tensor<T, 2> gradient;
  const auto result = loss(given_rows<T>(golden, "x"), given_rows<T>(golden, "target"), options, &gradient);
  if (options.reduction == heed::Reduction::none) {
    answer_as(golden, "loss", golden.given_shape("x"), result.losses);
  } else {
    golden.answer_number("loss", result.loss);
  }
  answer_as(golden, "grad_x", golden.given_shape("x"), gradient);
}

template <class T>
void run_mse(Case& golden) {
  run_elementwise<T>(golden, [](const auto& x, const auto& target, const auto& options, auto* gradient) {
    return heed::mean_squared_error(x, target, options, gradient);
  });
}
template <class T>
void run_smooth_l1(Case& golden) {
  run_elementwise<T>(golden, [](const auto& x, const auto& target, const auto& options, auto* gradient) {
    return heed::smooth_l1(x, target, 1.0, options, gradient);
  });
}
template <class T>
void run_bce(Case& golden) {
  run_elementwise<T>(golden, [](const auto& x, const auto& target, const auto& options, auto* gradient) {
    return heed::binary_cross_entropy(x, target, 0.0, options, gradient);
  });
}

}  // namespace

void add_cross_entropy(Registry& registry) {
  registry.add("torch.nn.functional.cross_entropy", run_cross_entropy<float>, run_cross_entropy<double>);
  registry.add("SoftmaxCrossEntropyLoss", run_onnx_cross_entropy);
  registry.add("keras.losses", run_keras_loss<float>, run_keras_loss<double>);
  registry.add("torch.nn.functional.mse_loss", run_mse<float>, run_mse<double>);
  registry.add("torch.nn.functional.smooth_l1_loss", run_smooth_l1<float>, run_smooth_l1<double>);
  registry.add("torch.nn.functional.binary_cross_entropy_with_logits", run_bce<float>, run_bce<double>);
}

}  // namespace conformance
