#include <heed/io/checkpoint.hpp>

#include <limits>
#include <optional>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using heed::Checkpoint;
using heed::CheckpointWriter;
using heed::FormatError;
using heed::Index;
using heed::Tensor;
using heed_test::message_of;
using heed_test::TempFolder;

namespace {

template <class T>
struct Layer {
  Tensor<T, 2> weight;
  Tensor<T, 1> bias;
  static void fields(auto&& visit, auto&... self) {
    visit("weight", self.weight...);
    visit("bias", self.bias..., heed::Role::no_decay);
  }
};
template <class T>
struct Model {
  Layer<T> input;
  std::vector<Layer<T>> layers;
  static void fields(auto&& visit, auto&... self) {
    visit("input", self.input...);
    visit("layers", self.layers...);
  }
};

template <class T>
Model<T> model_of(T first, Index width = 3) {
  Model<T> model;
  model.layers.resize(2);
  for (Layer<T>* layer : {&model.input, &model.layers[0], &model.layers[1]}) {
    layer->weight = Tensor<T, 2>(2, width);
    layer->bias = Tensor<T, 1>(width);
  }
  heed::for_each_parameter(
      [&](std::string_view, heed::Role, auto& tensor) {
        for (auto& value : heed::flat(tensor)) value = first++;
      },
      model);
  return model;
}
template <class T>
std::vector<T> numbers(const Model<T>& model) {
  std::vector<T> all;
  heed::for_each_parameter(
      [&](std::string_view, heed::Role, const auto& tensor) {
        for (const auto value : heed::flat(tensor)) all.push_back(value);
      },
      model);
  return all;
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a model is saved under its dotted names and loaded bit for bit", "[io]") {
  const TempFolder folder;
  const auto saved = model_of<float>(0.1F);
  heed::save(folder / "m.safetensors", saved);
  const heed::SafetensorsFile file = heed::SafetensorsFile::read(folder / "m.safetensors");
  CHECK(file.names() == std::vector<std::string>{"input.bias", "input.weight", "layers.0.bias", "layers.0.weight",
                                                 "layers.1.bias", "layers.1.weight"});
  auto loaded = model_of<float>(100);
  heed::load(folder / "m.safetensors", loaded);
  CHECK(numbers(loaded) == numbers(saved));
  auto wide = model_of<double>(100);
  heed::load(folder / "m.safetensors", wide);
  CHECK(wide.input.weight(0, 0) == double(0.1F));
}

TEST_CASE("C49: a tensor that is missing, left over or of another shape is named, and nothing is loaded", "[io]") {
  const TempFolder folder;
  heed::save(folder / "m", model_of<float>(1));
  const auto refusal = [&](auto model) {
    const auto before = numbers(model);
    const std::string message = message_of<FormatError>([&] { heed::load(folder / "m", model); });
    CHECK(numbers(model) == before);
    return message;
  };
  CHECK(has(refusal(model_of<float>(7, 4)), R"("input.weight" (F32 (2, 3), wanted (2, 4)), "input.bias")"));
  auto smaller = model_of<float>(7);
  smaller.layers.pop_back();
  CHECK(has(refusal(smaller), R"(left over: "layers.1.bias", "layers.1.weight")"));
  auto larger = model_of<float>(7);
  larger.layers.push_back(larger.layers[0]);
  CHECK(has(refusal(larger), R"(missing: "layers.2.weight", "layers.2.bias")"));
  larger.layers.resize(20, larger.layers[0]);
  CHECK(has(refusal(larger), "and 26 more"));
}

TEST_CASE("tensors of a type that heed cannot load are found before anything is loaded", "[io]") {
  const TempFolder folder;
  const std::string head = R"({"bias":{"dtype":"F8_E5M2","shape":[3],"data_offsets":[0,3]},)"
                           R"("weight":{"dtype":"F32","shape":[1,1],"data_offsets":[3,7]}})";
  heed_test::write_bytes(folder / "m", heed_test::safetensors_bytes(head, std::string(7, 'x')));
  Layer<float> layer{Tensor<float, 2>(1, 1), Tensor<float, 1>(3)};
  layer.weight.setConstant(5);
  CHECK(has(message_of<FormatError>([&] { heed::load(folder / "m", layer); }), R"("bias" (F8_E5M2 (3), wanted (3)))"));
  CHECK(layer.weight(0, 0) == 5);
}

TEST_CASE("configuration, texts, sections and numbers come back", "[io]") {
  const TempFolder folder;
  const auto model = model_of<float>(1), moment = model_of<float>(50);
  CheckpointWriter writer;
  writer.set_config(R"({"hidden": 256, "name": "gru"})");
  writer.set_text("vocabulary", "<pad>\n你好\n\"x\"");
  writer.add("", model);
  writer.add("optimizer.first", moment);
  writer.add_scalar("training", "step", std::int64_t{1} << 40);
  writer.add_scalar("training", "best", 0.1);
  writer.save(folder / "m");

  const Checkpoint checkpoint(folder / "m");
  CHECK(heed::parse_json(checkpoint.config(), "config")["hidden"] == 256);
  CHECK(checkpoint.text("vocabulary") == "<pad>\n你好\n\"x\"");
  CHECK(has(checkpoint.written_by(), "heed "));
  CHECK(checkpoint.has_section("optimizer.first"));
  CHECK(!checkpoint.has_section("optimizer.second"));
  auto loaded = model_of<float>(7), loaded_moment = model_of<float>(7);
  checkpoint.load("", loaded);  // sections are not left over
  checkpoint.load("optimizer.first", loaded_moment);
  CHECK(numbers(loaded) == numbers(model));
  CHECK(numbers(loaded_moment) == numbers(moment));
  CHECK(checkpoint.scalar<std::int64_t>("training", "step") == std::int64_t{1} << 40);
  CHECK(checkpoint.scalar<double>("training", "best") == 0.1);
  CHECK_THROWS_AS(checkpoint.text("other"), FormatError);
  CHECK_THROWS_AS(checkpoint.scalar<double>("training", "worst"), FormatError);
  CHECK_THROWS_AS(writer.set_config("{"), FormatError);
}

TEST_CASE("E25: another format version is refused with both versions", "[io]") {
  const TempFolder folder;
  const std::string head = R"({"__metadata__":{"heed":"{\"format_version\":2}"}})";
  heed_test::write_bytes(folder / "m", heed_test::safetensors_bytes(head));
  CHECK(has(message_of<FormatError>([&] { Checkpoint{folder / "m"}; }), "format version 2, this heed reads version 1"));
  for (const char* block : {"", "{}", "[]", R"({\"format_version\":\"1\"})", R"({\"format_version\":1})",
                            R"({\"format_version\":1,\"format_version\":1})", R"({\"format_version\":4294967297})",
                            R"({\"format_version\":1.5})"}) {
    heed_test::write_bytes(folder / "m",
                           heed_test::safetensors_bytes(R"({"__metadata__":{"heed":")" + std::string(block) + "\"}}"));
    CHECK_THROWS_AS(Checkpoint(folder / "m"), FormatError);
  }
}

