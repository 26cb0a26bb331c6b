#pragma once
// Keras' weights in safetensors files: kernels lie (in, out) there, recurrent gates in another order, heads on an axis
// of their own. Exported by examples/weights/export_keras.py under the layer's path: "encoder.dense.kernel". Only
// weights are moved: Keras' images are (batch, height, width, channels), heed's (batch, channels, height, width).
//
//   const auto file = heed::SafetensorsFile::read("model.safetensors");
//   heed::load_keras(file, "encoder.dense.", dense);

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <heed/io/tensor_report.hpp>
#include <heed/nn/batch_norm.hpp>
#include <heed/nn/conv.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/embedding.hpp>
#include <heed/nn/gru_cell.hpp>
#include <heed/nn/layer_norm.hpp>
#include <heed/nn/lstm_cell.hpp>
#include <heed/nn/multi_head_attention.hpp>
#include <heed/nn/rms_norm.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// One of Keras' tensors, and how its numbers, in memory order, enter a layer.
template <class T>
struct KerasTensor {
  using value_type = T;
  std::string name;
  std::vector<Index> shape;
  std::function<void(std::span<const T>)> fill;
};

/// numbers (in, rows) -> rows [first, first + rows) of weight (all rows, in), in the order that `place` gives them.
template <class T, class Place>
std::function<void(std::span<const T>)> transposed_rows(const MatrixView<T>& weight, const Place& place) {
  return [weight, place](std::span<const T> numbers) {
    const Index rows = static_cast<Index>(numbers.size()) / std::max<Index>(weight.cols, 1);
    for (Index i = 0; i < weight.cols; ++i)
      for (Index r = 0; r < rows; ++r) weight(place(r), i) = numbers[static_cast<std::size_t>(i * rows + r)];
  };
}
template <class T>
std::function<void(std::span<const T>)> copied(T* target) {
  return [target](std::span<const T> numbers) { std::copy(numbers.begin(), numbers.end(), target); };
}
inline Index same_row(Index row) { return row; }

template <class T>
std::vector<KerasTensor<T>> keras_tensors(Dense<T>& layer) {
  std::vector<KerasTensor<T>> all{{"kernel", {layer.in_features(), layer.out_features()},
                                   transposed_rows<T>(as_matrix(layer.weight), same_row)}};
  if (layer.bias.size() > 0) all.push_back({"bias", {layer.out_features()}, copied(layer.bias.data())});
  return all;
}

template <class T>
std::vector<KerasTensor<T>> keras_tensors(Embedding<T>& layer) {
  return {{"embeddings", {layer.vocab_size(), layer.embedding_dim()}, copied(layer.weight.data())}};
}

template <class T>
std::vector<KerasTensor<T>> keras_tensors(LayerNorm<T>& layer) {
  std::vector<KerasTensor<T>> all;
  if (layer.weight.size() > 0) all.push_back({"gamma", {layer.weight.size()}, copied(layer.weight.data())});
  if (layer.bias.size() > 0) all.push_back({"beta", {layer.bias.size()}, copied(layer.bias.data())});
  return all;
}

template <class T>
std::vector<KerasTensor<T>> keras_tensors(RmsNorm<T>& layer) {
  return {{"scale", {layer.weight.size()}, copied(layer.weight.data())}};
}

template <class T>
std::vector<KerasTensor<T>> keras_tensors(BatchNorm<T>& layer) {
  const std::vector<Index> shape{layer.channels()};
  return {{"gamma", shape, copied(layer.weight.data())},
          {"beta", shape, copied(layer.bias.data())},
          {"moving_mean", shape, copied(layer.running_mean.data())},
          {"moving_variance", shape, copied(layer.running_var.data())}};
}

/// The kernel is (axes..., in_channels / groups, out_channels).
template <class T, int Axes>
std::vector<KerasTensor<T>> keras_tensors(Conv<T, Axes>& layer) {
  const Index out = layer.weight.dimension(0), in = layer.weight.dimension(1);
  std::vector<Index> shape;
  for (int axis = 2; axis < Axes + 2; ++axis) shape.push_back(layer.weight.dimension(axis));
  shape.insert(shape.end(), {in, out});
  std::vector<KerasTensor<T>> all{{"kernel", shape, [&layer, in, out](std::span<const T> numbers) {
                                     const Index places = layer.weight.size() / (in * out);
                                     T* to = layer.weight.data();
                                     for (Index o = 0; o < out; ++o)
                                       for (Index i = 0; i < in; ++i)
                                         for (Index p = 0; p < places; ++p)
                                           *to++ = numbers[static_cast<std::size_t>((p * in + i) * out + o)];
                                   }}};
  if (layer.bias.size() > 0) all.push_back({"bias", {out}, copied(layer.bias.data())});
  return all;
}

