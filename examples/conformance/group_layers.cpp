// linear, embedding (torch) and what keras_layers has of the same.

#include <heed/kernels/activation.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/embedding.hpp>

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

}  // namespace

void add_layers(Registry& registry) {
  registry.add("torch.nn.functional.linear", run_linear<float>, run_linear<double>);
  registry.add("torch.nn.functional.embedding", run_embedding<float>, run_embedding<double>);
  registry.add("keras.layers.Dense", run_keras_dense<float>, run_keras_dense<double>);
  registry.add("keras.layers.Embedding", run_keras_embedding<float>, run_keras_embedding<double>);
}

}  // namespace conformance