TEST_CASE("a checkpoint's self-test is run at load, and one that comes out otherwise is refused", "[io]") {
  const TempFolder folder;
  const auto model = model_of<float>(1);
  CheckpointWriter writer;
  writer.set_self_test({{{"x", {2, 3}}}, {{"y", {10}}}, 0.01});
  writer.add("", model);
  writer.save(folder / "m");
  const Checkpoint checkpoint(folder / "m");
  CHECK(checkpoint.has_self_test());
  CHECK(checkpoint.self_test() == heed::SelfTest{{{"x", {2, 3}}}, {{"y", {10}}}, 0.01});
  CHECK(checkpoint.written_by() == heed::library_text());
  heed::NumberLists given;
  const auto answer = [&](double y) {
    return [&given, y](const heed::NumberLists& input) { return given = input, heed::NumberLists{{"y", {y}}}; };
  };
  checkpoint.verify(answer(10));
  checkpoint.verify(answer(10.1));
  CHECK(given == heed::NumberLists{{"x", {2, 3}}});
  const std::string message = message_of<FormatError>([&] { checkpoint.verify(answer(11)); });
  CHECK(has(message, (folder / "m").string()));
  CHECK(has(message, R"(the self-test failed: "y"[0] is 11, expected 10 within 0.11)"));
  CHECK(has(message, "saved by " + heed::library_text()));
  CHECK(has(message, "this " + heed::library_text()));

  heed::save(folder / "plain", model);
  const Checkpoint plain(folder / "plain");
  CHECK(!plain.has_self_test());
  plain.verify(answer(11));
  CHECK_THROWS_WITH(writer.set_self_test({{}, {{"y", {1, std::numeric_limits<double>::quiet_NaN()}}}}),
                    "CheckpointWriter::set_self_test: output \"y\"[1] is not finite");
  CHECK_THROWS_WITH(writer.set_self_test({{}, {}, 1.5}),
                    "CheckpointWriter::set_self_test: tolerance is 1.5, wanted from 0 to below 1");
}

TEST_CASE("a file of another program is a checkpoint without configuration", "[io]") {
  const TempFolder folder;
  const std::string head =
      R"({"__metadata__":{"format":"pt"},"weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},)"
      R"("bias":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]}})";
  heed_test::write_bytes(folder / "m", heed_test::safetensors_bytes(head, std::string("\0\0\x80\x3f\x80\x3f", 6)));
  Layer<float> layer{Tensor<float, 2>(1, 1), Tensor<float, 1>(1)};
  heed::load(folder / "m", layer);
  CHECK(layer.weight(0, 0) == 1);
  CHECK(layer.bias(0) == 1);
  CHECK(Checkpoint(folder / "m").config().empty());
}

TEST_CASE("C50: weights that hold NaN load, and are found when asked for", "[io]") {
  const TempFolder folder;
  auto model = model_of<float>(1);
  CHECK(heed::find_non_finite(model).empty());
  model.layers[1].bias(1) = std::numeric_limits<float>::quiet_NaN();
  heed::save(folder / "m", model);
  auto loaded = model_of<float>(1);
  heed::load(folder / "m", loaded);
  CHECK(heed::find_non_finite(loaded) == "layers.1.bias");
}
