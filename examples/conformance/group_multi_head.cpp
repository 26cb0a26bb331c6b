// mha and transformer: PyTorch's MultiheadAttention, its encoder and decoder layers, and stacks of them.

#include <heed/models/transformer_decoder.hpp>
#include <heed/models/transformer_encoder.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

using heed::MultiHeadAttention;
using heed::MultiHeadOptions;

/// Fills every parameter from the case's tensor of its name.
template <class Layer>
void read_parameters(const Case& golden, Layer& layer) {
  heed::for_each_parameter([&](std::string_view name, heed::Role, auto& tensor) {
    using T = typename std::remove_cvref_t<decltype(tensor)>::Scalar;
    const auto values = golden.given_values<T>(std::string(name));
    if (static_cast<Index>(values.size()) != tensor.size()) throw Mismatch(std::string(name) + " has another size");
    std::copy(values.begin(), values.end(), tensor.data());
  }, layer);
}
template <class Layer>
void answer_parameters(Case& golden, const Layer& grad) {
  heed::for_each_parameter([&](std::string_view name, heed::Role, const auto& tensor) {
    golden.answer("grad." + std::string(name), tensor);
  }, grad);
}

/// A mask of PyTorch's, true or -inf where a pair is left out, as heed's options have it; kept while they are in use.
template <class T>
struct TorchMask {
  Tensor<std::uint8_t, 4> visible;  // (1 or batch, 1, 1 or queries, keys)
  Tensor<T, 4> added;

  void apply(const Case& golden, const std::string& mask, const std::string& padding, Index batch, Index heads,
             MultiHeadOptions<T>& options) {
    const bool has_mask = golden.gives(mask), has_padding = golden.gives(padding);
    if (has_mask && golden.given_dtype(mask) != heed::DType::boolean) read_added(golden, mask, heads, options);
    const bool boolean = has_mask && golden.given_dtype(mask) == heed::DType::boolean;
    if (!boolean && !has_padding) return;
    const Index queries = boolean ? golden.given_shape(mask).end()[-2] : 1;
    const Index keys = boolean ? golden.given_shape(mask).back() : golden.given_shape(padding).back();
    const Index samples = has_padding ? batch : 1;
    visible = Tensor<std::uint8_t, 4>(samples, Index{1}, queries, keys);
    const auto left_out = boolean ? golden.given_values<std::uint8_t>(mask) : std::vector<std::uint8_t>();
    const auto padded = has_padding ? golden.given_values<std::uint8_t>(padding) : std::vector<std::uint8_t>();
    for (Index b = 0; b < samples; ++b)
      for (Index i = 0; i < queries; ++i)
        for (Index j = 0; j < keys; ++j)
          visible(b, Index{0}, i, j) = !(boolean && left_out[static_cast<std::size_t>(i * keys + j)] != 0) &&
                                    !(has_padding && padded[static_cast<std::size_t>(b * keys + j)] != 0);
    options.mask = heed::boolean_mask(visible);
  }

 private:
  void read_added(const Case& golden, const std::string& mask, Index heads, MultiHeadOptions<T>& options) {
    const std::vector<Index>& shape = golden.given_shape(mask);
    const Index outer = shape.size() == 3 ? shape[0] / heads : 1, inner = shape.size() == 3 ? heads : 1;
    added = Tensor<T, 4>(outer, inner, shape.end()[-2], shape.back());
    const auto values = golden.given_values<T>(mask);
    std::copy(values.begin(), values.end(), added.data());
    options.bias = added;
  }
};

/// (time, batch, features) and back.
template <class T>
Tensor<T, 3> swapped(const Tensor<T, 3>& x) {
  return x.shuffle(Eigen::array<Index, 3>{1, 0, 2});
}

