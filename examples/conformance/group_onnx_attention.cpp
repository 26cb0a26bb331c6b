// onnx: Attention and FlexAttention. 16-bit cases are computed in float and rounded once.

#include <optional>

#include <heed/attention/attention_scores.hpp>
#include <heed/attention/key_value_cache.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

using Heads = Tensor<float, 4>;

/// The nearest number of the case's own type.
float rounded(float x, const std::string& dtype) {
  if (dtype == "float16") return heed::float_from_half(heed::half_from_float(x));
  if (dtype == "bfloat16") return heed::float_from_bfloat16(heed::bfloat16_from_float(x));
  return x;
}

/// One node: its operands as (batch, heads, length, dim), whichever way they lie in the file.
class Node {
 public:
  explicit Node(Case& golden) : golden_(golden), attributes_(golden.json().at("attributes")) {}

  bool gives(const std::string& name) const { return golden_.gives("input." + name); }
  template <class T>
  T attribute(const char* name, T otherwise) const {
    return attributes_.value(name, otherwise);
  }
  /// (batch, heads, length, dim), or (batch, length, heads * dim) with the heads in an attribute.
  Heads heads(const std::string& name, const char* heads_attribute) const {
    const std::vector<Index>& shape = golden_.given_shape("input." + name);
    if (shape.size() == 4) return golden_.given<float, 4>("input." + name);
    if (shape.size() != 3) throw NotOffered("an operand of rank " + std::to_string(shape.size()));
    const Index count = attribute<Index>(heads_attribute, 1);
    const auto flat = golden_.given<float, 3>("input." + name);
    return flat.reshape(heed::Extents<4>{shape[0], shape[1], count, shape[2] / count}).shuffle(heed::Extents<4>{0, 2, 1, 3});
  }
  void answer(const std::string& name, const Heads& values) {
    const std::string full = "output." + name;
    if (!golden_.expects(full)) return;
    Heads result = values;
    for (float& x : heed::flat(result)) x = rounded(x, golden_.dtype());
    if (golden_.expected_shape(full).size() == 4) return golden_.answer(full, result);
    const Heads steps = result.shuffle(heed::Extents<4>{0, 2, 1, 3});
    answer_as(golden_, full, golden_.expected_shape(full), steps);
  }

 private:
  Case& golden_;
  const nlohmann::json& attributes_;
};

Heads copied(const heed::View<const float, 4>& view) {
  Heads tensor(view.extents);
  for (Index b = 0; b < view.dimension(0); ++b) {
    for (Index h = 0; h < view.dimension(1); ++h) {
      for (Index t = 0; t < view.dimension(2); ++t) {
        for (Index d = 0; d < view.dimension(3); ++d) tensor(b, h, t, d) = view(b, h, t, d);
      }
    }
  }
  return tensor;
}

/// The past, where there is one, and this call's keys and values behind it.
heed::KeyValueCache<float> with_past(const Node& node, const Heads& key, const Heads& value) {
  heed::KeyValueCache<float> cache(
      {.batch = key.dimension(0), .kv_heads = key.dimension(1), .head_dim = key.dimension(3), .value_dim = value.dimension(3)});
  if (node.gives("past_key")) cache.append(node.heads("past_key", "kv_num_heads"), node.heads("past_value", "kv_num_heads"));
  cache.append(key, value);
  return cache;
}

/// attn_mask as a bias (..., key_length): false and what is missing at the end are -inf.
Heads mask_as_bias(const Case& golden, Index key_length) {
  const std::vector<Index>& shape = golden.given_shape("input.attn_mask");
  heed::Extents<4> extents{1, 1, 1, 1};
  std::copy_backward(shape.begin(), shape.end(), extents.end());
  const Index given = extents[3];
  const bool boolean = golden.given_dtype("input.attn_mask") == heed::DType::boolean;
  const std::vector<float> values = golden.given_values<float>("input.attn_mask");
  if (given != 1) extents[3] = key_length;
  Heads bias(extents);
  constexpr float masked = -std::numeric_limits<float>::infinity();
  for (Index i = 0; i < bias.size(); ++i) {
    const Index row = i / extents[3], j = i % extents[3];
    const float value = j < given ? values[static_cast<std::size_t>(row * given + j)] : masked;
    bias.data()[i] = boolean && j < given ? (value != 0 ? 0 : masked) : value;
  }
  return bias;
}

/// The mask of is_causal, the windows and nonpad_kv_seqlen: positions count from the past's end, or, where the cache is the
/// caller's and padded, so that the last query stands at the last key.
struct Constraints {
  std::vector<Index> lengths, offsets;
  heed::Mask mask;

  Constraints(const Case& golden, const Node& node, Index query_length, Index key_length, Index past) {
    const bool causal = node.attribute("is_causal", 0) != 0;
    const auto left = node.attribute<Index>("left_window_size", -1), right = node.attribute<Index>("right_window_size", -1);
    // the last key that a query sees is so far behind it
    const Index reach = causal ? 0 : right >= 0 ? right : key_length;
    if (node.gives("nonpad_kv_seqlen")) {
      lengths = given_indices(golden, "input.nonpad_kv_seqlen");
      for (const Index length : lengths) offsets.push_back(length - query_length + reach);
      mask = heed::key_lengths(lengths);
    }
    if (!causal && left < 0 && right < 0) return;
    mask = mask & (lengths.empty() ? heed::causal_offset(past + reach) : heed::causal_offset(offsets));
    if (left >= 0) mask = mask & heed::window(left + reach, -1);
  }
  Constraints(const Constraints&) = delete;
  Constraints& operator=(const Constraints&) = delete;
};

void run_attention(Case& golden) {
  Node node(golden);
  const Heads query = node.heads("Q", "q_num_heads");
  const heed::KeyValueCache<float> cache =
      with_past(node, node.heads("K", "kv_num_heads"), node.heads("V", "kv_num_heads"));
  const Index past = node.gives("past_key") ? golden.given_shape("input.past_key")[2] : 0;
  const Constraints constraints(golden, node, query.dimension(2), cache.length(), past);
  heed::AttentionOptions<float> options{.mask = constraints.mask, .softcap = node.attribute("softcap", 0.0f)};
  if (const float scale = node.attribute("scale", 0.0f); scale != 0) options.scale = scale;
  Heads bias;
  if (node.gives("attn_mask")) {
    bias = mask_as_bias(golden, cache.length());
    options.bias = bias;
  }
  node.answer("Y", heed::scaled_dot_product_attention(query, cache.key(), cache.value(), options));
  node.answer("present_key", copied(cache.key()));
  node.answer("present_value", copied(cache.value()));
  if (!golden.expects("output.qk_matmul_output")) return;
  const int mode = node.attribute("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) throw NotOffered("qk_matmul_output_mode " + std::to_string(mode));
  node.answer("qk_matmul_output",
              heed::attention_scores(query, cache.key(), static_cast<heed::ScoreStage>(mode), options));
}

}  // namespace

void add_onnx_attention(Registry& registry) {
  registry.add("Attention", run_attention);
  registry.add("FlexAttention", run_attention);
}

}  // namespace conformance
