// torch_gru, keras_gru and ONNX's GRU.

#include <heed/nn/gru.hpp>
#include <heed/nn/onnx_gru.hpp>

#include "keras_weights.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

std::string torch_suffix(std::size_t layer, bool reverse) {
  return "_l" + std::to_string(layer) + (reverse ? "_reverse" : "");
}

template <class T>
heed::GruCell<T> torch_cell(const Case& golden, const std::string& suffix) {
  heed::GruCell<T> cell;
  cell.weight_ih = golden.given<T, 2>("weight_ih" + suffix);
  cell.weight_hh = golden.given<T, 2>("weight_hh" + suffix);
  if (golden.gives("bias_ih" + suffix)) cell.bias_ih = golden.given<T, 1>("bias_ih" + suffix);
  if (golden.gives("bias_hh" + suffix)) cell.bias_hh = golden.given<T, 1>("bias_hh" + suffix);
  return cell;
}

template <class T>
void answer_torch_cell(Case& golden, const std::string& suffix, const heed::GruCell<T>& grad) {
  golden.answer("grad.weight_ih" + suffix, grad.weight_ih);
  golden.answer("grad.weight_hh" + suffix, grad.weight_hh);
  if (golden.gives("bias_ih" + suffix)) golden.answer("grad.bias_ih" + suffix, grad.bias_ih);
  if (golden.gives("bias_hh" + suffix)) golden.answer("grad.bias_hh" + suffix, grad.bias_hh);
}

/// (batch, steps, features) and (steps, batch, features) change places.
template <class T>
Tensor<T, 3> swapped(const Tensor<T, 3>& sequence) {
  return sequence.shuffle(Eigen::array<Index, 3>{1, 0, 2});
}

template <class T>
void run_torch_gru(Case& golden) {
  const bool batch_first = golden.option<bool>("batch_first", true), both = golden.option<bool>("bidirectional", false);
  const auto ordered = [&](const Tensor<T, 3>& sequence) { return batch_first ? sequence : swapped(sequence); };
  heed::Gru<T> layer;
  layer.layers.resize(golden.option<std::size_t>("num_layers", 1));
  for (std::size_t i = 0; i < layer.layers.size(); ++i) {
    layer.layers[i].forward = torch_cell<T>(golden, torch_suffix(i, false));
    if (both) layer.layers[i].reverse = torch_cell<T>(golden, torch_suffix(i, true));
  }
  std::vector<Index> lengths;
  if (golden.gives("lengths")) lengths = given_indices(golden, "lengths");
  Tensor<T, 3> h0;
  if (golden.gives("h0")) h0 = golden.given<T, 3>("h0");
  typename heed::Gru<T>::Cache cache;
  const auto result = layer.forward(ordered(golden.given<T, 3>("x")),
                                    {.lengths = lengths,
                                     .initial_state = golden.gives("h0") ? &h0 : nullptr,
                                     .masked_output = heed::MaskedOutput::zero},
                                    &cache);
  golden.answer("out", ordered(result.output));
  golden.answer("h_n", result.state);
  heed::Gru<T> grad = heed::zeros_like(layer);
  const Tensor<T, 3> d_state = golden.given<T, 3>("grad_h_n");
  const auto d = layer.backward(ordered(golden.given<T, 3>("grad_out")), &d_state, cache, grad);
  golden.answer("grad_x", ordered(d.x));
  if (golden.gives("h0")) golden.answer("grad_h0", d.initial_state);
  for (std::size_t i = 0; i < layer.layers.size(); ++i) {
    answer_torch_cell(golden, torch_suffix(i, false), *grad.layers[i].forward);
    if (both) answer_torch_cell(golden, torch_suffix(i, true), *grad.layers[i].reverse);
  }
}

/// A matrix as a tensor of rank 3 with an axis of 1 in front of or behind the first.
template <class T>
Tensor<T, 3> with_axis(const Tensor<T, 2>& matrix, int axis) {
  const Index a = matrix.dimension(0), b = matrix.dimension(1);
  return matrix.reshape(axis == 0 ? Eigen::array<Index, 3>{1, a, b} : Eigen::array<Index, 3>{a, 1, b});
}

/// One step of a GRU: a sequence of one.
template <class T>
void run_torch_cell(Case& golden) {
  heed::Gru<T> layer;
  layer.layers.resize(1);
  layer.layers[0].forward = torch_cell<T>(golden, "");
  const Tensor<T, 3> state = with_axis(golden.given<T, 2>("h"), 0);
  typename heed::Gru<T>::Cache cache;
  const auto result = layer.forward(with_axis(golden.given<T, 2>("x"), 1), {.initial_state = &state}, &cache);
  answer_as(golden, "out", golden.given_shape("h"), result.output);
  heed::Gru<T> grad = heed::zeros_like(layer);
  const auto d = layer.backward(with_axis(golden.given<T, 2>("grad_out"), 1), nullptr, cache, grad);
  answer_as(golden, "grad_x", golden.given_shape("x"), d.x);
  answer_as(golden, "grad_h", golden.given_shape("h"), d.initial_state);
  answer_torch_cell(golden, "", *grad.layers[0].forward);
}

/// Keras hands out a backwards layer's steps in the order in which they were computed.
template <class T>
Tensor<T, 3> in_keras_order(const Tensor<T, 3>& sequence, bool backwards) {
  return backwards ? Tensor<T, 3>(sequence.reverse(Eigen::array<bool, 3>{false, true, false})) : sequence;
}

