// score: linear attention with the feature elu + 1, in double; onnx: LinearAttention. 16-bit cases are computed in float and
// rounded once.

#include <heed/attention/gated_linear_attention.hpp>
#include <heed/attention/linear_attention.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

template <class T>
using Heads = Tensor<T, 4>;

/// (batch, length, width) as one head.
Heads<double> one_head(const Case& golden, const std::string& name) {
  const std::vector<Index>& shape = golden.given_shape(name);
  return golden.given<double, 3>(name).reshape(heed::Extents<4>{shape.at(0), 1, shape.at(1), shape.at(2)});
}

void run_elu(Case& golden) {
  const Heads<double> query = one_head(golden, "q"), key = one_head(golden, "k"), value = one_head(golden, "v");
  const heed::LinearAttentionOptions<double> options{
      .order = golden.operation() == "linear_elu_causal" ? heed::LinearOrder::causal : heed::LinearOrder::full};
  const auto result = heed::linear_attention(query, key, value, options);
  answer_as(golden, "out", golden.expected_shape("out"), result.output);
  // unit vectors as values read the weights
  Heads<double> units = heed::zeros<double, 4>({key.dimension(0), 1, key.dimension(2), key.dimension(2)});
  for (Index j = 0; j < key.dimension(2); ++j) units.chip(j, 3).chip(j, 2).setConstant(1.0);
  answer_as(golden, "weights", golden.expected_shape("weights"), heed::linear_attention(query, key, units, options).output);
  const auto d = heed::linear_attention_backward(one_head(golden, "grad_out"), query, key, value, result, options);
  answer_as(golden, "grad_q", golden.given_shape("q"), d.query);
  answer_as(golden, "grad_k", golden.given_shape("k"), d.key);
  answer_as(golden, "grad_v", golden.given_shape("v"), d.value);
}

/// An operand (batch, steps, heads * dim) as (batch, heads, steps, dim); empty where it is not given.
Heads<float> packed(const Case& golden, const std::string& name, Index heads) {
  if (!golden.gives("input." + name)) return {};
  const std::vector<Index>& shape = golden.given_shape("input." + name);
  const auto flat = golden.given<float, 3>("input." + name);
  return flat.reshape(heed::Extents<4>{shape[0], shape[1], heads, shape[2] / heads}).shuffle(heed::Extents<4>{0, 2, 1, 3});
}

void answer_rounded(Case& golden, const std::string& name, Heads<float> values) {
  if (!golden.expects(name)) return;
  for (float& x : heed::flat(values)) {
    if (golden.dtype() == "float16") x = heed::float_from_half(heed::half_from_float(x));
    if (golden.dtype() == "bfloat16") x = heed::float_from_bfloat16(heed::bfloat16_from_float(x));
  }
  answer_as(golden, name, golden.expected_shape(name), values);
}

/// Which gates an update rule uses; a gate of another rule that is given is not read.
void run_onnx_linear(Case& golden) {
  const nlohmann::json& attributes = golden.json().at("attributes");
  const auto rule = attributes.value("update_rule", std::string("gated_delta"));
  const bool gated = rule == "gated" || rule == "gated_delta", delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear") throw NotOffered("LinearAttention with update_rule " + rule);
  const auto heads = attributes.at("q_num_heads").get<Index>(), kv_heads = attributes.at("kv_num_heads").get<Index>();
  const Heads<float> query = packed(golden, "query", heads), key = packed(golden, "key", kv_heads),
                     value = packed(golden, "value", kv_heads), decay = packed(golden, "decay", kv_heads);
  Heads<float> beta, state;
  if (golden.gives("input.beta")) beta = packed(golden, "beta", golden.given_shape("input.beta").at(2));
  if (golden.gives("input.past_state")) state = golden.given<float, 4>("input.past_state");
  if ((gated && decay.size() == 0) || (delta && beta.size() == 0)) throw NotOffered("LinearAttention without its gates");
  heed::GatedLinearOptions<float> options{.decay = gated ? &decay : nullptr,
                                          .beta = delta ? &beta : nullptr,
                                          .state = state.size() > 0 ? &state : nullptr};
  if (const float scale = attributes.value("scale", 0.0f); scale != 0) options.scale = scale;
  const auto result = heed::gated_linear_attention(query, key, value, options);
  answer_rounded(golden, "output.output", result.output.shuffle(heed::Extents<4>{0, 2, 1, 3}));
  answer_rounded(golden, "output.present_state", result.state);
}

}  // namespace

void add_linear_attention(Registry& registry) {
  registry.add("linear_elu", run_elu);
  registry.add("linear_elu_causal", run_elu);
  registry.add("LinearAttention", run_onnx_linear);
}

}  // namespace conformance
