#include <heed/io/state_dict.hpp>

#include <heed/models/transformer_decoder.hpp>
#include <heed/nn/batch_norm.hpp>
#include <heed/nn/gru.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::message_of;
using heed_test::TempFolder;

namespace {

template <class Model>
bool same_parameters(const Model& a, const Model& b) {
  bool same = true;
  for_each_parameter(
      [&](std::string_view, Role, const auto& x, const auto& y) { same = same && heed_test::all_same_bits(flat(x), flat(y)); },
      a, b);
  return same;
}

struct Pair {
  Dense<float> first, second;
  static void fields(auto&& visit, auto&... self) {
    visit("first", self.first...);
    visit("second", self.second...);
  }
};
struct Other {
  Dense<float> first, third;
  static void fields(auto&& visit, auto&... self) {
    visit("first", self.first...);
    visit("third", self.third...);
  }
};

}  // namespace

TEST_CASE("parameters have PyTorch's names", "[io]") {
  CHECK(torch_name("layers.0.forward.weight_ih") == "weight_ih_l0");
  CHECK(torch_name("encoder.layers.12.reverse.bias_hh") == "encoder.bias_hh_l12_reverse");
  CHECK(torch_name("encoder.layers.1.self_attn.in_proj_weight") == "encoder.layers.1.self_attn.in_proj_weight");
  CHECK(torch_name("layers.0") == "layers.0");
  CHECK(torch_name("players.0.forward.weight_ih") == "players.0.forward.weight_ih");
  CHECK(torch_name("weight") == "weight");
}

TEST_CASE("a state dict comes back bit by bit, under a prefix too", "[io]") {
  const TempFolder folder;
  Rng rng{1, 0};
  const Gru<float> gru({.input_dim = 3, .hidden_dim = 4, .layers = 2, .directions = Directions::both}, rng);
  save_state_dict(folder / "gru.safetensors", gru, "model.rnn.");
  const auto file = SafetensorsFile::read(folder / "gru.safetensors");
  CHECK(file.contains("model.rnn.weight_hh_l1_reverse"));
  Gru<float> other({.input_dim = 3, .hidden_dim = 4, .layers = 2, .directions = Directions::both}, rng);
  load_state_dict(file, other, {.prefix = "model.rnn."});
  CHECK(same_parameters(gru, other));

  const TransformerDecoder<float> decoder({.layer = {.model_dim = 8, .heads = 2, .hidden_dim = 5}, .layers = 2}, rng);
  save_state_dict(folder / "decoder.safetensors", decoder);
  TransformerDecoder<double> wide({.layer = {.model_dim = 8, .heads = 2, .hidden_dim = 5}, .layers = 2}, rng);
  load_state_dict(SafetensorsFile::read(folder / "decoder.safetensors"), wide);
  CHECK(wide.layers[1].multihead_attn.in_proj.in_proj_weight(5, 6) ==
        double(decoder.layers[1].multihead_attn.in_proj.in_proj_weight(5, 6)));
}

TEST_CASE("a state dict that is not the model's is refused whole, with everything that differs", "[io]") {
  const TempFolder folder;
  Rng rng{1, 0};
  save_state_dict(folder / "a.safetensors", Other{{{2, 3}, rng}, {{2, 2}, rng}});
  const auto file = SafetensorsFile::read(folder / "a.safetensors");
  Pair model{{{2, 4}, rng}, {{2, 2}, rng}};
  const Pair before = model;
  const std::string text = message_of<FormatError>([&] { load_state_dict(file, model); });
  for (const char* const part : {"missing: \"second.weight\", \"second.bias\"", "\"first.weight\" (F32 (3, 2), wanted (4, 2))",
                                 "left over: \"third.bias\", \"third.weight\""}) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(same_parameters(before, model));
  const auto report = compare_state_dict(file, model, {.extra = ExtraTensors::ignore});
  CHECK(report.extra.empty());
  CHECK(report.missing.size() == 2);
  CHECK_FALSE(report.complete());
}

TEST_CASE("a batch norm's count of batches is not left over, another layer's is", "[io]") {
  const TempFolder folder;
  BatchNorm<float> norm({.channels = 2});
  norm.running_var(1) = 7;
  SafetensorsWriter writer;
  for_each_parameter([&](std::string_view name, Role, const auto& x) { writer.add("bn." + std::string(name), x); }, norm);
  const std::vector<std::int64_t> count{12};
  writer.add_copy<std::int64_t>("bn.num_batches_tracked", {}, count);
  writer.add_copy<std::int64_t>("bn.other.num_batches_tracked", {}, count);
  writer.save(folder / "bn.safetensors");
  const auto file = SafetensorsFile::read(folder / "bn.safetensors");
  BatchNorm<float> loaded({.channels = 2});
  const auto report = compare_state_dict(file, loaded, {.prefix = "bn."});
  CHECK(report.extra == std::vector<std::string>{"\"bn.other.num_batches_tracked\""});
  load_state_dict(file, loaded, {.prefix = "bn.", .extra = ExtraTensors::ignore});
  CHECK(loaded.running_var(1) == 7);
}
