#include <heed/io/keras_weights.hpp>

#include <heed/io/safetensors_writer.hpp>

#include "io/temp_folder.hpp"
#include "nn/layer_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using heed_test::message_of;
using heed_test::TempFolder;

namespace {

/// 0, 1, 2, ... under a name.
void add(SafetensorsWriter& writer, const std::string& name, const std::vector<Index>& shape) {
  Index size = 1;
  for (const Index extent : shape) size *= extent;
  std::vector<float> numbers;
  for (Index i = 0; i < size; ++i) numbers.push_back(static_cast<float>(i));
  writer.add_copy<float>(name, shape, numbers);
}

}  // namespace

TEST_CASE("Keras' kernels are transposed, gates reordered and heads laid side by side", "[io]") {
  const TempFolder folder;
  SafetensorsWriter writer;
  add(writer, "dense.kernel", {2, 3});
  add(writer, "dense.bias", {3});
  add(writer, "gru.kernel", {2, 6});
  add(writer, "gru.recurrent_kernel", {2, 6});
  add(writer, "gru.bias", {2, 6});
  add(writer, "lstm.kernel", {3, 8});
  add(writer, "lstm.recurrent_kernel", {2, 8});
  add(writer, "lstm.bias", {8});
  add(writer, "mha.query.kernel", {4, 2, 2});
  add(writer, "mha.query.bias", {2, 2});
  add(writer, "mha.key.kernel", {4, 1, 2});
  add(writer, "mha.key.bias", {1, 2});
  add(writer, "mha.value.kernel", {4, 1, 2});
  add(writer, "mha.value.bias", {1, 2});
  add(writer, "mha.attention_output.kernel", {2, 2, 4});
  add(writer, "mha.attention_output.bias", {4});
  add(writer, "norm.gamma", {3});
  add(writer, "norm.beta", {3});
  add(writer, "table.embeddings", {5, 2});
  writer.save(folder / "k.safetensors");
  const auto file = SafetensorsFile::read(folder / "k.safetensors");
  Rng rng{1, 0};

  Dense<float> dense({2, 3}, rng);
  load_keras(file, "dense.", dense);
  CHECK(dense.weight(2, 1) == 5);  // kernel(1, 2)
  CHECK(dense.bias(2) == 2);

  GruCell<float> gru({.input_dim = 2, .hidden_dim = 2}, rng);
  load_keras(file, "gru.", gru);
  CHECK(gru.weight_ih(0, 1) == 6 + 2);  // r, heed's first gate, is Keras' second: kernel(1, 2)
  CHECK(gru.weight_ih(2, 0) == 0);      // z: kernel(0, 0)
  CHECK(gru.weight_ih(5, 1) == 11);     // n: kernel(1, 5)
  CHECK(gru.bias_ih(0) == 2);
  CHECK(gru.bias_hh(0) == 6 + 2);

  LstmCell<float> lstm({.input_dim = 3, .hidden_dim = 2}, rng);
  load_keras(file, "lstm.", lstm);
  CHECK(lstm.weight_hh(7, 1) == 15);
  CHECK(lstm.bias_ih(3) == 3);
  CHECK(lstm.bias_hh(3) == 0);

  MultiHeadAttention<double> mha({.model_dim = 4, .heads = 2, .kv_heads = 1}, rng);
  load_keras(file, "mha.", mha);
  CHECK(mha.in_proj.in_proj_weight(3, 2) == 11);  // query kernel (2, head 1, dim 1)
  CHECK(mha.in_proj.in_proj_weight(5, 3) == 7);   // key kernel (3, 0, 1)
  CHECK(mha.in_proj.in_proj_bias(7) == 1);        // value's
  CHECK(mha.out_proj.weight(3, 2) == 11);         // (head 1, dim 0, 3)

  LayerNorm<float> norm({.shape = {3}});
  load_keras(file, "norm.", norm);
  CHECK(norm.bias(2) == 2);
  Embedding<float> table({5, 2}, rng);
  load_keras(file, "table.", table);
  CHECK(table.weight(4, 1) == 9);
}

