// keras_attention: Keras' MultiHeadAttention and GroupedQueryAttention, whose kernels are (in, heads, dim).

#include <cmath>

#include <heed/nn/multi_head_attention.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

using heed::HeadInput;

constexpr std::pair<HeadInput, const char*> projections[] = {
    {HeadInput::query, "query."}, {HeadInput::key, "key."}, {HeadInput::value, "value."}};

template <class T>
void read_weights(const Case& golden, heed::MultiHeadAttention<T>& layer) {
  for (const auto& [which, name] : projections) {
    const heed::MatrixView<T> weight = layer.in_proj.weight(which);
    const auto kernel = golden.given_values<T>(std::string(name) + "kernel");  // (in, heads dim)
    for (Index r = 0; r < weight.rows; ++r)
      for (Index i = 0; i < weight.cols; ++i) weight(r, i) = kernel[static_cast<std::size_t>(i * weight.rows + r)];
    if (!golden.gives(std::string(name) + "bias")) continue;
    const auto bias = golden.given_values<T>(std::string(name) + "bias");
    std::copy(bias.begin(), bias.end(), layer.in_proj.bias(which));
  }
  layer.out_proj.weight = transposed(given_rows<T>(golden, "attention_output.kernel"));
  if (golden.gives("attention_output.bias")) layer.out_proj.bias = golden.given<T, 1>("attention_output.bias");
}

template <class T>
void answer_weights(Case& golden, heed::MultiHeadAttention<T>& grad) {
  for (const auto& [which, name] : projections) {
    const heed::MatrixView<T> weight = grad.in_proj.weight(which);
    std::vector<double> kernel;
    for (Index i = 0; i < weight.cols; ++i)
      for (Index r = 0; r < weight.rows; ++r) kernel.push_back(static_cast<double>(weight(r, i)));
    golden.answer("grad." + std::string(name) + "kernel", golden.given_shape(std::string(name) + "kernel"), kernel);
    if (!golden.gives(std::string(name) + "bias")) continue;
    const T* const bias = grad.in_proj.bias(which);
    golden.answer("grad." + std::string(name) + "bias", golden.given_shape(std::string(name) + "bias"),
                  {bias, bias + weight.rows});
  }
  answer_as(golden, "grad.attention_output.kernel", golden.given_shape("attention_output.kernel"),
            transposed(grad.out_proj.weight));
  if (golden.gives("attention_output.bias")) golden.answer("grad.attention_output.bias", grad.out_proj.bias);
}

template <class T>
void run(Case& golden) {
  const auto query = golden.given<T, 3>("query");
  const bool self = !golden.gives("value");
  const auto value = self ? query : golden.given<T, 3>("value");
  const auto key = golden.gives("key") ? golden.given<T, 3>("key") : value;
  const std::vector<Index> query_kernel = golden.given_shape("query.kernel"), key_kernel = golden.given_shape("key.kernel"),
                           value_kernel = golden.given_shape("value.kernel");
  heed::Rng rng;
  heed::MultiHeadAttention<T> layer({.model_dim = query_kernel[0],
                                     .heads = query_kernel[1],
                                     .kv_heads = key_kernel[1],
                                     .head_dim = query_kernel[2],
                                     .value_dim = value_kernel[2],
                                     .key_dim = key_kernel[0],
                                     .memory_dim = value_kernel[0],
                                     .output_dim = golden.given_shape("attention_output.kernel")[2],
                                     .bias = golden.gives("query.bias") ? heed::Bias::yes : heed::Bias::no},
                                    rng);
  read_weights(golden, layer);
  heed::MultiHeadOptions<T> options{.return_weights = true};
  // Keras takes the scale through float32 even in float64.
  options.scale = static_cast<T>(static_cast<float>(1 / std::sqrt(static_cast<double>(layer.config.head_dim))));
  Tensor<bool, 4> visible;
  if (golden.gives("attention_mask")) {
    const auto mask = golden.given<bool, 3>("attention_mask");
    visible = mask.reshape(Eigen::array<Index, 4>{mask.dimension(0), 1, mask.dimension(1), mask.dimension(2)});
    options.mask = heed::boolean_mask(visible);
  }
  if (golden.option<bool>("use_causal_mask", false)) options.mask = options.mask & heed::causal(heed::Corner::top_left);
  typename heed::MultiHeadAttention<T>::Cache cache;
  const auto result = self ? layer.forward(query, options, &cache) : layer.forward(query, key, value, options, &cache);
  golden.answer("out", result.output);
  golden.answer("scores", result.weights);
  auto grad = heed::zeros_like(layer);
  const auto d = layer.backward(golden.given<T, 3>("grad_out"), cache, options, grad);
  golden.answer("grad_query", d.query);
  if (golden.gives("key")) golden.answer("grad_key", d.key);
  if (!self) golden.answer("grad_value", golden.gives("key") ? d.value : d.key);
  answer_weights(golden, grad);
}

}  // namespace

void add_keras_multi_head(Registry& registry) {
  registry.add("keras.layers.MultiHeadAttention", run<float>, run<double>);
  registry.add("keras.layers.GroupedQueryAttention", run<float>, run<double>);
}

}  // namespace conformance
