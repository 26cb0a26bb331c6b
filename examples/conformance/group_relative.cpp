// relative: Transformer-XL's attention with segment memory, and Shaw's relative position representations. All in double.

#include <heed/nn/relative_attention.hpp>
#include <heed/nn/relative_position.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

using Matrix = Tensor<double, 2>;
using XlAttention = heed::RelativeMultiHeadAttention<double>;

/// W is (in, out): rows of heed's weights are its columns.
XlAttention xl_layer(const Case& golden) {
  const Index heads = golden.option<Index>("H"), dim = golden.option<Index>("head_dim"), width = heads * dim;
  heed::Rng rng;
  XlAttention layer({.model_dim = width,
                     .heads = heads,
                     .keys = golden.option<bool>("causal") ? heed::RelativeKeys::past : heed::RelativeKeys::all},
                    rng);
  const auto weight = [&](const char* name) { return transposed(golden.given<double, 2>(name)); };
  layer.in_proj.in_proj_weight = Matrix(weight("W_q").concatenate(weight("W_kE"), 0).eval()).concatenate(weight("W_v"), 0);
  layer.relative_proj.weight = weight("W_kR");
  layer.out_proj.weight = weight("W_o");
  layer.content_bias = golden.given<double, 2>("u");
  layer.position_bias = golden.given<double, 2>("v");
  return layer;
}

void run_transformer_xl(Case& golden) {
  const XlAttention layer = xl_layer(golden);
  const Tensor<double, 3> x = golden.given<double, 3>("h");
  Tensor<double, 3> memory;
  if (golden.gives("mem")) memory = golden.given<double, 3>("mem");
  XlAttention::Cache cache;
  const XlAttention::Options options{.return_weights = true};
  const auto result = layer.forward(x, memory, options, &cache);
  golden.answer("out", result.output);
  golden.answer("weights", result.weights);
  golden.answer("R", Matrix(cache.positions.encoding.reverse(Eigen::array<bool, 2>{true, false})));
  XlAttention grad = heed::zeros_like(layer);
  const auto d = layer.backward(golden.given<double, 3>("grad_out"), cache, options, grad);
  golden.answer("grad_h", d.x);
  if (golden.gives("mem")) golden.answer("grad_mem", d.memory);
  const Index width = x.dimension(2);
  const char* const names[] = {"grad.W_q", "grad.W_kE", "grad.W_v"};
  for (Index i = 0; i < 3; ++i) {
    const Matrix rows = grad.in_proj.in_proj_weight.slice(heed::Extents<2>{i * width, 0}, heed::Extents<2>{width, width});
    golden.answer(names[i], transposed(rows));
  }
  golden.answer("grad.W_kR", transposed(grad.relative_proj.weight));
  golden.answer("grad.W_o", transposed(grad.out_proj.weight));
  golden.answer("grad.u", grad.content_bias);
  golden.answer("grad.v", grad.position_bias);
}

void run_shaw(Case& golden) {
  heed::RelativePosition<double> layer;
  layer.key = golden.given<double, 2>("rel_k");
  layer.value = golden.given<double, 2>("rel_v");
  const auto query = golden.given<double, 4>("q"), key = golden.given<double, 4>("k"), value = golden.given<double, 4>("v");
  const heed::RelativePosition<double>::Options options{.mask = golden.option<bool>("causal") ? heed::causal() : heed::Mask()};
  heed::RelativePosition<double>::Cache cache;
  golden.answer("out", layer.forward(query, key, value, options, &cache));
  golden.answer("weights", cache.forward.weights);
  heed::RelativePosition<double> grad = heed::zeros_like(layer);
  const auto d = layer.backward(golden.given<double, 4>("grad_out"), query, key, value, cache, options, grad);
  golden.answer("grad_q", d.query);
  golden.answer("grad_k", d.key);
  golden.answer("grad_v", d.value);
  golden.answer("grad.rel_k", grad.key);
  golden.answer("grad.rel_v", grad.value);
}

}  // namespace

void add_relative(Registry& registry) {
  registry.add("Transformer-XL relative multi-head attention", run_transformer_xl);
  registry.add("relative position representations (Shaw et al.)", run_shaw);
}

}  // namespace conformance