heed::GruGate gate_of(const std::string& name) {
  if (name == "sigmoid") return heed::GruGate::sigmoid;
  if (name == "hard_sigmoid") return heed::GruGate::hard_sigmoid;
  throw NotOffered("the recurrent activation " + name);
}

template <class T>
void run_keras_gru(Case& golden) {
  const bool backwards = golden.option<bool>("go_backwards", false);
  heed::GruCell<T> cell = gru_cell_from_keras<T>(
      golden, "gru_cell.", golden.option<bool>("reset_after", true) ? heed::GruReset::after : heed::GruReset::before);
  cell.gate = gate_of(golden.option<std::string>("recurrent_activation", "sigmoid"));
  heed::Gru<T> layer;
  layer.layers.resize(1);
  (backwards ? layer.layers[0].reverse : layer.layers[0].forward) = cell;
  std::vector<Index> lengths;
  if (golden.gives("mask")) lengths = lengths_of_mask(golden, "mask");
  if (backwards && golden.gives("mask")) throw NotOffered("go_backwards with a mask");
  Tensor<T, 3> h0;
  if (golden.gives("h0")) h0 = with_axis(golden.given<T, 2>("h0"), 0);
  typename heed::Gru<T>::Cache cache;
  const auto result = layer.forward(golden.given<T, 3>("x"),
                                    {.lengths = lengths, .initial_state = golden.gives("h0") ? &h0 : nullptr}, &cache);
  golden.answer("out", in_keras_order(result.output, backwards));
  answer_as(golden, "state", golden.given_shape("grad_state"), result.state);
  heed::Gru<T> grad = heed::zeros_like(layer);
  const Tensor<T, 3> d_state = with_axis(golden.given<T, 2>("grad_state"), 0);
  const auto d = layer.backward(in_keras_order(golden.given<T, 3>("grad_out"), backwards), &d_state, cache, grad);
  golden.answer("grad_x", d.x);
  if (golden.gives("h0")) answer_as(golden, "grad_h0", golden.given_shape("h0"), d.initial_state);
  answer_keras_gru(golden, "gru_cell.", backwards ? *grad.layers[0].reverse : *grad.layers[0].forward);
}

/// One direction's weights; gates and biases of all directions lie behind each other.
heed::GruCell<float> onnx_cell(const Case& golden, Index direction) {
  const Index gates = golden.given_shape("input.W").at(1), inputs = golden.given_shape("input.W").at(2), hidden = gates / 3;
  const std::vector<float> w = golden.given_values<float>("input.W"), r = golden.given_values<float>("input.R");
  std::vector<float> b;
  if (golden.gives("input.B")) b = golden.given_values<float>("input.B");
  const bool before = golden.json().at("attributes").value("linear_before_reset", 0) == 0;
  heed::OnnxGruWeights<float> weights{.w = {w.data() + direction * gates * inputs, gates, inputs},
                                      .r = {r.data() + direction * gates * hidden, gates, hidden},
                                      .reset = before ? heed::GruReset::before : heed::GruReset::after};
  if (!b.empty()) weights.b = std::span(b).subspan(static_cast<std::size_t>(2 * direction * gates), static_cast<std::size_t>(2 * gates));
  return heed::gru_cell_from_onnx(weights);
}

/// ONNX's GRU. layout 0: X (steps, batch, input), Y (steps, directions, batch, hidden); 1: the batch comes first everywhere.
void run_onnx_gru(Case& golden) {
  const nlohmann::json& attributes = golden.json().at("attributes");
  for (const char* name : {"activations", "clip"}) {
    if (attributes.contains(name)) throw NotOffered(std::string("GRU with ") + name);
  }
  const auto direction = attributes.value("direction", std::string("forward"));
  const bool batch_first = attributes.value("layout", 0) == 1;
  heed::Gru<float> layer;
  layer.layers.resize(1);
  if (direction != "reverse") layer.layers[0].forward = onnx_cell(golden, 0);
  if (direction != "forward") layer.layers[0].reverse = onnx_cell(golden, direction == "bidirectional" ? 1 : 0);
  const auto x = golden.given<float, 3>("input.X");
  std::vector<Index> lengths;
  if (golden.gives("input.sequence_lens")) lengths = given_indices(golden, "input.sequence_lens");
  Tensor<float, 3> h0;
  if (golden.gives("input.initial_h")) h0 = golden.given<float, 3>("input.initial_h");
  if (batch_first && h0.size() > 0) h0 = swapped(h0);
  const auto result = layer.forward(batch_first ? x : swapped(x), {.lengths = lengths,
                                                                    .initial_state = h0.size() > 0 ? &h0 : nullptr,
                                                                    .masked_output = heed::MaskedOutput::zero});
  const Index batch = result.output.dimension(0), steps = result.output.dimension(1);
  const Tensor<float, 4> y = result.output.reshape(heed::Extents<4>{batch, steps, layer.directions(), layer.hidden_dim()});
  if (golden.expects("output.Y")) golden.answer("output.Y", batch_first ? y : Tensor<float, 4>(y.shuffle(heed::Extents<4>{1, 2, 0, 3})));
  if (golden.expects("output.Y_h")) golden.answer("output.Y_h", batch_first ? swapped(result.state) : result.state);
}

}  // namespace

void add_gru(Registry& registry) {
  registry.add("torch.nn.GRU", run_torch_gru<float>, run_torch_gru<double>);
  registry.add("torch.nn.GRUCell", run_torch_cell<float>, run_torch_cell<double>);
  registry.add("keras.layers.GRU", run_keras_gru<float>, run_keras_gru<double>);
  registry.add("GRU", run_onnx_gru);
}

}  // namespace conformance
