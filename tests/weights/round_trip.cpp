// heed's side of round_trip.py: writes every layer that PyTorch has too as one state dict, compares what comes back.
//   weights_round_trip write FILE    weights_round_trip compare FILE

#include <cstdio>
#include <exception>
#include <string_view>

#include <heed/io/state_dict.hpp>
#include <heed/models/transformer_decoder.hpp>
#include <heed/nn/batch_norm.hpp>
#include <heed/nn/conv.hpp>
#include <heed/nn/gru.hpp>
#include <heed/nn/lstm.hpp>

#include "support/tolerance.hpp"

namespace {

using namespace heed;

constexpr TransformerLayerConfig layer_config{.model_dim = 8, .heads = 2, .hidden_dim = 6};
constexpr TransformerStackConfig stack_config{.layer = layer_config, .layers = 2, .final_norm = FinalNorm::yes};

struct Stacks {
  TransformerEncoder<float> encoder;
  TransformerDecoder<float> decoder;
  static void fields(auto&& visit, auto&... self) {
    visit("encoder", self.encoder...);
    visit("decoder", self.decoder...);
  }
};

/// As the module of the same name in round_trip.py.
struct Everything {
  Gru<float> gru;
  GruCell<float> gru_cell;
  Lstm<float> lstm;
  LstmCell<float> lstm_cell;
  MultiHeadAttention<float> attention, cross;
  TransformerEncoderLayer<float> encoder_layer;
  TransformerDecoderLayer<float> decoder_layer;
  Stacks transformer;
  LayerNorm<float> norm;
  Embedding<float> embedding;
  Dense<float> linear;
  Conv1d<float> conv1d;
  Conv2d<float> conv2d;
  BatchNorm<float> batch_norm;

  static void fields(auto&& visit, auto&... self) {
    visit("gru", self.gru...);
    visit("gru_cell", self.gru_cell...);
    visit("lstm", self.lstm...);
    visit("lstm_cell", self.lstm_cell...);
    visit("attention", self.attention...);
    visit("cross", self.cross...);
    visit("encoder_layer", self.encoder_layer...);
    visit("decoder_layer", self.decoder_layer...);
    visit("transformer", self.transformer...);
    visit("norm", self.norm...);
    visit("embedding", self.embedding...);
    visit("linear", self.linear...);
    visit("conv1d", self.conv1d...);
    visit("conv2d", self.conv2d...);
    visit("batch_norm", self.batch_norm...);
  }

  explicit Everything(Rng rng)
      : gru({.input_dim = 3, .hidden_dim = 4, .layers = 2, .directions = Directions::both}, rng),
        gru_cell({.input_dim = 3, .hidden_dim = 4}, rng),
        lstm({.input_dim = 3, .hidden_dim = 4, .layers = 2, .directions = Directions::both}, rng),
        lstm_cell({.input_dim = 3, .hidden_dim = 4}, rng),
        attention({.model_dim = 8, .heads = 2}, rng),
        cross({.model_dim = 8, .heads = 2, .key_dim = 5, .memory_dim = 7, .extra_keys = {.learned = 1}}, rng),
        encoder_layer(layer_config, rng),
        decoder_layer(layer_config, rng),
        transformer{{stack_config, rng}, {stack_config, rng}},
        norm({.shape = {6}}),
        embedding({5, 4}, rng),
        linear({3, 2}, rng),
        conv1d({.in_channels = 2, .out_channels = 3, .kernel = {4}}, rng),
        conv2d({.in_channels = 4, .out_channels = 6, .kernel = {2, 3}, .groups = 2, .bias = Bias::no}, rng),
        batch_norm({.channels = 3}) {
    for_each_parameter([&](std::string_view, Role, auto& x) {
      for (auto& value : flat(x)) value = static_cast<float>(rng.normal());
    }, *this);
  }
};

int compare(const char* path) {
  const Everything sent(Rng{1, 0});
  Everything back(Rng{2, 0});
  load_state_dict(SafetensorsFile::read(path), back);
  int tensors = 0, different = 0;
  for_each_parameter([&](std::string_view name, Role, const auto& a, const auto& b) {
    ++tensors;
    if (heed_test::all_same_bits(flat(a), flat(b))) return;
    ++different;
    std::printf("%.*s came back with other bits\n", static_cast<int>(name.size()), name.data());
  }, sent, back);
  std::printf("%d tensors went to PyTorch and back, %d of them changed\n", tensors, different);
  return different == 0 && tensors > 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) try {
  const std::string_view what = count == 3 ? arguments[1] : "";
  if (what == "compare") return compare(arguments[2]);
  if (what != "write") return 2;
  save_state_dict(arguments[2], Everything(Rng{1, 0}));
  return 0;
} catch (const std::exception& problem) {
  std::printf("%s\n", problem.what());
  return 1;
}
