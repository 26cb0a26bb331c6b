// layer_norm and rms_norm (torch), the same layers of keras_layers, ONNX's LayerNormalization and RMSNormalization.

#include <limits>

#include <heed/nn/layer_norm.hpp>
#include <heed/nn/rms_norm.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

/// The names of a case's tensors differ between frameworks; what a case does not have is not asked for.
struct Names {
  std::string x, weight, bias, out;
};

/// A norm over the last Axes axes, the axes before them folded into one.
template <class T, int Axes>
class Operands {
 public:
  Operands(const Case& golden, const Names& names) : golden_(golden), shape_(golden.given_shape(names.x)) {
    if (shape_.size() < static_cast<std::size_t>(Axes)) throw NotOffered("a norm over more axes than x has");
    std::copy(shape_.end() - Axes, shape_.end(), normalized.begin());
    folded_[0] = 1;
    for (auto axis = shape_.begin(); axis != shape_.end() - Axes; ++axis) folded_[0] *= *axis;
    std::copy(normalized.begin(), normalized.end(), folded_.begin() + 1);
  }
  Tensor<T, Axes + 1> given(const std::string& name) const {
    const std::vector<T> values = golden_.given_values<T>(name);
    Tensor<T, Axes + 1> tensor(folded_);
    std::copy(values.begin(), values.end(), tensor.data());
    return tensor;
  }
  const std::vector<Index>& shape() const { return shape_; }

  heed::Extents<Axes> normalized;

 private:
  const Case& golden_;
  std::vector<Index> shape_;
  heed::Extents<Axes + 1> folded_;
};

/// One number per row under the name, in ONNX's shape: x's with ones where it was normalised.
template <class T, int Axes, class Number>
void answer_rows(Case& golden, const std::string& name, const Operands<T, Axes>& in, std::size_t rows, const Number& number) {
  if (!golden.expects(name)) return;
  std::vector<Index> shape = in.shape();
  std::fill(shape.end() - Axes, shape.end(), Index{1});
  std::vector<double> values;
  for (std::size_t i = 0; i < rows; ++i) values.push_back(number(i));
  golden.answer(name, shape, values);
}

/// Forward, and backward where a gradient arrives.
template <class T, int Axes, class Layer>
void run_layer(Case& golden, const Names& names, const Operands<T, Axes>& in, const Layer& layer,
               typename Layer::Cache& cache, Layer& grad) {
  answer_as(golden, names.out, in.shape(), layer.forward(in.given(names.x), &cache));
  if (!golden.gives("grad_out")) return;
  answer_as(golden, "grad_x", in.shape(), layer.backward(in.given("grad_out"), cache, grad));
  if (golden.gives(names.weight)) golden.answer("grad." + names.weight, grad.weight);
}

template <class T, int Axes>
void run_layer_norm_over(Case& golden, double epsilon, const Names& names) {
  const Operands<T, Axes> in(golden, names);
  const bool weight = golden.gives(names.weight), bias = golden.gives(names.bias);
  if (bias && !weight) throw NotOffered("a norm with a bias and no weight");
  const heed::Affine affine = bias ? heed::Affine::weight_and_bias : weight ? heed::Affine::weight : heed::Affine::none;
  heed::LayerNorm<T, Axes> layer({.shape = in.normalized, .epsilon = epsilon, .affine = affine});
  if (weight) layer.weight = golden.given<T, Axes>(names.weight);
  if (bias) layer.bias = golden.given<T, Axes>(names.bias);
  heed::LayerNorm<T, Axes> grad = heed::zeros_like(layer);
  typename heed::LayerNorm<T, Axes>::Cache cache;
  run_layer(golden, names, in, layer, cache, grad);
  if (bias && golden.gives("grad_out")) golden.answer("grad." + names.bias, grad.bias);
  const auto& moments = cache.moments;
  answer_rows(golden, "output.Mean", in, moments.size(), [&](std::size_t i) { return moments[i].mean; });
  answer_rows(golden, "output.InvStdDev", in, moments.size(), [&](std::size_t i) { return moments[i].inverse_deviation; });
}

