// position and rope: encodings, slopes, buckets and rotary embeddings; ONNX's RotaryEmbedding.

#include <numeric>

#include <heed/attention/position.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

void run_sinusoid(Case& golden) {
  const auto layout = golden.option<std::string>("layout");
  golden.answer("encoding", heed::sinusoidal_encoding<double>(
                                golden.option<Index>("T"), golden.option<Index>("D"),
                                {.layout = layout == "t2t"            ? heed::SinusoidLayout::tensor2tensor
                                           : layout == "concatenated" ? heed::SinusoidLayout::concatenated
                                                                      : heed::SinusoidLayout::interleaved,
                                 .offset = golden.option<Index>("position_offset")}));
}

void run_slopes(Case& golden) {
  for (const Index heads : golden.option<std::vector<Index>>("heads")) {
    golden.answer("slopes_" + std::to_string(heads), heed::alibi_slopes<double>(heads));
  }
}

/// Where the triangle is asked for, what it hides is minus infinity.
void run_bias(Case& golden) {
  const Index query_length = golden.option<Index>("Tq"), key_length = golden.option<Index>("Tk");
  const auto bias = heed::alibi_bias(heed::alibi_slopes<double>(golden.option<Index>("H")), query_length, key_length);
  golden.answer("symmetric", bias);
  Tensor<double, 3> causal = bias;
  for (Index h = 0; h < causal.dimension(0); ++h) {
    for (Index i = 0; i < query_length; ++i) {
      for (Index j = i + key_length - query_length + 1; j < key_length; ++j) {
        causal(h, i, j) = -std::numeric_limits<double>::infinity();
      }
    }
  }
  golden.answer("causal", causal);
}

void run_buckets(Case& golden) {
  const heed::RelativeBuckets bucket({.buckets = golden.option<Index>("num_buckets"),
                                      .max_distance = golden.option<Index>("max_distance"),
                                      .direction = golden.option<bool>("bidirectional") ? heed::BucketDirection::both
                                                                                        : heed::BucketDirection::past});
  const std::vector<Index> relative = given_indices(golden, "relative");
  Tensor<Index, 1> buckets(static_cast<Index>(relative.size()));
  for (std::size_t i = 0; i < relative.size(); ++i) buckets(static_cast<Index>(i)) = bucket(relative[i]);
  golden.answer("bucket", buckets);
}

heed::RotaryPairs pairs_of(bool interleaved) {
  return interleaved ? heed::RotaryPairs::interleaved : heed::RotaryPairs::halves;
}

void run_rotary(Case& golden) {
  const auto table = heed::rotary_table<double>(
      golden.option<Index>("T"), golden.option<Index>("rotary_dim"),
      {.offset = golden.option<Index>("position_offset"), .base = golden.option<double>("base")});
  const heed::RotaryCall call{.pairs = pairs_of(golden.option<bool>("interleaved"))};
  golden.answer("cos", table.cosine);
  golden.answer("sin", table.sine);
  golden.answer("out", heed::rotary_embedding(golden.given<double, 4>("x"), table, call));
  golden.answer("grad_x", heed::rotary_embedding_backward(golden.given<double, 4>("grad_out"), table, call));
}

/// ONNX's RotaryEmbedding: its input is (batch, heads, length, head_dim), or (batch, length, heads * head_dim) with num_heads;
/// its caches have a row per position, or per sample and token where no position_ids are given.
void run_onnx_rotary(Case& golden) {
  const nlohmann::json& attributes = golden.json().at("attributes");
  std::vector<float> x = golden.given_values<float>("input.input");
  const std::vector<Index>& shape = golden.given_shape("input.input");
  heed::View<float, 4> view;
  if (shape.size() == 3) {
    const Index heads = attributes.at("num_heads").get<Index>(), width = shape[2] / heads;
    view = {x.data(), {shape[0], heads, shape[1], width}, {shape[1] * shape[2], width, shape[2], 1}};
  } else {
    view = {x.data(), {shape[0], shape[1], shape[2], shape[3]}};
  }
  const heed::RotaryTable<float> table{given_rows<float>(golden, "input.cos_cache"), given_rows<float>(golden, "input.sin_cache")};
  Tensor<Index, 2> positions(view.dimension(0), view.dimension(2));
  if (golden.gives("input.position_ids")) {
    const std::vector<Index> ids = given_indices(golden, "input.position_ids");
    std::copy(ids.begin(), ids.end(), positions.data());
  } else {
    std::iota(positions.data(), positions.data() + positions.size(), Index{0});
  }
  heed::rotary_embedding_into<float>(
      view, view, table, {.pairs = pairs_of(attributes.value("interleaved", 0) != 0), .positions = heed::View<const Index, 2>(positions)});
  golden.answer("output.output", shape, {x.begin(), x.end()});
}

}  // namespace

void add_position(Registry& registry) {
  registry.add("sinusoidal position encoding", run_sinusoid);
  registry.add("ALiBi slopes", run_slopes);
  registry.add("ALiBi bias", run_bias);
  registry.add("T5 relative position buckets", run_buckets);
  registry.add("rotary position embedding", run_rotary);
  registry.add("RotaryEmbedding", run_onnx_rotary);
}

}  // namespace conformance