TEST_CASE("a convolution with Keras' kernel is Keras' convolution", "[io]") {
  const TempFolder folder;
  SafetensorsWriter writer;
  const Index height = 2, width = 3, inputs = 4, outputs = 6, groups = 2, per_group = inputs / groups;
  add(writer, "conv2d.kernel", {height, width, per_group, outputs});
  add(writer, "conv2d.bias", {outputs});
  add(writer, "conv1d.kernel", {3, 2, 2});
  writer.save(folder / "k.safetensors");
  const auto file = SafetensorsFile::read(folder / "k.safetensors");
  Rng rng{1, 0};
  Conv2d<double>::Config config{.in_channels = inputs, .out_channels = outputs, .kernel = {height, width}};
  config.groups = groups;
  Conv2d<double> conv(config, rng);
  load_keras(file, "conv2d.", conv);
  const auto x = heed_test::random_tensor<double>(3, 1, inputs, 4, 5);
  const auto y = conv.forward(x);
  // as Keras defines it: kernel (height, width, in, out), whose first numbers are 0, 1, 2, ...
  for (Index o = 0; o < outputs; ++o) {
    double sum = static_cast<double>(o);  // the bias
    for (Index h = 0; h < height; ++h)
      for (Index w = 0; w < width; ++w)
        for (Index c = 0; c < per_group; ++c)
          sum += static_cast<double>(((h * width + w) * per_group + c) * outputs + o) *
                 x(0, o / (outputs / groups) * per_group + c, 1 + h, 2 + w);
    CHECK(y(0, o, 1, 2) == Approx(sum));
  }

  Conv1d<float> line({.in_channels = 2, .out_channels = 2, .kernel = {3}, .bias = Bias::no}, rng);
  load_keras(file, "conv1d.", line);
  CHECK(line.weight(1, 0, 2) == 9);  // kernel(2, 0, 1)
  CHECK(line.weight(0, 1, 0) == 2);  // kernel(0, 1, 0)

  config.kernel = {width, height};
  Conv2d<double> other(config, rng);
  CHECK(message_of<FormatError>([&] { load_keras(file, "conv2d.", other); })
            .find("\"conv2d.kernel\" (F32 (2, 3, 2, 6), wanted (3, 2, 2, 6))") != std::string::npos);
}

TEST_CASE("Keras' norms bring their factors and running statistics", "[io]") {
  const TempFolder folder;
  SafetensorsWriter writer;
  float first = 10;
  for (const char* const name : {"bn.gamma", "bn.beta", "bn.moving_mean", "bn.moving_variance"})
    writer.add_copy<float>(name, {2}, std::vector<float>{first, first + 1}), first += 10;
  add(writer, "rms.scale", {3});
  writer.save(folder / "k.safetensors");
  const auto file = SafetensorsFile::read(folder / "k.safetensors");
  BatchNorm<float> norm({.channels = 2});
  load_keras(file, "bn.", norm);
  CHECK(norm.weight(1) == 11);
  CHECK(norm.bias(0) == 20);
  CHECK(norm.running_mean(1) == 31);
  CHECK(norm.running_var(0) == 40);
  RmsNorm<double> rms({.shape = {3}});
  load_keras(file, "rms.", rms);
  CHECK(rms.weight(2) == 2);
}

TEST_CASE("Keras' weights that are not the layer's are refused whole, by name", "[io]") {
  const TempFolder folder;
  SafetensorsWriter writer;
  add(writer, "dense.kernel", {2, 4});
  add(writer, "dense.scale", {4});
  writer.save(folder / "k.safetensors");
  Rng rng{1, 0};
  Dense<float> dense({2, 3}, rng);
  const float before = dense.weight(0, 0);
  const std::string text =
      message_of<FormatError>([&] { load_keras(SafetensorsFile::read(folder / "k.safetensors"), "dense.", dense); });
  for (const char* const part : {"missing: \"dense.bias\"", "\"dense.kernel\" (F32 (2, 4), wanted (2, 3))", "left over: \"dense.scale\""}) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(dense.weight(0, 0) == before);
}