template <class T, int Axes>
void run_rms_norm_over(Case& golden, double epsilon, const Names& names) {
  const Operands<T, Axes> in(golden, names);
  heed::RmsNorm<T, Axes> layer({.shape = in.normalized, .epsilon = epsilon});
  if (golden.gives(names.weight)) layer.weight = golden.given<T, Axes>(names.weight);
  heed::RmsNorm<T, Axes> grad = heed::zeros_like(layer);
  typename heed::RmsNorm<T, Axes>::Cache cache;
  run_layer(golden, names, in, layer, cache, grad);
}

/// Calls run(integral constant of axes) for 1 to 4 axes.
template <class Run>
void with_axes(std::size_t axes, const Run& run) {
  switch (axes) {
    case 1:
      return run(std::integral_constant<int, 1>());
    case 2:
      return run(std::integral_constant<int, 2>());
    case 3:
      return run(std::integral_constant<int, 3>());
    case 4:
      return run(std::integral_constant<int, 4>());
    default:
      throw NotOffered("a norm over " + std::to_string(axes) + " axes");
  }
}

enum class Kind { layer, rms };

template <class T, Kind kind>
void run_norm(Case& golden, std::size_t axes, double epsilon, const Names& names) {
  with_axes(axes, [&](auto count) {
    if constexpr (kind == Kind::layer)
      run_layer_norm_over<T, count()>(golden, epsilon, names);
    else
      run_rms_norm_over<T, count()>(golden, epsilon, names);
  });
}

/// torch's functions: eps null is the machine epsilon of the type (rms_norm).
template <class T, Kind kind>
void run_torch_norm(Case& golden) {
  run_norm<T, kind>(golden, golden.option<std::vector<Index>>("normalized_shape").size(),
                    golden.option<double>("eps", std::numeric_limits<T>::epsilon()), {"x", "weight", "bias", "out"});
}

template <class T>
void run_keras_layer_norm(Case& golden) {
  run_norm<T, Kind::layer>(golden, 1, golden.option<double>("epsilon"), {"x", "gamma", "beta", "out"});
}
template <class T>
void run_keras_rms_norm(Case& golden) {
  run_norm<T, Kind::rms>(golden, 1, golden.option<double>("epsilon"), {"x", "scale", "", "out"});
}

/// ONNX's operators normalise over all axes from `axis` on.
template <Kind kind>
void run_onnx_norm(Case& golden) {
  const nlohmann::json& attributes = golden.json().at("attributes");
  const auto rank = static_cast<Index>(golden.given_shape("input.X").size());
  const Index axis = attributes.value("axis", Index{-1});
  const Index axes = axis < 0 ? -axis : rank - axis;
  if (axes < 1 || axes > rank) throw NotOffered("the axis " + std::to_string(axis));
  run_norm<float, kind>(golden, static_cast<std::size_t>(axes), attributes.value("epsilon", 1e-5),
                        {"input.X", "input.W", "input.B", "output.Y"});
}

}  // namespace

void add_norm(Registry& registry) {
  registry.add("torch.nn.functional.layer_norm", run_torch_norm<float, Kind::layer>, run_torch_norm<double, Kind::layer>);
  registry.add("torch.nn.functional.rms_norm", run_torch_norm<float, Kind::rms>, run_torch_norm<double, Kind::rms>);
  registry.add("keras.layers.LayerNormalization", run_keras_layer_norm<float>, run_keras_layer_norm<double>);
  registry.add("keras.layers.RMSNormalization", run_keras_rms_norm<float>, run_keras_rms_norm<double>);
  registry.add("LayerNormalization", run_onnx_norm<Kind::layer>);
  registry.add("RMSNormalization", run_onnx_norm<Kind::rms>);
}

}  // namespace conformance
