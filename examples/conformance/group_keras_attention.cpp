// keras_attention: AdditiveAttention, which is Bahdanau's with nothing projected, and Attention's dot and concat.

#include <heed/attention/bahdanau.hpp>
#include <heed/attention/luong.hpp>
#include <heed/nn/parameters.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

/// The operands, and the mask of values, of queries and of order.
template <class T>
struct Given {
  Tensor<T, 3> query, key, value, upstream;
  Tensor<bool, 4> visible;
  heed::ReadMask mask;
  std::vector<bool> query_rows;  // (batch * query_length), empty without a mask of queries

  explicit Given(const Case& golden)
      : query(golden.given<T, 3>("query")),
        key(golden.given<T, 3>("key")),
        value(golden.given<T, 3>("value")),
        upstream(golden.given<T, 3>("grad_out")) {
    heed::Mask all;
    if (golden.option<bool>("use_causal_mask", false)) all = heed::causal(heed::Corner::top_left);
    if (golden.gives("value_mask")) {
      const Tensor<bool, 2> values = golden.given<bool, 2>("value_mask");
      visible = values.reshape(Eigen::array<Index, 4>{values.dimension(0), 1, 1, values.dimension(1)});
      all = all & heed::boolean_mask(visible);
    }
    mask = heed::ReadMask(all);
    if (!golden.gives("query_mask")) return;
    for (const std::uint8_t byte : golden.given_values<std::uint8_t>("query_mask")) query_rows.push_back(byte != 0);
    clear_masked_rows(upstream);
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;

  /// Keras zeroes the output of a masked query; its weights stay.
  void clear_masked_rows(Tensor<T, 3>& rows) const {
    const Index width = rows.dimension(2);
    for (std::size_t row = 0; row < query_rows.size(); ++row) {
      if (!query_rows[row]) std::fill_n(rows.data() + static_cast<Index>(row) * width, width, T(0));
    }
  }
};

/// Reads and hands back everything but the parameters' gradients; returns the gradient of `query`.
template <class T, class Attention>
Tensor<T, 3> read(Case& golden, const Given<T>& given, const Tensor<T, 3>& query, const Attention& attention,
                  Attention& grad) {
  typename Attention::Cache cache;
  const Tensor<T, 3> memory = attention.project(given.key);
  auto result = attention.forward(query, memory, given.value, given.mask, &cache);
  given.clear_masked_rows(result.context);
  golden.answer("out", result.context);
  golden.answer("scores", result.weights);
  auto memory_grad = heed::zero_memory_gradient(memory, given.value);
  Tensor<T, 3> d_query = attention.backward(given.upstream, cache, memory, given.value, given.mask, grad, memory_grad);
  golden.answer("grad_value", memory_grad.values);
  golden.answer("grad_key", attention.project_backward(given.key, memory_grad, grad));
  return d_query;
}

template <class T>
Tensor<T, 2> identity(Index size) {
  Tensor<T, 2> matrix = heed::zeros<T, 2>({size, size});
  for (Index i = 0; i < size; ++i) matrix(i, i) = T(1);
  return matrix;
}

template <class T>
void run_additive(Case& golden) {
  const Given<T> given(golden);
  const Index width = given.query.dimension(2);
  heed::BahdanauAttention<T> attention;
  attention.query.weight = attention.key.weight = identity<T>(width);
  attention.score.weight = Tensor<T, 2>(1, width).setConstant(T(1));
  if (golden.gives("scale")) {
    attention.score.weight = golden.given<T, 1>("scale").reshape(Eigen::array<Index, 2>{1, width});
  }
  heed::BahdanauAttention<T> grad = heed::zeros_like(attention);
  golden.answer("grad_query", read(golden, given, given.query, attention, grad));
  if (golden.gives("scale")) answer_as(golden, "grad.scale", golden.given_shape("scale"), grad.score.weight);
}

/// score = weight * sum_d tanh(scale (q + k)_d): Bahdanau's with both projections scale I and v = weight (1, ..., 1).
template <class T>
void run_concat(Case& golden) {
  const Given<T> given(golden);
  const Index width = given.query.dimension(2);
  const T scale = golden.gives("scale") ? golden.given_values<T>("scale").at(0) : T(1);
  heed::BahdanauAttention<T> attention;
  attention.query.weight = attention.key.weight = identity<T>(width) * scale;
  attention.score.weight = Tensor<T, 2>(1, width).setConstant(golden.given_values<T>("concat_score_weight").at(0));
  heed::BahdanauAttention<T> grad = heed::zeros_like(attention);
  golden.answer("grad_query", read(golden, given, given.query, attention, grad));
  const Tensor<T, 0> d_weight = grad.score.weight.sum();
  golden.answer("grad.concat_score_weight", d_weight);
  if (!golden.gives("scale")) return;
  const Tensor<T, 0> d_scale = ((grad.query.weight + grad.key.weight) * identity<T>(width)).sum();
  answer_as(golden, "grad.scale", golden.given_shape("scale"), d_scale);
}

template <class T>
void run_dot(Case& golden) {
  const Given<T> given(golden);
  const T scale = golden.gives("scale") ? golden.given_values<T>("scale").at(0) : T(1);
  heed::LuongAttention<T> attention, grad;
  const Tensor<T, 3> scaled = given.query * scale;
  const Tensor<T, 3> d_scaled = read(golden, given, scaled, attention, grad);
  golden.answer("grad_query", Tensor<T, 3>(d_scaled * scale));
  if (!golden.gives("scale")) return;
  const Tensor<T, 0> d_scale = (d_scaled * given.query).sum();
  answer_as(golden, "grad.scale", golden.given_shape("scale"), d_scale);
}

template <class T>
void run_attention(Case& golden) {
  const auto mode = golden.option<std::string>("score_mode", "dot");
  if (mode == "dot") return run_dot<T>(golden);
  if (mode == "concat") return run_concat<T>(golden);
  throw NotOffered("keras.layers.Attention with score_mode " + mode);
}

}  // namespace

void add_keras_attention(Registry& registry) {
  registry.add("keras.layers.AdditiveAttention", run_additive<float>, run_additive<double>);
  registry.add("keras.layers.Attention", run_attention<float>, run_attention<double>);
}

}  // namespace conformance