template <class T>
void run_torch_multi_head(Case& golden) {
  const bool batch_first = golden.option<bool>("batch_first", true), self = !golden.gives("key");
  const auto steps = [&](const std::string& name) {
    const auto x = golden.given<T, 3>(name);
    return batch_first ? x : swapped(x);
  };
  const auto answer = [&](const std::string& name, const Tensor<T, 3>& x) {
    golden.answer(name, batch_first ? x : swapped(x));
  };
  const Index model_dim = golden.option<Index>("embed_dim"), heads = golden.option<Index>("num_heads");
  heed::Rng rng;
  MultiHeadAttention<T> layer(
      {.model_dim = model_dim,
       .heads = heads,
       .key_dim = golden.option<Index>("kdim", model_dim),
       .memory_dim = golden.option<Index>("vdim", model_dim),
       .bias = golden.option<bool>("bias", true) ? heed::Bias::yes : heed::Bias::no,
       .extra_keys = {.learned = golden.option<bool>("add_bias_kv", false), .zeros = golden.option<bool>("add_zero_attn", false)}},
      rng);
  read_parameters(golden, layer);
  const auto query = steps("query"), key = self ? query : steps("key"), value = self ? query : steps("value");
  MultiHeadOptions<T> options{.return_weights = true};
  TorchMask<T> mask;
  mask.apply(golden, "attn_mask", "key_padding_mask", query.dimension(0), heads, options);
  typename MultiHeadAttention<T>::Cache cache;
  const auto result =
      self ? layer.forward(query, options, &cache) : layer.forward(query, key, value, options, &cache);
  answer("out", result.output);
  if (golden.option<bool>("average_attn_weights", true))
    golden.answer("attn_weights", heed::average_heads(result.weights));
  else
    golden.answer("attn_weights", result.weights);
  auto grad = heed::zeros_like(layer);
  const auto d = layer.backward(steps("grad_out"), cache, options, grad);
  answer("grad_query", d.query);
  if (!self) answer("grad_key", d.key), answer("grad_value", d.value);
  answer_parameters(golden, grad);
}

heed::TransformerLayerConfig layer_config(const Case& golden) {
  return {.model_dim = golden.option<Index>("d_model"),
          .heads = golden.option<Index>("nhead"),
          .hidden_dim = golden.option<Index>("dim_feedforward"),
          .activation = golden.option<std::string>("activation") == "gelu" ? heed::Activation::gelu : heed::Activation::relu,
          .norm_place = golden.option<bool>("norm_first") ? heed::NormPlace::before : heed::NormPlace::after,
          .epsilon = golden.option<double>("layer_norm_eps", 1e-5)};
}
heed::TransformerStackConfig stack_config(const Case& golden, const std::string& norm) {
  return {.layer = layer_config(golden),
          .layers = golden.option<Index>("num_layers", 1),
          .final_norm = golden.gives(norm) ? heed::FinalNorm::yes : heed::FinalNorm::no};
}

/// An encoder or one of its layers.
template <class T, class Encoder>
void run_encoder(Case& golden, Encoder&& encoder) {
  read_parameters(golden, encoder);
  const auto src = golden.given<T, 3>("src");
  MultiHeadOptions<T> options;
  TorchMask<T> mask;
  mask.apply(golden, "src_mask", "src_key_padding_mask", src.dimension(0), golden.option<Index>("nhead"), options);
  typename std::remove_cvref_t<Encoder>::Cache cache;
  golden.answer("out", encoder.forward(src, options, &cache));
  auto grad = heed::zeros_like(encoder);
  golden.answer("grad_src", encoder.backward(golden.given<T, 3>("grad_out"), cache, options, grad));
  answer_parameters(golden, grad);
}
template <class T>
void run_encoder_layer(Case& golden) {
  heed::Rng rng;
  run_encoder<T>(golden, heed::TransformerEncoderLayer<T>(layer_config(golden), rng));
}
template <class T>
void run_encoder_stack(Case& golden) {
  heed::Rng rng;
  run_encoder<T>(golden, heed::TransformerEncoder<T>(stack_config(golden, "norm.weight"), rng));
}

