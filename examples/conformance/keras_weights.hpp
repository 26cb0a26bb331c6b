#pragma once
// Keras' layout of weights and heed's: kernels are (in, out) there, and a GRU's gates lie in the order z, r, h.

#include <heed/attention/bahdanau.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/gru.hpp>

#include "folded.hpp"

namespace conformance {

/// heed's row of gate row `row` of 3 * hidden in Keras' order: z and r change places.
inline Index gate_row(Index row, Index hidden) {
  return row < hidden ? row + hidden : row < 2 * hidden ? row - hidden : row;
}

/// (in, 3 hidden) in Keras' order to (3 hidden, in) in heed's; the map is its own inverse on the gates.
template <class T>
Tensor<T, 2> gru_weight_from_keras(const Tensor<T, 2>& kernel) {
  const Index inputs = kernel.dimension(0), gates = kernel.dimension(1);
  Tensor<T, 2> weight(gates, inputs);
  for (Index i = 0; i < inputs; ++i) {
    for (Index g = 0; g < gates; ++g) weight(gate_row(g, gates / 3), i) = kernel(i, g);
  }
  return weight;
}
template <class T>
Tensor<T, 2> gru_weight_to_keras(const Tensor<T, 2>& weight) {
  const Index gates = weight.dimension(0), inputs = weight.dimension(1);
  Tensor<T, 2> kernel(inputs, gates);
  for (Index i = 0; i < inputs; ++i) {
    for (Index g = 0; g < gates; ++g) kernel(i, g) = weight(gate_row(g, gates / 3), i);
  }
  return kernel;
}

/// Reads a Keras GRU's weights (prefix "" or "encoder.gru." ...) into a cell of heed's.
template <class T>
heed::GruCell<T> gru_cell_from_keras(const Case& golden, const std::string& prefix, heed::GruReset reset) {
  heed::GruCell<T> cell;
  cell.reset = reset;
  cell.weight_ih = gru_weight_from_keras(golden.given<T, 2>(prefix + "kernel"));
  cell.weight_hh = gru_weight_from_keras(golden.given<T, 2>(prefix + "recurrent_kernel"));
  if (!golden.gives(prefix + "bias")) return cell;
  const Index gates = cell.weight_ih.dimension(0);
  const std::vector<T> bias = golden.given_values<T>(prefix + "bias");  // (2, 3 hidden) or (3 hidden)
  cell.bias_ih = heed::zeros<T, 1>({gates});
  cell.bias_hh = heed::zeros<T, 1>({gates});
  for (Index g = 0; g < gates; ++g) {
    const Index row = gate_row(g, gates / 3);
    cell.bias_ih(row) = bias[static_cast<std::size_t>(g)];
    if (static_cast<Index>(bias.size()) == 2 * gates) cell.bias_hh(row) = bias[static_cast<std::size_t>(gates + g)];
  }
  return cell;
}

/// Hands back a cell's gradient under Keras' names.
template <class T>
void answer_keras_gru(Case& golden, const std::string& prefix, const heed::GruCell<T>& grad) {
  golden.answer("grad." + prefix + "kernel", gru_weight_to_keras(grad.weight_ih));
  golden.answer("grad." + prefix + "recurrent_kernel", gru_weight_to_keras(grad.weight_hh));
  if (!golden.gives(prefix + "bias")) return;
  const std::vector<Index> shape = golden.given_shape(prefix + "bias");
  const Index gates = grad.bias_ih.size();
  std::vector<double> bias;
  for (const Tensor<T, 1>* part : {&grad.bias_ih, &grad.bias_hh}) {
    if (part == &grad.bias_hh && shape.size() == 1) break;
    for (Index g = 0; g < gates; ++g) bias.push_back(static_cast<double>((*part)(gate_row(g, gates / 3))));
  }
  golden.answer("grad." + prefix + "bias", shape, bias);
}

/// A Keras Dense layer: kernel (in, out), bias (out).
template <class T>
heed::Dense<T> dense_from_keras(const Case& golden, const std::string& prefix) {
  heed::Dense<T> layer;
  layer.weight = transposed(golden.given<T, 2>(prefix + "kernel"));
  if (golden.gives(prefix + "bias")) layer.bias = golden.given<T, 1>(prefix + "bias");
  return layer;
}
template <class T>
void answer_keras_dense(Case& golden, const std::string& prefix, const heed::Dense<T>& grad) {
  golden.answer("grad." + prefix + "kernel", transposed(grad.weight));
  if (golden.gives(prefix + "bias")) golden.answer("grad." + prefix + "bias", grad.bias);
}

/// The seed's attention: Dense layers W1 (query), W2 (values) and V (score), each with a bias.
template <class T>
heed::BahdanauAttention<T> bahdanau_from_keras(const Case& golden, const std::string& prefix) {
  heed::BahdanauAttention<T> attention;
  const auto read = [&](const std::string& name, Tensor<T, 2>& weight, Tensor<T, 1>& bias) {
    weight = transposed(golden.given<T, 2>(prefix + name + "kernel"));
    if (golden.gives(prefix + name + "bias")) bias = golden.given<T, 1>(prefix + name + "bias");
  };
  read("W1.", attention.query.weight, attention.query.bias);
  read("W2.", attention.key.weight, attention.key.bias);
  read("V.", attention.score.weight, attention.score.bias);
  return attention;
}
template <class T>
void answer_keras_bahdanau(Case& golden, const std::string& prefix, const heed::BahdanauAttention<T>& grad) {
  const auto answer = [&](const std::string& name, const Tensor<T, 2>& weight, const Tensor<T, 1>& bias) {
    golden.answer("grad." + prefix + name + "kernel", transposed(weight));
    if (golden.gives(prefix + name + "bias")) golden.answer("grad." + prefix + name + "bias", bias);
  };
  answer("W1.", grad.query.weight, grad.query.bias);
  answer("W2.", grad.key.weight, grad.key.bias);
  answer("V.", grad.score.weight, grad.score.bias);
}

}  // namespace conformance
