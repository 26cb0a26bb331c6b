// linear, embedding, layer_norm (torch) and what keras_layers has of the same.

#include <heed/kernels/activation.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/embedding.hpp>
#include <heed/nn/layer_norm.hpp>

#include "keras_weights.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

template <class T>
void run_linear(Case& golden) {
  heed::Dense<T> layer;
  layer.weight = golden.given<T, 2>("weight");
  if (golden.gives("bias")) layer.bias = golden.given<T, 1>("bias");
  heed::Dense<T> grad = heed::zeros_like(layer);
  typename heed::Dense<T>::Cache cache;
  const std::vector<Index> shape = golden.given_shape("x");
  const Tensor<T, 2> out = layer.forward(given_rows<T>(golden, "x"), &cache);
  answer_as(golden, "out", with_last(shape, layer.out_features()), out);
  const Tensor<T, 2> d_x = layer.backward(given_rows<T>(golden, "grad_out"), cache, grad);
  answer_as(golden, "grad_x", shape, d_x);
  golden.answer("grad.weight", grad.weight);
  if (golden.gives("bias")) golden.answer("grad.bias", grad.bias);
}

heed::Activation dense_activation(const std::string& name) {
  if (name == "linear") return heed::Activation::identity;
  if (name == "relu") return heed::Activation::relu;
  if (name == "tanh") return heed::Activation::tanh;
  if (name == "sigmoid") return heed::Activation::sigmoid;
  throw NotOffered("the activation " + name);
}

/// Keras' Dense with an activation behind it.
template <class T>
void run_keras_dense(Case& golden) {
  const heed::Dense<T> layer = dense_from_keras<T>(golden, "");
  const heed::Activation activation = dense_activation(golden.option<std::string>("activation", "linear"));
  typename heed::Dense<T>::Cache cache;
  const Tensor<T, 2> before = layer.forward(given_rows<T>(golden, "x"), &cache);
  Tensor<T, 2> out = before, d_before = given_rows<T>(golden, "grad_out");
  heed::activation_row(activation, before.data(), out.data(), out.size());
  heed::activation_backward_row(activation, before.data(), d_before.data(), d_before.data(), out.size());
  const std::vector<Index> shape = golden.given_shape("x");
  answer_as(golden, "out", with_last(shape, layer.out_features()), out);
  heed::Dense<T> grad = heed::zeros_like(layer);
  answer_as(golden, "grad_x", shape, layer.backward(d_before, cache, grad));
  answer_keras_dense(golden, "", grad);
}

template <class T>
void run_embedding_named(Case& golden, const std::string& table) {
  heed::Embedding<T> layer;
  layer.weight = golden.given<T, 2>(table);
  if (golden.has_option("padding_idx")) layer.padding_id = golden.option<Index>("padding_idx");
  heed::Embedding<T> grad = heed::zeros_like(layer);
  typename heed::Embedding<T>::Cache cache;
  const std::vector<Index> ids = given_indices(golden, "indices");
  Tensor<Index, 1> row(static_cast<Index>(ids.size()));
  std::copy(ids.begin(), ids.end(), row.data());
  std::vector<Index> shape = golden.given_shape("indices");
  shape.push_back(layer.embedding_dim());
  answer_as(golden, "out", shape, layer.forward(row, &cache));
  layer.backward(given_rows<T>(golden, "grad_out"), cache, grad);
  golden.answer("grad." + table, grad.weight);
}
template <class T>
void run_embedding(Case& golden) {
  run_embedding_named<T>(golden, "weight");
}
template <class T>
void run_keras_embedding(Case& golden) {
  run_embedding_named<T>(golden, "embeddings");
}

/// The names of weight and bias differ between frameworks.
struct NormNames {
  std::string weight, bias;
};

template <class T, int Axes>
void run_norm_over(Case& golden, double epsilon, const NormNames& names) {
  const std::vector<Index> shape = golden.given_shape("x");
  if (shape.size() < static_cast<std::size_t>(Axes)) throw NotOffered("a norm over more axes than x has");
  heed::Extents<Axes> normalized;
  std::copy(shape.end() - Axes, shape.end(), normalized.begin());
  const bool weight = golden.gives(names.weight), bias = golden.gives(names.bias);
  if (bias && !weight) throw NotOffered("a norm with a bias and no weight");
  const heed::Affine affine = bias ? heed::Affine::weight_and_bias : weight ? heed::Affine::weight : heed::Affine::none;
  heed::LayerNorm<T, Axes> layer({.shape = normalized, .epsilon = epsilon, .affine = affine});
  if (weight) layer.weight = golden.given<T, Axes>(names.weight);
  if (bias) layer.bias = golden.given<T, Axes>(names.bias);
  heed::LayerNorm<T, Axes> grad = heed::zeros_like(layer);
  typename heed::LayerNorm<T, Axes>::Cache cache;
  heed::Extents<Axes + 1> folded;
  folded[0] = 1;
  for (auto axis = shape.begin(); axis != shape.end() - Axes; ++axis) folded[0] *= *axis;
  std::copy(normalized.begin(), normalized.end(), folded.begin() + 1);
  const auto given = [&](const std::string& name) {
    const std::vector<T> values = golden.given_values<T>(name);
    Tensor<T, Axes + 1> tensor(folded);
    std::copy(values.begin(), values.end(), tensor.data());
    return tensor;
  };
  answer_as(golden, "out", shape, layer.forward(given("x"), &cache));
  answer_as(golden, "grad_x", shape, layer.backward(given("grad_out"), cache, grad));
  if (weight) golden.answer("grad." + names.weight, grad.weight);
  if (bias) golden.answer("grad." + names.bias, grad.bias);
}

template <class T>
void run_layer_norm(Case& golden) {
  const auto axes = golden.option<std::vector<Index>>("normalized_shape").size();
  const double epsilon = golden.option<double>("eps");
  const NormNames names{"weight", "bias"};
  switch (axes) {
    case 1:
      return run_norm_over<T, 1>(golden, epsilon, names);
    case 2:
      return run_norm_over<T, 2>(golden, epsilon, names);
    case 3:
      return run_norm_over<T, 3>(golden, epsilon, names);
    default:
      throw NotOffered("a norm over " + std::to_string(axes) + " axes");
  }
}
template <class T>
void run_keras_layer_norm(Case& golden) {
  run_norm_over<T, 1>(golden, golden.option<double>("epsilon"), {"gamma", "beta"});
}

}  // namespace

void add_layers(Registry& registry) {
  registry.add("torch.nn.functional.linear", run_linear<float>, run_linear<double>);
  registry.add("torch.nn.functional.embedding", run_embedding<float>, run_embedding<double>);
  registry.add("torch.nn.functional.layer_norm", run_layer_norm<float>, run_layer_norm<double>);
  registry.add("keras.layers.Dense", run_keras_dense<float>, run_keras_dense<double>);
  registry.add("keras.layers.Embedding", run_keras_embedding<float>, run_keras_embedding<double>);
  registry.add("keras.layers.LayerNormalization", run_keras_layer_norm<float>, run_keras_layer_norm<double>);
}

}  // namespace conformance