/// The options of a decoder, and the masks that they view.
template <class T>
struct DecoderMasks {
  TorchMask<T> own, memory;
  typename heed::TransformerDecoderLayer<T>::Options options;
  DecoderMasks(const Case& golden, Index batch) {
    const Index heads = golden.option<Index>("nhead");
    own.apply(golden, "tgt_mask", "tgt_key_padding_mask", batch, heads, options.self);
    memory.apply(golden, "memory_mask", "memory_key_padding_mask", batch, heads, options.memory);
  }
};

template <class T>
void run_decoder_layer(Case& golden) {
  heed::Rng rng;
  heed::TransformerDecoderLayer<T> layer(layer_config(golden), rng);
  read_parameters(golden, layer);
  const auto tgt = golden.given<T, 3>("tgt"), memory = golden.given<T, 3>("memory");
  const DecoderMasks<T> masks(golden, tgt.dimension(0));
  typename heed::TransformerDecoderLayer<T>::Cache cache;
  golden.answer("out", layer.forward(tgt, memory, masks.options, &cache));
  auto grad = heed::zeros_like(layer);
  const auto d = layer.backward(golden.given<T, 3>("grad_out"), memory, cache, masks.options, grad);
  golden.answer("grad_tgt", d.x);
  golden.answer("grad_memory", d.memory);
  answer_parameters(golden, grad);
}

/// Both stacks, as PyTorch's Transformer has them.
template <class T>
struct Stacks {
  heed::TransformerEncoder<T> encoder;
  heed::TransformerDecoder<T> decoder;
  static void fields(auto&& visit, auto&... self) {
    visit("encoder", self.encoder...);
    visit("decoder", self.decoder...);
  }
};

template <class T>
void run_transformer(Case& golden) {
  heed::Rng rng;
  Stacks<T> model{{stack_config(golden, "encoder.norm.weight"), rng}, {stack_config(golden, "decoder.norm.weight"), rng}};
  read_parameters(golden, model);
  const auto src = golden.given<T, 3>("src"), tgt = golden.given<T, 3>("tgt");
  const Index batch = src.dimension(0);
  MultiHeadOptions<T> options;
  TorchMask<T> mask;
  // The sets give one mask of padding, the source's, for the encoder and for the decoder's attention to it.
  mask.apply(golden, "src_mask", "memory_key_padding_mask", batch, golden.option<Index>("nhead"), options);
  const DecoderMasks<T> masks(golden, batch);
  typename heed::TransformerEncoder<T>::Cache encoder_cache;
  typename heed::TransformerDecoder<T>::Cache decoder_cache;
  const auto memory = model.encoder.forward(src, options, &encoder_cache);
  golden.answer("out", model.decoder.forward(tgt, memory, masks.options, &decoder_cache));
  auto grad = heed::zeros_like(model);
  const auto d = model.decoder.backward(golden.given<T, 3>("grad_out"), memory, decoder_cache, masks.options, grad.decoder);
  golden.answer("grad_tgt", d.x);
  golden.answer("grad_src", model.encoder.backward(d.memory, encoder_cache, options, grad.encoder));
  answer_parameters(golden, grad);
}

}  // namespace

void add_multi_head(Registry& registry) {
  registry.add("torch.nn.MultiheadAttention", run_torch_multi_head<float>, run_torch_multi_head<double>);
  registry.add("torch.nn.TransformerEncoderLayer", run_encoder_layer<float>, run_encoder_layer<double>);
  registry.add("torch.nn.TransformerEncoder", run_encoder_stack<float>, run_encoder_stack<double>);
  registry.add("torch.nn.TransformerDecoderLayer", run_decoder_layer<float>, run_decoder_layer<double>);
  registry.add("torch.nn.Transformer", run_transformer<float>, run_transformer<double>);
}

}  // namespace conformance