/// Gates lie z, r, h; one bias of (2, gates) with reset_after, else of (gates).
template <class T>
std::vector<KerasTensor<T>> keras_tensors(GruCell<T>& cell) {
  const Index gates = cell.weight_ih.dimension(0), hidden = gates / 3;
  const auto row = [hidden](Index r) { return r < hidden ? r + hidden : r < 2 * hidden ? r - hidden : r; };
  std::vector<KerasTensor<T>> all{
      {"kernel", {cell.weight_ih.dimension(1), gates}, transposed_rows<T>(as_matrix(cell.weight_ih), row)},
      {"recurrent_kernel", {hidden, gates}, transposed_rows<T>(as_matrix(cell.weight_hh), row)}};
  if (cell.bias_ih.size() == 0) return all;
  const bool two = cell.reset == GruReset::after;
  all.push_back({"bias", two ? std::vector<Index>{2, gates} : std::vector<Index>{gates}, [&cell, row, gates, two](auto numbers) {
                   for (Index r = 0; r < gates; ++r) {
                     cell.bias_ih(row(r)) = numbers[static_cast<std::size_t>(r)];
                     cell.bias_hh(row(r)) = two ? numbers[static_cast<std::size_t>(gates + r)] : T(0);
                   }
                 }});
  return all;
}

/// Gates lie i, f, c, o, as PyTorch's; there is one bias.
template <class T>
std::vector<KerasTensor<T>> keras_tensors(LstmCell<T>& cell) {
  const Index gates = cell.weight_ih.dimension(0);
  std::vector<KerasTensor<T>> all{
      {"kernel", {cell.weight_ih.dimension(1), gates}, transposed_rows<T>(as_matrix(cell.weight_ih), same_row)},
      {"recurrent_kernel", {gates / 4, gates}, transposed_rows<T>(as_matrix(cell.weight_hh), same_row)}};
  if (cell.bias_ih.size() == 0) return all;
  all.push_back({"bias", {gates}, [&cell](std::span<const T> numbers) {
                   std::copy(numbers.begin(), numbers.end(), cell.bias_ih.data());
                   cell.bias_hh.setZero();
                 }});
  return all;
}

/// Kernels are (in, heads, dim), the last one (heads, dim, out).
template <class T>
std::vector<KerasTensor<T>> keras_tensors(MultiHeadAttention<T>& layer) {
  std::vector<KerasTensor<T>> all;
  const MultiHeadConfig& config = layer.config;
  const auto add = [&](const std::string& name, HeadInput which, Index heads, Index dim) {
    const MatrixView<T> weight = layer.in_proj.weight(which);
    all.push_back({name + ".kernel", {weight.cols, heads, dim}, transposed_rows<T>(weight, same_row)});
    if (T* const bias = layer.in_proj.bias(which)) all.push_back({name + ".bias", {heads, dim}, copied(bias)});
  };
  add("query", HeadInput::query, config.heads, config.head_dim);
  add("key", HeadInput::key, config.kv_heads, config.head_dim);
  add("value", HeadInput::value, config.kv_heads, config.value_dim);
  all.push_back({"attention_output.kernel", {config.heads, config.value_dim, config.output_dim},
                 transposed_rows<T>(as_matrix(layer.out_proj.weight), same_row)});
  if (layer.out_proj.bias.size() > 0)
    all.push_back({"attention_output.bias", {config.output_dim}, copied(layer.out_proj.bias.data())});
  return all;
}

}  // namespace detail

/// Fills a layer whose tensors have their sizes already from the file's tensors under `prefix` (its dot included);
/// numbers of another type are converted. Layers: Dense, Conv1d, Conv2d, Embedding, LayerNorm, RmsNorm, BatchNorm,
/// GruCell, LstmCell, MultiHeadAttention. Throws FormatError that lists every tensor that is missing, left over or of
/// another shape; then nothing was loaded.
template <class Layer>
void load_keras(const SafetensorsFile& file, const std::string& prefix, Layer& layer) {
  auto tensors = detail::keras_tensors(layer);
  using T = typename decltype(tensors)::value_type::value_type;
  TensorReport report;
  for (auto& tensor : tensors) report.expect<T>(file, tensor.name = prefix + tensor.name, tensor.shape);
  report.add_extra(file, [&](std::string_view name) { return name.starts_with(prefix); });
  report.require(file, "the weights are not the layer's");
  for (auto& tensor : tensors) tensor.fill(file.values<T>(tensor.name));
}

}  // namespace heed::inline HEED_ABI
